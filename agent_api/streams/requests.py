"""The requests that are answered by streams: our events, Nomad's log, Nomad's events."""

from __future__ import annotations

import re

from starlette.responses import Response

from agent_api.agent import Call
from agent_api.errors import HttpError
from agent_api.machine import check_target
from agent_api.parameters import parse_boolean
from agent_api.streams.events import WATCH_LEVELS, EventSource, WatchSource
from agent_api.streams.frames import FrameSource, Topics
from agent_api.streams.lines import LineStream
from agent_api.streams.monitor import LEVELS, MonitorSource

__all__ = ["check_event_stream", "check_monitor", "event_stream", "events", "monitor", "snapshot", "watch"]

_EVENTS_SECONDS = 30.0
_WATCH_SECONDS = 5.0
_MONITOR_SECONDS = 1.0
"""Seconds without a line after which a stream sends a heartbeat."""
_SWITCHES = {"log_json": "log json", "plain": "plain", "log_include_location": "log_include_location"}
"""Switches of ``monitor``, and what Nomad's errors call them."""


def _empty() -> bytes:
    """A heartbeat where every line is an object."""
    return b"{}\n"


async def events(call: Call) -> Response:
    """All events from now on."""
    return LineStream(EventSource(call.agent.observer), heartbeat=_empty, every=_EVENTS_SECONDS)


async def watch(call: Call) -> Response:
    """The members, then their events; events of applications too, for those who may do everything."""
    source = WatchSource(call.agent.observer, _watch_levels(call), call.agent.readiness)
    return LineStream(source, heartbeat=source.heartbeat, every=_WATCH_SECONDS, at_once=False, is_steady=True)


async def snapshot(call: Call) -> Response:
    """The first line of a watch alone."""
    source = WatchSource(call.agent.observer, _watch_levels(call), call.agent.readiness)
    sequence, members = call.agent.cluster.stats().sequence, call.agent.cluster.members()
    return Response(await source.snapshot(sequence, members), media_type="application/json")


def _watch_levels(call: Call) -> set[str]:
    """What of the watch is asked for; everything that the token may see, unless the request says so."""
    asked = {word for text in call.query.all("level") for word in text.split(",") if word}
    for word in sorted(asked):
        if word not in WATCH_LEVELS:
            raise HttpError(400, f"level: {word!r} is none of {', '.join(WATCH_LEVELS)}")
    if "events" in asked:
        call.require("management")
    return asked or {level for level in WATCH_LEVELS if level != "events" or call.grant.may("management")}


def check_monitor(call: Call) -> None:
    """Checks the parameters of ``monitor``, which Nomad does before it looks at the token.

    Raises:
        HttpError: 400 with Nomad's text.
    """
    if _level(call) not in LEVELS:
        raise HttpError(400, f"Unknown log level: {call.query.first('log_level')}")
    for name, option in _SWITCHES.items():
        text = call.query.first(name)
        if text and parse_boolean(text) is None:
            raise HttpError(
                400, f'Unknown option for {option}: strconv.ParseBool: parsing "{text}": invalid syntax'
            )
    if call.query.first("node_id") and call.query.first("server_id"):
        raise HttpError(400, "Cannot target node and server simultaneously")


async def monitor(call: Call) -> Response:
    """The log from now on, at the level asked for; of this agent only."""
    check_target(call)
    is_plain = call.query.boolean("plain", "")
    source = MonitorSource(_level(call), is_json=call.query.boolean("log_json", ""), is_plain=is_plain)
    if is_plain:
        return LineStream(source, heartbeat=None, every=_MONITOR_SECONDS, media_type="text/plain")
    return LineStream(source, heartbeat=_empty, every=_MONITOR_SECONDS)


def check_event_stream(call: Call) -> None:
    """Checks the parameters of ``event_stream``, then what its topics take.

    Raises:
        HttpError: 400 with Nomad's text, or 403.
    """
    _index(call)
    if not Topics(call.query.all("topic")).are_members_only:
        call.require("management")


async def event_stream(call: Call) -> Response:
    """Membership events in Nomad's frames, from an index on."""
    source = FrameSource(call.agent.cluster, Topics(call.query.all("topic")), _index(call))
    return LineStream(source, heartbeat=_empty, every=_EVENTS_SECONDS)


def _index(call: Call) -> int:
    text = call.query.first("index") or "0"
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise HttpError(400, f'Unable to parse index: strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def _level(call: Call) -> str:
    return (call.query.first("log_level") or "info").strip().lower()
