"""Name lookups, in their own threads: a name that never resolves delays neither other names nor file writes.

The system's resolver blocks and cannot be interrupted. A lookup that no task waits for any more still
occupies its thread; asking for the same name again waits for that thread instead of starting another.
"""

from __future__ import annotations

import errno
import socket

import trio

from swim.addresses import Endpoint, plain_ip

__all__ = ["look_up"]

_THREADS = 256
"""Names being looked up at once; more are refused until one of them is answered."""


class _Lookup:
    """One pending lookup, shared by all tasks that wait for it."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.hosts: tuple[str, ...] = ()
        self.error: OSError | None = None


_under_way: trio.lowlevel.RunVar[dict[str, _Lookup] | None] = trio.lowlevel.RunVar("lookups", None)


async def look_up(host: str, port: int) -> tuple[Endpoint, ...]:
    """Every address of a host, in the resolver's order; an IP address resolves to itself.

    Use a timeout: the resolver's own may be minutes.

    Raises:
        OSError: the name has no address or is not a host name, or too many lookups are pending.
    """
    if (address := plain_ip(host)) is not None:
        return ((str(address), port),)
    under_way = _under_way.get()
    if under_way is None:
        _under_way.set(under_way := {})
    lookup = under_way.get(host)
    if lookup is None:
        if len(under_way) >= _THREADS:
            raise OSError(errno.EAGAIN, f"{_THREADS} name lookups are pending")
        lookup = under_way[host] = _Lookup()
        limiter = trio.CapacityLimiter(1)
        trio.lowlevel.spawn_system_task(_run, host, lookup, under_way, limiter)
    await lookup.done.wait()
    if lookup.error is not None:
        # One error may be raised in several tasks: each gets its own, with its own traceback.
        raise OSError(*lookup.error.args)
    return tuple((found, port) for found in lookup.hosts)


async def _run(
    host: str, lookup: _Lookup, under_way: dict[str, _Lookup], limiter: trio.CapacityLimiter
) -> None:
    try:
        lookup.hosts = await trio.to_thread.run_sync(_ask, host, abandon_on_cancel=True, limiter=limiter)
    except OSError as error:
        lookup.error = error
    except Exception as error:  # such as RuntimeError: no thread can be started
        lookup.error = OSError(errno.EAGAIN, f"cannot look it up now: {error}")
    finally:
        del under_way[host]
        lookup.done.set()


def _ask(host: str) -> tuple[str, ...]:
    """Blocks until the system answers; a name that the resolver's encoding refuses is not a host name."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise
    except Exception as error:  # UnicodeError of the IDNA codec, ValueError for a NUL
        raise OSError(errno.EINVAL, f"not a host name: {error}") from None
    return tuple(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))
