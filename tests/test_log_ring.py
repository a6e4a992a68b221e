"""The ring of log records: bounded by bytes, read by any number of readers at their own pace."""

from __future__ import annotations

import gc
import logging
import threading
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.log import LogRing, Unread

LEVELS = [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR]


def texts(unread: Unread) -> list[str]:
    return [record.getMessage() for record in unread.records]


def logger_of(ring: LogRing) -> logging.Logger:
    """A logger that no other code uses."""
    logger = logging.Logger("swim")
    logger.addHandler(ring)
    return logger


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(LEVELS), st.integers(0, 3000)),
            st.integers(0, 3),
        )
    ),
    st.lists(st.sampled_from(LEVELS), min_size=4, max_size=4),
)
def test_every_record_is_read_once_in_order_or_counted_as_lost(
    steps: list[tuple[int, int] | int], levels: list[int]
) -> None:
    ring = LogRing(max_bytes=10_000)
    readers = [ring.reader(level) for level in levels]
    written: list[tuple[int, str]] = []
    positions = [0] * len(readers)

    def read(which: int) -> None:
        unread = readers[which].read()
        expected = [text for level, text in written[positions[which] :] if level >= levels[which]]
        assert unread.lost + len(unread.records) == len(expected)
        assert texts(unread) == expected[unread.lost :]
        positions[which] = len(written)

    for step in steps:
        if isinstance(step, int):
            read(step)
            continue
        level, length = step
        text = f"{len(written)} ".ljust(length, "x")
        written.append((level, text))
        ring.handle(logging.LogRecord("swim", level, "", 0, "%s", (text,), None))
        newest = texts(ring.reader().read())
        assert sum(map(len, newest)) <= 10_000
        assert text in newest or length > 8_000
    for which in range(len(readers)):
        read(which)


def test_a_reader_may_begin_now() -> None:
    ring = LogRing(max_bytes=1 << 20)
    log = logger_of(ring)
    log.info("before")
    late, early = ring.reader(from_now=True), ring.reader()
    log.warning("after")
    assert texts(late.read()) == ["after"]
    assert texts(early.read()) == ["before", "after"]
    assert late.read() == early.read() == Unread(0, ())


def test_a_kept_record_is_text_and_keeps_nothing_alive() -> None:
    class Thing:
        def __str__(self) -> str:
            return "a thing"

    ring = LogRing(max_bytes=1 << 20)
    log = logger_of(ring)

    def fail() -> weakref.ref[Thing]:
        thing = Thing()
        try:
            raise ValueError(thing)
        except ValueError:
            log.exception("failed with %s", thing, extra={"node": "n1"})
        return weakref.ref(thing)

    thing = fail()
    gc.collect()
    assert thing() is None
    [record] = ring.reader().read().records
    assert record.getMessage() == "failed with a thing"
    assert "ValueError: a thing" in (record.exc_text or "")
    assert record.node == "n1"  # type: ignore[attr-defined]


def test_a_record_that_cannot_be_made_text_is_reported_and_harms_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ring = LogRing(max_bytes=1 << 20)
    log = logger_of(ring)
    log.info("%d", "no number")
    log.info("fine")
    assert texts(ring.reader().read()) == ["fine"]
    assert "Logging error" in capsys.readouterr().err


def test_many_threads_write_while_one_reads() -> None:
    ring = LogRing(max_bytes=100_000)
    log = logger_of(ring)
    reader = ring.reader()
    threads = [threading.Thread(target=lambda: [log.info("x") for _ in range(300)]) for _ in range(4)]
    seen = 0
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        unread = reader.read()
        seen += unread.lost + len(unread.records)
    unread = reader.read()
    assert seen + unread.lost + len(unread.records) == 1200
