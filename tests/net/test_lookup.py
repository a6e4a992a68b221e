"""Name lookups: what hangs holds up nothing else, and what is no name is an ``OSError`` like any other."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from swim.net.keeping import keep
from swim.net.lookup import look_up
from swim.net.snapshot_file import SnapshotFile


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each name was asked for; those that begin with ``hang`` get no answer until the test ends."""
    over = threading.Event()
    counts: Counter[str] = Counter()
    system = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        counts[host] += 1
        if host.startswith("hang"):
            over.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return system("127.0.0.7" if host.startswith("good") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield counts
    over.set()


async def no_answer(host: str, seconds: float = 0.05) -> None:
    with trio.move_on_after(seconds) as scope:
        await look_up(host, 1)
    assert scope.cancelled_caught


@pytest.mark.slow
@pytest.mark.parametrize("hanging", [45, 200])
async def test_names_that_hang_hold_up_neither_good_ones_nor_the_snapshot(
    asked: Counter[str], tmp_path: Path, hanging: int
) -> None:
    path = tmp_path / "kept"
    file = SnapshotFile(path)
    file.whole = lambda: "kept\n"
    async with trio.open_nursery() as nursery:
        for number in range(hanging):
            nursery.start_soon(no_answer, f"hang-{number}")
    assert await look_up("good.example", 7946) == (("127.0.0.7", 7946),)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep, file)
        with trio.fail_after(10):
            while not path.exists():  # noqa: ASYNC110  a file has no event to wait for
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()


async def test_a_name_that_hangs_occupies_one_thread_however_often_it_is_asked(
    asked: Counter[str],
) -> None:
    for _ in range(5):
        await no_answer("hang", 0.01)
    assert asked["hang"] == 1


@pytest.mark.slow
async def test_threads_are_bounded(asked: Counter[str]) -> None:
    refused = 0

    async def ask(host: str) -> None:
        nonlocal refused
        try:
            await no_answer(host, 0.5)
        except BlockingIOError:
            refused += 1

    async with trio.open_nursery() as nursery:
        for number in range(300):
            nursery.start_soon(ask, f"hang-{number}")
    assert sum(asked.values()) + refused == 300
    assert refused == 300 - 256


async def test_all_that_wait_get_the_one_answer(asked: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[object] = []
    waiting, system = threading.Event(), socket.getaddrinfo

    def answer(host: str, *args: Any, **kwargs: Any) -> Any:
        waiting.wait(60)
        return system(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", answer)

    async def ask(port: int) -> None:
        answers.append(await look_up("good.example", port))

    async with trio.open_nursery() as nursery:
        for port in (1, 2, 3):
            nursery.start_soon(ask, port)
        await trio.testing.wait_all_tasks_blocked()
        waiting.set()
    assert sorted(answers, key=str) == [(("127.0.0.7", port),) for port in (1, 2, 3)]
    assert asked["good.example"] == 1


@pytest.mark.parametrize(
    "host", ["web-1..example.com", ".", "a" * 64, "a\0b", "\udcff", "\u00fc" * 300, "", "nope.invalid"]
)
async def test_what_is_no_name_is_an_os_error(host: str) -> None:
    with pytest.raises(OSError, match=r".+"):
        await look_up(host, 1)


@pytest.mark.parametrize(
    ("host", "found"), [("10.0.0.1", "10.0.0.1"), ("FD00::0001", "fd00::1"), ("fe80::1%lo", "fe80::1")]
)
async def test_an_ip_address_is_its_own_answer(asked: Counter[str], host: str, found: str) -> None:
    assert await look_up(host, 7) == ((found, 7),)
    assert not asked


async def test_without_a_thread_a_lookup_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match="cannot look it up now: can't start new thread"):
        await look_up("seed.example", 1)
