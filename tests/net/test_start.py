"""The random bits of a running node."""

from __future__ import annotations

import pytest

from swim.net.start import SystemBits


@pytest.mark.parametrize("width", [1, 7, 8, 31, 32, 53, 63, 64, 65, 96, 100])
def test_every_bit_of_a_draw_is_random(width: int) -> None:
    bits = SystemBits()
    draws = [bits.getrandbits(width) for _ in range(200)]
    ones, zeros = 0, 0
    for draw in draws:
        assert 0 <= draw < 1 << width
        ones |= draw
        zeros |= ~draw & ((1 << width) - 1)
    assert ones == zeros == (1 << width) - 1


def test_no_draw_comes_twice() -> None:
    bits = [SystemBits(), SystemBits()]
    draws = [one.getrandbits(64) for one in bits for _ in range(1000)]
    assert len(set(draws)) == len(draws)


def test_a_draw_of_no_bits_is_zero() -> None:
    assert SystemBits().getrandbits(0) == 0
