"""How other agents see the cluster: each is asked over HTTP, and those that agree are grouped."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, TypedDict

import anyio

from agent_api.own.peers import Asker, PeerError, http_address
from agent_api.own.shapes import Observer
from agent_api.text import utf8
from swim import Member, MemberStatus
from swim.text import brief

__all__ = ["VIEWS_MAX", "Seen", "ViewShape", "Views", "digest_of", "groups_of"]

VIEWS_MAX = 200
"""Other agents that are asked; the remaining ones are listed with an error."""
_AT_ONCE = 16
_SECONDS = 1.0
"""For one agent's answer; also how old a collection may be that several clients share."""
_PATH = "/v1/swim/snapshot?level=members"


class Seen(TypedDict):
    """A member in another's view."""

    status: str
    is_suspect: bool
    incarnation: int


class ViewShape(TypedDict):
    """One agent's view; without ``members`` and ``digest`` if ``error`` says why there is none.

    ``http`` is the address that was asked, after ``https://`` if by HTTPS; None if there is none, and for
    this agent itself. ``seconds`` is how long the answer took.
    """

    agent: str
    http: str | None
    error: str
    seconds: float
    digest: str | None
    members: dict[str, Seen] | None


def digest_of(members: Mapping[str, Seen]) -> str:
    """Equal for two views that list the same members in the same status."""
    lines = sorted(f"{name}\0{seen['status']}" for name, seen in members.items())
    return sha256(utf8("\n".join(lines))).hexdigest()[:12]


class Views:
    """Collects the views of all agents, and shares one collection among clients that ask at once.

    Args:
        observer: of this agent's own view.
        asker: asks the others.
    """

    def __init__(self, observer: Observer, asker: Asker) -> None:
        self._observer = observer
        self._asker = asker
        self._lock = anyio.Lock()
        self._at = float("-inf")
        self._last: list[ViewShape] = []

    async def collect(self) -> list[ViewShape]:
        """One view for each member that is alive, by name; this agent's own among them."""
        async with self._lock:
            now = anyio.current_time()
            if now - self._at >= _SECONDS:
                self._last = await self._collect()
                self._at = anyio.current_time()
            return self._last

    async def _collect(self) -> list[ViewShape]:
        cluster = self._observer.cluster
        alive = [m for m in cluster.members() if m.status is MemberStatus.ALIVE]
        found = {cluster.config.name: self._own()}
        left = deque(sorted((m for m in alive if m.name not in found), key=lambda member: member.name))
        for member in list(left)[VIEWS_MAX:]:
            left.remove(member)
            found[member.name] = _without(member, f"not asked: there are more than {VIEWS_MAX} others")

        async def work() -> None:
            while left:
                member = left.popleft()
                found[member.name] = await _asked(member, self._asker)

        async with anyio.create_task_group() as group:
            for _ in range(min(_AT_ONCE, len(left))):
                group.start_soon(work)
        return [found[name] for name in sorted(found)]

    def _own(self) -> ViewShape:
        cluster = self._observer.cluster
        members: dict[str, Seen] = {
            member.name: {
                "status": str(member.status),
                "is_suspect": member.is_suspect,
                "incarnation": member.incarnation,
            }
            for member in cluster.members()
        }
        return _view(cluster.config.name, None, 0.0, members)


async def _asked(member: Member, asker: Asker) -> ViewShape:
    """The view of another agent, or why there is none."""
    began, http = anyio.current_time(), None
    try:
        address = http_address(member)
        http = str(address)
        with anyio.fail_after(_SECONDS):
            members = _members_of(await asker.ask(address, _PATH), member.name)
    except TimeoutError:
        error = f"no answer within {_SECONDS:g} s"
    except PeerError as wrong:
        error = brief(str(wrong))
    except OSError as unreachable:
        error = f"cannot be reached: {brief(_cause(unreachable))}"
    else:
        return _view(member.name, http, anyio.current_time() - began, members)
    return _without(member, error, http, anyio.current_time() - began)


def _cause(error: OSError) -> str:
    """anyio wraps what the system says of each address."""
    cause = error.__cause__
    return str(cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause or error)


def _view(agent: str, http: str | None, seconds: float, members: dict[str, Seen]) -> ViewShape:
    return {
        "agent": agent,
        "http": http,
        "error": "",
        "seconds": seconds,
        "digest": digest_of(members),
        "members": members,
    }


def _without(member: Member, error: str, http: str | None = None, seconds: float = 0.0) -> ViewShape:
    return {
        "agent": member.name,
        "http": http,
        "error": error,
        "seconds": seconds,
        "digest": None,
        "members": None,
    }


def _members_of(document: Any, name: str) -> dict[str, Seen]:
    """The members in another agent's snapshot.

    Raises:
        PeerError: it is none, or that of another agent.
    """
    try:
        snapshot = document["snapshot"]
        if snapshot["name"] != name:
            raise PeerError(f"the agent there is {brief(str(snapshot['name']))}")
        return {str(each["name"]): _seen(each) for each in snapshot["members"]}
    except (KeyError, TypeError, ValueError):
        raise PeerError("it does not answer what a swim agent does") from None


def _seen(shape: Any) -> Seen:
    status, is_suspect, incarnation = shape["status"], shape["is_suspect"], shape["incarnation"]
    if not (isinstance(is_suspect, bool) and isinstance(incarnation, int)):
        raise TypeError
    return {
        "status": MemberStatus(status).value,
        "is_suspect": is_suspect,
        "incarnation": incarnation,
    }


def groups_of(found: Iterable[ViewShape]) -> list[dict[str, Any]]:
    """The agents of each digest, the largest group first."""
    groups: dict[str, list[str]] = {}
    for view in found:
        if view["digest"] is not None:
            groups.setdefault(view["digest"], []).append(view["agent"])
    return [
        {"digest": digest, "agents": agents}
        for digest, agents in sorted(groups.items(), key=lambda item: (-len(item[1]), item[1]))
    ]
