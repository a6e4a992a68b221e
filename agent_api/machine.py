"""``/v1/agent/host`` and ``/v1/agent/pprof``: the machine and the process that the agent runs on.

Both show what an operator may want to keep to themselves: without access control they are served only with
``enable_debug``.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import sys
import threading
import traceback
import uuid
from pathlib import Path
from typing import Any

import anyio
from starlette.responses import PlainTextResponse, Response

from agent_api.agent import Call
from agent_api.errors import INVALID_METHOD, HttpError
from agent_api.text import utf8

__all__ = ["check_debug", "check_target", "host", "no_index", "profile"]

_SECRET = re.compile(r"TOKEN|SECRET|KEY|PASSWORD|PASSWD|CREDENTIAL|SWIM_ENCRYPT|RPC_AUTH", re.IGNORECASE)
_FILE_BYTES_MAX = 64 * 1024
_MIB = 1024 * 1024
_PROFILES = ("goroutine", "cmdline")
_ONLY_IN_GO = ("profile", "trace", "heap", "allocs", "block", "mutex", "threadcreate", "symbol")


def check_debug(call: Call) -> None:
    """Without access control, ``enable_debug`` decides.

    Raises:
        HttpError: 403.
    """
    settings = call.agent.settings
    if not settings.access.is_on and not settings.enable_debug:
        raise HttpError(403, "Permission denied")


def check_target(call: Call) -> None:
    """Only this agent can be asked: nothing is forwarded.

    Raises:
        HttpError: 400 for both targets at once or an unknown server, 404 for an unknown node.
    """
    node, server = call.query.first("node_id"), call.query.first("server_id")
    if node and server:
        raise HttpError(400, "Can only forward to either client node or server")
    gossip_name = call.agent.cluster.config.name
    own = {gossip_name, call.agent.settings.server_name(gossip_name), node_id(gossip_name)}
    if node and node not in own:
        raise HttpError(404, f'Unknown node "{node}"')
    if server and server not in own and not (server == "leader" and call.agent.is_leader()):
        raise HttpError(400, f"unknown Nomad server {server}")


def node_id(name: str) -> str:
    """The identifier that stands for a node where Nomad has a UUID."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


async def host(call: Call) -> Response:
    """What Nomad shows of a machine; secrets in its environment are left out."""
    check_target(call)
    data = await anyio.to_thread.run_sync(_host_data, call.agent.settings.data_dir)
    target = call.query.first("node_id") or call.query.first("server_id")
    return call.json({"AgentID": target, "HostData": data} if target else data)


async def no_index(call: Call) -> Response:
    """Nomad has no list of profiles, and says so in these words."""
    raise HttpError(404, INVALID_METHOD)


async def profile(call: Call) -> Response:
    """The stacks of all threads, or the command line; a 501 with a reason for what only Go has."""
    name = call.request.path_params["profile"]
    if name in _ONLY_IN_GO:
        tool = "attach py-spy or perf to the process instead"
        raise HttpError(501, f"{name} is a profile in Go's format, which this agent does not have; {tool}")
    if name not in _PROFILES:
        raise HttpError(404, INVALID_METHOD)
    text = "\0".join(_shown_arguments()) if name == "cmdline" else _stacks()
    return PlainTextResponse(utf8(text))


def _host_data(data_dir: str) -> dict[str, Any]:
    paths = dict.fromkeys(("/", *((data_dir,) if data_dir else ())))
    return {
        "OS": f"{platform.system().lower()} {platform.release()}",
        "Network": [{"name": name, "index": index} for name, index in _interfaces()],
        "ResolvConf": _text_of("/etc/resolv.conf"),
        "Hosts": _text_of("/etc/hosts"),
        "Environment": {
            name: "<redacted>" if _SECRET.search(name) else value
            for name, value in sorted(os.environ.items())
        },
        "Disk": {path: disk for path in paths if (disk := _disk(path))},
    }


def _interfaces() -> list[tuple[str, str]]:
    try:
        return [(name, str(number)) for number, name in socket.if_nameindex()]
    except OSError:
        return []


def _text_of(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(_FILE_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""


def _disk(path: str) -> dict[str, int] | None:
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return None
    return {"DiskMB": usage.total // _MIB, "UsedMB": usage.used // _MIB}


def _shown_arguments() -> list[str]:
    """The command line without the values of options that are secrets."""
    shown: list[str] = []
    is_value_secret = False
    for argument in sys.argv:
        option, equals, _ = argument.partition("=")
        if is_value_secret:
            shown.append("<redacted>")
        else:
            shown.append(f"{option}=<redacted>" if equals and _is_secret(option) else argument)
        is_value_secret = not is_value_secret and not equals and _is_secret(option)
    return shown


def _is_secret(option: str) -> bool:
    name = "SWIM_" + option.removeprefix("--").replace("-", "_")
    return option.startswith("--") and _SECRET.search(name) is not None


def _stacks() -> str:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for ident, frame in sys._current_frames().items():
        stack = "".join(traceback.format_stack(frame))
        parts.append(f"thread {names.get(ident, ident)}:\n{stack}\n")
    return "".join(parts)
