"""Whether all views agree, at any moment: a running digest of each view, updated in O(1).

A view's digest is the exclusive or of a 64-bit hash per (member, status). The digests of all nodes that count
are kept in a multiset, so the views agree if there is one distinct digest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b

from swim.events import Event, MemberEvent, MemberReaped, MemberStatus

__all__ = ["View", "Views"]


class View:
    """Digests of one node's view.

    Attributes:
        all: of every listed member with its status.
        live: of the names of the members listed as alive.
    """

    __slots__ = ("all", "live")

    def __init__(self, all_digest: int = 0, live_digest: int = 0) -> None:
        self.all = all_digest
        self.live = live_digest


class Views:
    """The views of all nodes that count."""

    def __init__(self) -> None:
        self._hashes: dict[tuple[str, str], int] = {}
        self._all: Counter[int] = Counter()
        self._live: Counter[int] = Counter()
        self.truth = 0
        """Digest of the names of all nodes that run; a correct view has the same ``live``."""

    @property
    def agree(self) -> bool:
        """Whether all views list the same members with the same status."""
        return len(self._all) <= 1

    @property
    def converged(self) -> bool:
        """Whether every view lists exactly the running nodes as alive."""
        return not self._live or (len(self._live) == 1 and self.truth in self._live)

    @property
    def distinct(self) -> int:
        """How many different views there are."""
        return len(self._all)

    def of(self, names: Iterable[str]) -> View:
        """The view that lists just these members, all alive."""
        view = View()
        for name in names:
            view.all ^= self.hash(name, "alive")
        view.live = view.all
        return view

    def enter(self, view: View) -> None:
        """A node counts from now on."""
        self._all[view.all] += 1
        self._live[view.live] += 1

    def drop(self, view: View) -> None:
        """A node no longer counts."""
        _take(self._all, view.all)
        _take(self._live, view.live)

    def toggle_truth(self, name: str) -> None:
        """A node starts or stops running."""
        self.truth ^= self.hash(name, "alive")

    def hash(self, name: str, status: str) -> int:
        """A 64-bit hash of a member with a status, the same on every machine."""
        key = (name, status)
        value = self._hashes.get(key)
        if value is None:
            digest = blake2b(f"{status} {name}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
            value = self._hashes[key] = int.from_bytes(digest, "big")
        return value

    def apply(self, view: View, event: Event, *, counts: bool) -> None:
        """Applies an event to a view."""
        if not isinstance(event, MemberEvent):
            return
        name = event.member.name
        before = event.previous.status if event.previous is not None else None
        after = None if isinstance(event, MemberReaped) else event.member.status
        if before is after:
            return
        change = live = 0
        for status in (before, after):
            if status is not None:
                change ^= self.hash(name, status)
            if status is MemberStatus.ALIVE:
                live ^= self.hash(name, "alive")
        if counts:
            self.drop(view)
        view.all ^= change
        view.live ^= live
        if counts:
            self.enter(view)


def _take(counter: Counter[int], digest: int) -> None:
    counter[digest] -= 1
    if not counter[digest]:
        del counter[digest]
