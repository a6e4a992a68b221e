"""A cluster lives in the process that opened it; its copy in a forked child is refused with a clear error."""

from __future__ import annotations

import os

from swim.errors import LocalError

__all__ = ["Origin"]

_FORKS = 0


def _count() -> None:
    global _FORKS
    _FORKS += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count)


class Origin:
    """The process in which an object was made."""

    __slots__ = ("_forks",)

    def __init__(self) -> None:
        self._forks = _FORKS

    @property
    def is_here(self) -> bool:
        """Whether this is still that process."""
        return self._forks == _FORKS

    def require(self) -> None:
        """Makes sure that this is still that process.

        Raises:
            LocalError: it is a child of it, after a fork.
        """
        if self._forks != _FORKS:
            raise LocalError(
                "this cluster was opened in another process, before a fork: call open_cluster in this process"
            )
