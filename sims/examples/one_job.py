"""Run a job on exactly one member, as far as membership alone can: the owner of its name, if that is safe.

``OneJob`` decides; the caller runs the job while ``may_run`` says so, and stops when it no longer does. Three
rules keep two members from running it at the same time:

- A member runs it only if the ring gives it the job, so of equal views only one does.
- It runs it only in a view with a majority of the expected members, none of them suspect: of two sides of a
  partition at most one goes on.
- It waits until its view has been quiet for ``grace`` seconds, and begins the wait anew after a pause of its
  own process: in that time, an owner that was cut off has noticed.

What remains: the grace bounds how late an old owner notices, and proves nothing. A process that stops between
``may_run`` and the work itself works late. Let the work carry ``fence``, so that a store refuses the older of
two writers, or let it be harmless to run twice. If neither will do, use a lock of a consensus system.
"""

from __future__ import annotations

from swim.events import Event, EventsLost, MemberEvent
from swim.membership import Membership
from swim.policies import majority_of
from swim.ring import LiveRing

__all__ = ["OneJob"]


class OneJob:
    """Whether this member runs a job now.

    Args:
        cluster: any ``swim.Membership``.
        name: the job's name, the same on all members.
        expected: how many members there are when all is well.
        grace: seconds without news before the view is trusted; see ``docs/recipes.md`` for how long.
        tick: seconds between two calls of ``tick``; twice as much is a pause.
    """

    def __init__(
        self, cluster: Membership, name: str, *, expected: int, grace: float = 30.0, tick: float = 0.25
    ) -> None:
        self.name = name
        self._cluster = cluster
        self._ring = LiveRing(cluster)
        self._is_majority = majority_of(expected)
        self._grace = grace
        self._tick = tick
        self._quiet_since = self._ticked_at = cluster.now()

    @property
    def fence(self) -> int:
        """The fencing number to send with every write of the job."""
        return self._ring.fence

    def may_run(self) -> bool:
        """Ask before each step of the job, and stop it if the answer is no."""
        now = self._cluster.now()
        return (
            now - self._ticked_at <= 2 * self._tick
            and now - self._quiet_since >= self._grace
            and self._is_majority(self._cluster.members())
            and self._ring.owns(self.name)
        )

    def on_event(self, now: float, event: Event) -> None:
        """Call it with every event: any news about a member begins the wait anew."""
        if isinstance(event, MemberEvent | EventsLost):
            self._quiet_since = now

    def tick(self) -> None:
        """Call it every ``tick`` seconds: if it is late, this process stood still."""
        now = self._cluster.now()
        if now - self._ticked_at > 2 * self._tick:
            self._quiet_since = now
        self._ticked_at = now
