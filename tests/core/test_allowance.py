"""The allowance of a host: its rate in the long run, one packet over at most, and no memory without end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.core.allowance import Allowance

HOSTS = ["127.0.0.1", "127.0.0.2", "::1"]
packets = st.lists(
    st.tuples(st.integers(0, 16), st.sampled_from(HOSTS), st.integers(1, 3000)), min_size=1, max_size=60
)


@given(st.integers(1, 4096), packets)
def test_a_host_makes_send_its_rate_and_one_packet_more(rate: int, tried: list[tuple[int, str, int]]) -> None:
    allowance, now = Allowance(rate), 7.0
    spent: dict[str, list[tuple[float, int]]] = {host: [] for host in HOSTS}
    for sixteenths, host, size in tried:
        now += sixteenths / 16
        if allowance.has(now, host):
            allowance.spend(now, size, host)
            spent[host].append((now, size))
    for sent in spent.values():
        for place, (start, _) in enumerate(sent):
            before_the_last, last = 0, 0
            for end, size in sent[place:]:
                before_the_last, last = before_the_last + last, size
                assert before_the_last < rate * (1 + end - start)


def test_of_two_hosts_both_must_have_some_left_and_both_pay() -> None:
    allowance = Allowance(100)
    allowance.spend(0.0, 100, "127.0.0.1")
    assert not allowance.has(0.0, "127.0.0.1", "127.0.0.2")
    assert allowance.has(0.0, "127.0.0.2")
    allowance.spend(1.0, 100, "127.0.0.1", "127.0.0.2")
    assert not allowance.has(1.0, "127.0.0.1")
    assert not allowance.has(1.0, "127.0.0.2")


def test_a_host_named_twice_pays_once() -> None:
    allowance = Allowance(100)
    allowance.spend(0.0, 60, "127.0.0.1", "127.0.0.1")
    assert allowance.has(0.0, "127.0.0.1")


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
def test_without_a_rate_nothing_is_left(seconds: float) -> None:
    assert not Allowance(0).has(seconds, "127.0.0.1")


def test_a_busy_host_is_remembered_while_thousands_of_others_pass() -> None:
    allowance = Allowance(100)
    allowance.spend(0.0, 100_000, "127.0.0.1")
    for number in range(20_000):
        now = number / 1000
        allowance.spend(now, 100, f"10.0.{number // 250}.{number % 250}")
        if number % 20 == 0:
            allowance.spend(now, 1, "127.0.0.1")
    assert not allowance.has(20.0, "127.0.0.1")
