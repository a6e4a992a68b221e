"""From the settings of ``swim agent`` to a checked ``Config`` and what surrounds it. Starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from ssl import SSLContext
from typing import Any, NamedTuple

from agent_api import AgentSettings
from agent_api.access.control import AccessControl
from agent_api.access.rules import AccessRules
from agent_api.own.peers import HTTP_TAG
from swim.addresses import (
    join_bind,
    join_host_port,
    parse_address,
    plain_ip,
    split_bind,
    split_host_port,
)
from swim.cli.agent.discovery import DiscoverySettings
from swim.cli.agent.http import HTTP_PORT, client_tls, http_settings, http_tag
from swim.cli.agent.options import OF_MEMBERS, OPTIONS, SERVERS, VIEWS
from swim.cli.agent.readiness import State
from swim.cli.agent.settings import Settings
from swim.cli.agent.tokens import read_rules
from swim.cli.keys import decode_key, is_key, read_keys, read_text_file
from swim.cli.logs import LogFormat
from swim.cli.syslog import FACILITIES
from swim.config import Config, default_name
from swim.config.profiles import PROFILES
from swim.errors import ConfigError
from swim.handlers.script import TIMEOUT
from swim.handlers.spec import EventHandler
from swim.ipc import IpcSettings
from swim.net.files import TAGS_EXCLUDED, Files
from swim.net.interfaces import interfaces
from swim.serf.tags import encode_tags
from swim.version import __version__

__all__ = ["AgentPlan", "plan_of", "with_origin"]

_GOSSIP_PORT = 4648
_RPC_PORT = 4647
_SERF_RPC_PORT = 7373
_OPTION_OF_FIELD = {
    "seeds": "retry_join", "tags": "tag", "keys": "encrypt", "http_hosts": "http_host",
    "snapshot_file": "snapshot", "rejoin_interval_alone": "retry_interval",
}  # fmt: skip
_RETRY_SECONDS_MIN = 1.0
_BUILD_TAG = {"build": __version__}
"""Not with Serf's configuration: a member that replaces one of Serf's has its tags."""


class ClientPlan(NamedTuple):
    """What an agent that is no member needs.

    Attributes:
        servers: ``HOST:PORT`` of each server, if no list was set over HTTP.
        tls: for HTTPS to them; None for HTTP.
        tls_name: the name in their certificates; "" for their addresses.
    """

    servers: tuple[str, ...]
    tls: SSLContext | None
    tls_name: str


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """Everything ``swim agent`` is going to start.

    Attributes:
        config: the node's settings.
        api: the HTTP API's settings.
        serves_http: False with ``--no-http``.
        rpc: Serf's RPC; None with ``--no-rpc``.
        is_rpc_wanted: whether it was asked for, so that the agent does not start without it.
        join: addresses tried once at the start.
        join_required: whether the agent ends if none of them answers.
        files: those that the node keeps across restarts.
        handlers: event handlers.
        handler_timeout: seconds that one of their runs may take; 0 for no limit.
        ready_at: the state from which the service manager counts the agent as started.
        discover: settings of the discovery by mDNS; None without.
        syslog: facility of the local syslog, which gets the log too; "" for none.
        log_level: least serious record logged.
        log_format: form of the log.
        client: for an agent that is no member; None for a member.
    """

    config: Config
    api: AgentSettings
    serves_http: bool
    rpc: IpcSettings | None
    is_rpc_wanted: bool
    join: tuple[str, ...]
    join_required: bool
    files: Files
    handlers: tuple[EventHandler, ...]
    handler_timeout: float
    ready_at: State
    discover: DiscoverySettings | None
    syslog: str
    log_level: str
    log_format: LogFormat
    client: ClientPlan | None

    def adopt(self, other: AgentPlan) -> None:
        """Takes over what a running agent's HTTP API can change: tokens, and the certificate."""
        self.api.access.rules = other.api.access.rules
        if self.api.tls is not None and other.api.tls is not None:
            self.api.tls.adopt(other.api.tls)


def plan_of(settings: Settings) -> AgentPlan:
    """Checks every setting and works out those that depend on others.

    Raises:
        ConfigError: naming the flag, variable or key of the file whose value is wrong.
    """
    try:
        plan = _plan(settings.values, settings.gossip, {} if settings.serf_config else _BUILD_TAG)
        return replace(plan, api=replace(plan.api, origins=_origins(settings)))
    except ConfigError as error:
        raise with_origin(error, settings) from None


def with_origin(error: ConfigError, settings: Settings) -> ConfigError:
    """The error with the flag, variable or key of the file in place of the field; a default's is its flag."""
    name = _OPTION_OF_FIELD.get(error.field, error.field)
    if name == "encrypt" and "key_file" in settings.values:
        name = "key_file"
    if name not in settings.values and error.field in settings.gossip:
        field = f"gossip.{error.field}"
        return ConfigError(settings.origins.get(field, field), error.reason)
    flags = {option.name: option.flag for option in OPTIONS}
    return ConfigError(settings.origins.get(name) or flags.get(name, name), error.reason)


def _origins(settings: Settings) -> dict[str, str]:
    """Where each field of ``Config`` came from; one that is not in here has its default.

    Files of Serf bring Serf's defaults, too.
    """
    found = {}
    if "profile" in settings.values:
        label = f"{settings.origins['profile']} {settings.values['profile']}"
        found = dict.fromkeys(PROFILES.get(settings.values["profile"], ()), label)
    for field in Config.__dataclass_fields__:
        name = _OPTION_OF_FIELD.get(field, field)
        if field in settings.gossip:
            found[field] = settings.origins.get(f"gossip.{field}", f"[gossip] {field}")
        if name in settings.values:
            found[field] = settings.origins.get(name, "Serf's default")
    return found


def _plan(values: Mapping[str, Any], gossip: Mapping[str, Any], own_tags: Mapping[str, str]) -> AgentPlan:
    region, datacenter = values.get("region", "global"), values.get("datacenter", "dc1")
    server_name = values.get("name") or gossip.get("name") or default_name()
    changes: dict[str, Any] = dict(gossip)
    changes["name"] = f"{server_name}.{region}" if values.get("name_with_region") else server_name
    host, ports = split_bind("bind", values.get("bind") or gossip.get("bind") or "127.0.0.1", _GOSSIP_PORT)
    if "interface" in values:
        host = _address_of(values["interface"], host if "bind" in values or "bind" in gossip else "0.0.0.0")
    changes["bind"] = join_bind(host, ports)
    for name in ("advertise", "label", "delegate_version", "rejoin_after_leave", "replay_on_join"):
        if name in values:
            changes[name] = int(values[name]) if name == "delegate_version" else values[name]
    if "retry_join" in values:
        changes["seeds"] = values["retry_join"]
    if "retry_interval" in values:
        if values["retry_interval"] < _RETRY_SECONDS_MIN:
            raise ConfigError("retry_interval", f"must be at least {_RETRY_SECONDS_MIN:g} s")
        changes["rejoin_interval_alone"] = values["retry_interval"]
    if keys := _keys(values):
        changes["keys"] = keys
    changes["tags"] = _tags(values, changes, own_tags)
    for address in values.get("join", ()):
        parse_address(address, _GOSSIP_PORT, field="join")
    config = _checked(partial(Config.profile, values.get("profile", "lan")), changes)
    encode_tags(config.tags, delegate_version=config.delegate_version)
    files = Files(*map(values.get, ("data_dir", "snapshot", "tags_file", "keyring_file")))
    log_level = values.get("log_level", "info")
    api = AgentSettings(
        **http_settings(values),
        http_hosts=tuple(values.get("http_host", ())),
        region=region,
        datacenter=datacenter,
        node_name=server_name,
        bootstrap_expect=values.get("bootstrap_expect", 0),
        disable_remote_exec=bool(values.get("disable_remote_exec")),
        server_enabled=not values.get("client"),
        rpc_port=values.get("rpc_port", HTTP_PORT if values.get("client") else _RPC_PORT),
        log_level=log_level,
        data_dir=values.get("data_dir", ""),
        leave_on_interrupt=not values.get("skip_leave_on_interrupt"),
        leave_on_terminate=not values.get("no_leave_on_terminate"),
        start_join=tuple(values.get("join", ())),
        retry_join=config.seeds,
        access=AccessControl(_rules(values), join=values.get("acl_join", "warn")),
        enable_debug=bool(values.get("enable_debug")),
        views_token=values.get("views_token", ""),
        views_tls=client_tls(values, VIEWS),
        prometheus_metrics=bool(values.get("prometheus_metrics")),
        retry_interval=config.rejoin_interval_alone,
        retry_max_attempts=values.get("retry_max_attempts", 0),
    )
    return AgentPlan(
        config=config,
        api=api,
        serves_http=not values.get("no_http"),
        rpc=None if values.get("no_rpc") else _rpc(values),
        is_rpc_wanted="rpc" in values,
        join=tuple(values.get("join", ())),
        join_required=bool(values.get("join_required")),
        files=files,
        handlers=tuple(map(EventHandler.parse, values.get("event_handler", ()))),
        handler_timeout=values.get("event_handler_timeout", TIMEOUT),
        ready_at=values.get("ready_at", "listening"),
        discover=_discovery(values) if "discover" in values else None,
        syslog=_syslog_facility(values) if values.get("syslog") else "",
        log_level=log_level,
        log_format=values.get("log_format", "text"),
        client=_client(values),
    )


def _client(values: Mapping[str, Any]) -> ClientPlan | None:
    given = [name for name in SERVERS if values.get(name)]
    if not values.get("client"):
        if given:
            raise ConfigError(given[0], "needs --client")
        return None
    for name in OF_MEMBERS:
        if values.get(name):
            raise ConfigError(name, "is for members, and --client is none")
    if not values.get("servers_ca_file") and len(given) > bool(values.get("servers")):
        raise ConfigError("servers_ca_file", "is needed to reach servers by HTTPS")
    port = values.get("rpc_port", HTTP_PORT)
    servers = [join_host_port(*split_host_port("servers", each, port)) for each in values.get("servers", ())]
    tls = client_tls(values, SERVERS[1:])
    return ClientPlan(tuple(servers), tls.context() if tls.ca_cert else None, tls.server_name)


def _rpc(values: Mapping[str, Any]) -> IpcSettings:
    if values.get("rpc_auth") == "":
        raise ConfigError("rpc_auth", "must not be empty")
    rpc = join_host_port(*split_host_port("rpc", values.get("rpc", "127.0.0.1"), _SERF_RPC_PORT))
    return IpcSettings(rpc=rpc, rpc_auth=values.get("rpc_auth", ""))


def _discovery(values: Mapping[str, Any]) -> DiscoverySettings:
    settings = DiscoverySettings(
        values["discover"],
        interface=values.get("mdns_interface", ""),
        ipv4=not values.get("mdns_disable_ipv4"),
        ipv6=not values.get("mdns_disable_ipv6"),
    )
    settings.check()
    return settings


def _syslog_facility(values: Mapping[str, Any]) -> str:
    facility: str = values.get("syslog_facility", "LOCAL0")
    if facility.upper() not in FACILITIES:
        raise ConfigError("syslog_facility", f"must be one of {', '.join(FACILITIES)}, not {facility!r}")
    return facility


def _rules(values: Mapping[str, Any]) -> AccessRules | None:
    """The tokens of the configuration file and of the file of tokens; None if there is neither."""
    rules: AccessRules | None = values.get("acl")
    if "acl_file" in values:
        rules = (rules or AccessRules()) | read_rules(Path(values["acl_file"]))
    return rules


def _checked(profile: Callable[..., Config], changes: Mapping[str, Any]) -> Config:
    """Builds the configuration; every field that is wrong on its own is named, not just the first."""
    left = dict(changes)
    problems: list[ConfigError] = []
    config: Config | None = None
    while config is None:
        try:
            config = profile(**left)
        except ConfigError as error:
            problems.append(error)
            if error.field == "name" or left.pop(error.field, None) is None:
                break
    if not problems and config is not None:
        return config
    first, *rest = problems
    raise ConfigError(first.field, "; ".join([first.reason, *(str(error) for error in rest)]))


def _address_of(interface: str, bound: str) -> str:
    """The address to bind to: ``bound`` if the interface has it, its first one if ``bound`` is every address.

    Raises:
        ConfigError: naming ``interface``.
    """
    wanted = plain_ip(bound)
    try:
        found = [one.address.ip for one in interfaces() if one.name == interface]
    except OSError as error:
        raise ConfigError("interface", f"cannot list interfaces: {error.strerror}") from None
    if not found:
        raise ConfigError("interface", f"no interface named {interface!r} is up")
    if wanted is None or not wanted.is_unspecified:
        if wanted not in found:
            raise ConfigError("interface", f"{interface} does not have the address {bound}")
        return bound
    for address in found:
        if address.version == wanted.version and not address.is_link_local:
            return str(address)
    raise ConfigError("interface", f"{interface} has no IPv{wanted.version} address")


def _keys(values: Mapping[str, Any]) -> tuple[bytes, ...]:
    try:
        if "encrypt" in values:
            return (decode_key(values["encrypt"]),)
        if "key_file" in values:
            return read_keys(read_text_file(Path(values["key_file"])))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        if "key_file" in values and is_key(values["key_file"]):
            raise ConfigError("encrypt", "needs the name of a file, not the key itself") from None
        where = f"{values['key_file']}: " if "key_file" in values else ""
        raise ConfigError("encrypt", f"{where}{reason}") from None
    return ()


def _tags(
    values: Mapping[str, Any], changes: Mapping[str, Any], own_tags: Mapping[str, str]
) -> dict[str, str]:
    """Our own tags, then the file's ``[gossip.tags]``, then ``--tag``: the last one wins.

    With a tags file there are none but those in it.
    """
    if "tags_file" in values:
        if values.get("tag") or values.get("http_tag") or changes.get("tags"):
            raise ConfigError("tags_file", TAGS_EXCLUDED)
        return {}
    tags = dict(own_tags)
    if "region" in values:
        tags["region"] = values["region"]
    if "datacenter" in values:
        tags["dc"] = values["datacenter"]
    if "rpc_port" in values:
        tags["port"] = str(values["rpc_port"])
        host, _ = split_bind("advertise", changes.get("advertise") or changes["bind"], _GOSSIP_PORT)
        if host not in ("0.0.0.0", "::"):
            tags["rpc_addr"] = host
    if values.get("http_tag"):
        tags[HTTP_TAG] = http_tag(values)
    tags |= changes.get("tags", {})
    for text in values.get("tag", ()):
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ConfigError("tag", f"{text!r} is not KEY=VALUE")
        tags[key] = value
    return tags
