"""Bodies that are made once for each state of what they show."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

__all__ = ["KeptBodies", "KeptBody"]


class KeptBody(bytes):
    """A body that is answered again.

    Attributes:
        packed: compressed with gzip; empty until a client asked for that.
    """

    packed: bytes = b""


class KeptBodies:
    """The latest body of each name, and the view that it was made of.

    A view is an immutable object that is replaced with every change, as ``cluster.members()`` returns it: so
    the same object is the same state. What a client may see must not depend on its token.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[object, tuple[object, KeptBody]] = {}

    async def of(self, name: object, view: object, make: Callable[[], Awaitable[bytes]]) -> KeptBody:
        """The body of ``view``, kept or made."""
        kept = self._kept.get(name)
        if kept is not None and kept[0] is view:
            return kept[1]
        body = KeptBody(await make())
        self._kept[name] = view, body
        return body
