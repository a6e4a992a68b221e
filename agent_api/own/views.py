"""How other agents see the cluster: each is asked over HTTP, and those that agree are grouped."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b, sha256
from math import isfinite
from typing import Any, TypedDict

import anyio

from agent_api.own.clock import iso
from agent_api.own.peers import Asker, PeerError, http_address
from agent_api.own.shapes import Observer, ReasonShape
from agent_api.shapes import member_shape
from agent_api.text import utf8
from swim import Member, MemberStatus
from swim.text import brief

__all__ = [
    "VIEWS_MAX",
    "Measured",
    "Seen",
    "ViewShape",
    "Views",
    "digest_of",
    "digest_of_tags",
    "groups_of",
]

VIEWS_MAX = 200
"""Other agents that are asked; the remaining ones are listed with an error."""
_AT_ONCE = 16
_SECONDS = 1.0
"""For one agent's answer; also how old a collection may be that several clients share."""
_PATH = "/v1/swim/snapshot?level=members"
_TAGS_DIGEST_BYTES = 4
_NO_TIME = timedelta(0)


class Seen(TypedDict):
    """A member in another's view."""

    status: str
    is_suspect: bool
    incarnation: int


class Measured(Seen):
    """With what its observer knows first-hand; times are on the clock of the agent that answers.

    ``tags`` is a digest; ``since`` is when the state last changed, and ``reason`` why.
    """

    tags: str
    since: str | None
    last_ack: str | None
    rtt: float | None
    reason: ReasonShape | None


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
    members: Mapping[str, Seen] | None


def digest_of(members: Mapping[str, Seen]) -> str:
    """Equal for two views that list the same members in the same status."""
    lines = sorted(f"{name}\0{seen['status']}" for name, seen in members.items())
    return sha256(utf8("\n".join(lines))).hexdigest()[:12]


def digest_of_tags(tags: Mapping[str, str]) -> str:
    """Equal for equal tags."""
    return blake2b(utf8(repr(sorted(tags.items()))), digest_size=_TAGS_DIGEST_BYTES).hexdigest()


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
        self._kept: dict[bool, tuple[float, list[ViewShape]]] = {}

    async def collect(self, *, is_measured: bool = False) -> list[ViewShape]:
        """One view for each member that is alive, by name; this agent's own among them.

        Args:
            is_measured: whether the members are ``Measured`` and not only ``Seen``.
        """
        async with self._lock:
            at, found = self._kept.get(is_measured, (float("-inf"), []))
            if anyio.current_time() - at >= _SECONDS:
                found = await self._collect(is_measured)
                self._kept[is_measured] = anyio.current_time(), found
            return found

    async def _collect(self, is_measured: bool) -> list[ViewShape]:
        cluster = self._observer.cluster
        alive = [m for m in cluster.members() if m.status is MemberStatus.ALIVE]
        found = {cluster.config.name: self._own(is_measured)}
        left = deque(sorted((m for m in alive if m.name not in found), key=lambda member: member.name))
        for member in list(left)[VIEWS_MAX:]:
            left.remove(member)
            found[member.name] = _without(member, f"not asked: there are more than {VIEWS_MAX} others")

        async def work() -> None:
            while left:
                member = left.popleft()
                found[member.name] = await self._asked(member, is_measured)

        async with anyio.create_task_group() as group:
            for _ in range(min(_AT_ONCE, len(left))):
                group.start_soon(work)
        return [found[name] for name in sorted(found)]

    def _own(self, is_measured: bool) -> ViewShape:
        cluster = self._observer.cluster
        shape = self._observer.member if is_measured else member_shape
        members = {member.name: _seen(shape(member), is_measured) for member in cluster.members()}
        return _view(cluster.config.name, None, 0.0, members)

    async def _asked(self, member: Member, is_measured: bool) -> ViewShape:
        """The view of another agent, or why there is none."""
        began, http = anyio.current_time(), None
        try:
            address = http_address(member)
            http = str(address)
            document = await self._asker.ask(address, _PATH, within=_SECONDS)
            now = self._observer.clock.now() if is_measured else None
            members = _members_of(document, member.name, now)
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


def _view(agent: str, http: str | None, seconds: float, members: Mapping[str, Seen]) -> ViewShape:
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


def _members_of(document: Any, name: str, now: str | None) -> dict[str, Seen]:
    """The members in another agent's snapshot; ``Measured`` if ``now`` is this moment on our own clock.

    Raises:
        PeerError: it is none, or that of another agent.
    """
    try:
        snapshot = document["snapshot"]
        if snapshot["name"] != name:
            raise PeerError(f"the agent there is {brief(str(snapshot['name']))}")
        ahead = datetime.fromisoformat(document["at"]) - datetime.fromisoformat(now) if now else _NO_TIME
        return {str(each["name"]): _seen(each, now is not None, ahead) for each in snapshot["members"]}
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise PeerError("it does not answer what a swim agent does") from None


def _seen(shape: Any, is_measured: bool, ahead: timedelta = _NO_TIME) -> Seen:
    """A member as an agent sends it, whose clock is so far ahead of ours."""
    status, is_suspect, incarnation = shape["status"], shape["is_suspect"], shape["incarnation"]
    if not (isinstance(is_suspect, bool) and isinstance(incarnation, int)):
        raise TypeError
    seen: Seen = {
        "status": MemberStatus(status).value,
        "is_suspect": is_suspect,
        "incarnation": incarnation,
    }
    if not is_measured:
        return seen
    rtt, reason = shape["rtt"], shape["reason"]
    measured: Measured = {
        **seen,
        "tags": digest_of_tags(shape["tags"]),
        "since": _moved(shape["since"], ahead),
        "last_ack": _moved(shape["last_ack"], ahead),
        "rtt": None if rtt is None else _finite(rtt),
        "reason": None if reason is None else _reason(reason),
    }
    return measured


def _moved(moment: str | None, ahead: timedelta) -> str | None:
    return None if moment is None else iso(datetime.fromisoformat(moment) - ahead)


def _finite(number: float) -> float:
    if not isfinite(number):
        raise ValueError
    return float(number)


def _reason(shape: Any) -> ReasonShape:
    return {
        "cause": str(shape["cause"]),
        "accuser": str(shape["accuser"]),
        "detail": str(shape["detail"]),
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
