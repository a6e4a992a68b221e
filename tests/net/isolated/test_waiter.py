"""``Waiter``: waits of one thread that any other ends."""

from __future__ import annotations

import math
import signal
import threading
import time

import pytest

from swim.net.isolated.waker import Waiter

MOMENTS = [-1.0, 0.0, *(step * 1e-7 for step in range(1, 30))]


def test_a_wait_that_is_over_before_it_begins_ends() -> None:
    """In a thread, as a wait without an end would hold up the tests."""
    answers: list[bool] = []
    thread = threading.Thread(
        target=lambda: answers.extend([Waiter().wait(seconds) for seconds in MOMENTS * 100]), daemon=True
    )
    thread.start()
    thread.join(20)
    assert answers == [False] * len(MOMENTS) * 100


@pytest.mark.parametrize("seconds", [0.0, 20.0, math.inf])
def test_it_may_be_woken_before_and_several_times(seconds: float) -> None:
    waiter = Waiter()
    waiter.wake()
    waiter.wake()
    assert waiter.wait(seconds)
    assert not waiter.wait(0)


def test_another_thread_ends_it() -> None:
    waiter = Waiter()
    threads = [threading.Thread(target=waiter.wake) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert waiter.wait(math.inf)
    for thread in threads:
        thread.join()


def test_a_signal_interrupts_it() -> None:
    class Struck(Exception):
        pass

    def strike(*_: object) -> None:
        raise Struck

    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        began = time.monotonic()
        with pytest.raises(Struck):
            Waiter().wait(60)
        assert time.monotonic() - began < 30
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
