"""What ``open_cluster`` returns, on every front: not a cluster yet, and it says so."""

from __future__ import annotations

from typing import ClassVar, NoReturn

from swim.errors import LocalError

__all__ = ["Opening"]

_ATTRIBUTES = ("config", "metrics", "endpoint", "started_at")
_WAYS_IN = ("__await__", "__enter__", "__exit__", "__aenter__", "__aexit__")


class Opening:
    """A block that is entered once and gives the cluster.

    Attributes:
        how: how it is entered.
        gives: the class of what it gives.
    """

    how: ClassVar[str]
    gives: ClassVar[type]

    def __init_subclass__(cls) -> None:
        # Type checkers know what a front is entered by; at run time, any other way says so too.
        for name in _WAYS_IN:
            if not hasattr(cls, name):
                setattr(cls, name, Opening._refuse)

    def __init__(self) -> None:
        self._entered = False

    def _refuse(self, *_: object) -> NoReturn:
        raise LocalError(f"this is not the way into this cluster, use '{self.how}'")

    def _enter(self) -> None:
        """Raises if it was entered before."""
        if self._entered:
            raise LocalError("this block was entered before: call open_cluster again")
        self._entered = True

    def __getattr__(self, name: str) -> NoReturn:
        if not name.startswith("_") and (name in _ATTRIBUTES or hasattr(self.gives, name)):
            raise LocalError(f"{name}: this cluster is not open yet, use '{self.how}'")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
