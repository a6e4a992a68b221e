"""Waits for many peers to agree, and catches every false positive meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from tests.interop.peers import Peer, Seen, SerfAgent
from tests.interop.processes import eventually


class Watch:
    """Peers whose announcements are followed from the start to the end of a test."""

    def __init__(self, peers: Sequence[Peer]) -> None:
        self.peers = list(peers)
        self._heard: dict[Peer, int] = {}

    async def until(self, holds: Callable[[dict[str, Seen]], bool], *, at: Collection[Peer] = ()) -> None:
        """Waits until ``holds(members)`` at every peer, or at those given."""
        views: dict[str, dict[str, Seen]] = {}

        async def everywhere() -> bool:
            for peer in at or self.peers:
                views[peer.name] = await peer.members()
                if not holds(views[peer.name]):
                    return False
            return True

        await eventually(everywhere, describe=lambda: views)

    async def until_status(self, status: str, names: Collection[str], *, at: Collection[Peer] = ()) -> None:
        """Waits until each of the members named has this status everywhere."""
        await self.until(
            lambda members: all(name in members and members[name].status == status for name in names),
            at=at,
        )

    def only_failed(self, *names: str, serf_may_call: Collection[str] = ()) -> None:
        """No peer announced any member but these as failed since the last call.

        Real Serf agents may also name those of ``serf_may_call``: one that gets another's death in one packet
        with its leave intent handles the two in either order.
        """
        for peer in self.peers:
            failed = peer.failed()
            heard = self._heard.get(peer, 0)
            self._heard[peer] = len(failed)
            allowed = {*names, *(serf_may_call if isinstance(peer, SerfAgent) else ())}
            wrong = set(failed[heard:]) - allowed
            assert not wrong, f"{peer.name} announced {wrong} as failed"
