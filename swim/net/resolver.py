"""Name lookups, in their own threads: a name that never resolves delays nothing else.

The system's resolver blocks and cannot be interrupted. A lookup whose answer is not wanted any more still
occupies its thread; asking for the same name again waits for that thread instead of starting another.
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from swim.addresses import Endpoint, plain_ip

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["Answer", "Resolver"]

_THREADS = 256
"""Names being looked up at once; more are refused until one of them is answered."""

Answer = Callable[[tuple[str, ...], OSError | None], None]
"""Takes the addresses of a name, in the resolver's order, or the error; called by another thread."""


class Resolver:
    """The lookups of one event loop or thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[str, list[Answer]] = {}

    def ask(self, host: str, answer: Answer) -> None:
        """Begins a lookup, or joins the pending one; calls ``answer`` at once if it cannot begin."""
        with self._lock:
            waiting = self._pending.get(host)
            if waiting is not None:
                waiting.append(answer)
                return
            if len(self._pending) < _THREADS:
                self._pending[host] = [answer]
                refusal = None
            else:
                refusal = OSError(errno.EAGAIN, f"{_THREADS} name lookups are pending")
        if refusal is not None:
            answer((), refusal)
            return
        thread = threading.Thread(target=self._run, args=(host,), name=f"swim:lookup:{host}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no thread can be started
            self._answer(host, (), OSError(errno.EAGAIN, f"cannot look it up now: {error}"))

    def future(self, host: str, port: int) -> Future[tuple[Endpoint, ...]]:
        """Every address of a host, in the resolver's order; the future may fail with ``OSError``."""
        from concurrent.futures import Future  # takes a while, and most nodes look up no name

        future: Future[tuple[Endpoint, ...]] = Future()

        def answered(hosts: Sequence[str], error: OSError | None) -> None:
            if future.set_running_or_notify_cancel():
                if error is not None:
                    future.set_exception(error)
                else:
                    future.set_result(tuple((found, port) for found in hosts))

        if (address := plain_ip(host)) is not None:
            answered([str(address)], None)
        else:
            self.ask(host, answered)
        return future

    def _run(self, host: str) -> None:
        try:
            self._answer(host, _ask(host), None)
        except OSError as error:
            self._answer(host, (), error)

    def _answer(self, host: str, found: tuple[str, ...], error: OSError | None) -> None:
        with self._lock:
            waiting = self._pending.pop(host)
        for answer in waiting:
            # One error may be raised in several places: each gets its own, with its own traceback.
            answer(found, None if error is None else OSError(*error.args))


def _ask(host: str) -> tuple[str, ...]:
    """Blocks until the system answers; a name that the resolver's encoding refuses is not a host name."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise
    except Exception as error:  # UnicodeError of the IDNA codec, ValueError for a NUL
        raise OSError(errno.EINVAL, f"not a host name: {error}") from None
    return tuple(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))
