"""The settings of ``swim agent`` as one table, and as options of a click command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import click

from swim.cli.agent.readiness import STATES
from swim.cli.common import duration
from swim.cli.logs import LEVELS

__all__ = [
    "EXCLUSIVE",
    "OF_MEMBERS",
    "OPTIONS",
    "RELOADED",
    "SECRETS",
    "SERVERS",
    "TLS",
    "VIEWS",
    "Option",
    "options",
]

VIEWS = ("views_ca_file", "views_cert_file", "views_key_file", "views_tls_name")
"""The settings of HTTPS to agents whose views are asked for."""
OF_MEMBERS = (
    "bind", "advertise", "interface", "join", "retry_join", "discover", "tag", "encrypt", "key_file",
    "snapshot", "keyring_file", "tags_file", "rpc", "event_handler", "no_http", "http_tag", "views_token",
    *VIEWS,
)  # fmt: skip
"""Settings that a client cannot have."""
EXCLUSIVE = (("encrypt", "key_file"), ("http", "no_http"), ("rpc", "no_rpc"))
"""Pairs of which only one may be set."""
SECRETS = ("encrypt", "keys", "rpc_auth", "acl", "views_token")
"""Settings whose values are never shown."""
SERVERS = ("servers", "servers_ca_file", "servers_cert_file", "servers_key_file", "servers_tls_name")
"""The settings of a client's servers."""
TLS = ("tls_cert_file", "tls_key_file", "tls_ca_file", "tls_verify_https_client")
"""The settings of HTTPS, which an agent serves with any of them."""
RELOADED = {"tag", "log_level", "event_handler", "acl_file", "acl", *TLS}
"""The settings that SIGHUP reloads, beside ``[gossip.tags]``."""


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: the flag ``--retry-join``, the variable ``SWIM_RETRY_JOIN``, the file's ``retry_join``."""

    name: str
    kind: Literal["text", "number", "duration", "switch", "list", "lines"]
    help: str
    metavar: str = "TEXT"
    choices: tuple[str, ...] = ()

    @property
    def is_list(self) -> bool:
        """Whether it can be repeated; ``lines`` are lists with one value per line in the variable."""
        return self.kind in ("list", "lines")

    @property
    def flag(self) -> str:
        """The long option."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return "SWIM_" + self.name.upper()


OPTIONS = (
    Option("name", "text", "Name in the cluster [the host's name].", "NAME"),
    Option(
        "bind",
        "text",
        "Gossip address; 0.0.0.0 binds all, port 0 a free one, FIRST-LAST the first free [127.0.0.1:4648].",
        "HOST[:PORT]",
    ),
    Option(
        "advertise",
        "text",
        "Address sent to other members [the bound one, or the best of all].",
        "HOST[:PORT]",
    ),
    Option(
        "interface",
        "text",
        "Bind to this interface's address, or check that the bind address is one of them.",
        "NAME",
    ),
    Option("http", "text", "HTTP API address [127.0.0.1:4646].", "HOST[:PORT]|unix:///PATH"),
    Option(
        "http_host",
        "list",
        "Host name with a dot that HTTP clients may use; * allows any; repeatable.",
        "NAME",
    ),
    Option(
        "http_socket_mode", "text", "Permissions of a --http unix:///PATH socket, in octal [0600].", "MODE"
    ),
    Option("tls_cert_file", "text", "Serve HTTPS with this certificate and its chain, in PEM.", "FILE"),
    Option("tls_key_file", "text", "Private key of --tls-cert-file, in PEM, without a passphrase.", "FILE"),
    Option("tls_ca_file", "text", "Roots for --tls-verify-https-client, in PEM.", "FILE"),
    Option("tls_verify_https_client", "switch", "Serve only clients with a certificate of --tls-ca-file."),
    Option("http_tag", "switch", "Advertise the --http address in the tag http: other agents ask there."),
    Option(
        "views_token",
        "text",
        "Token sent to agents whose views are asked for. Seen in ps: set SWIM_VIEWS_TOKEN or use the file.",
        "SECRET",
    ),
    Option("views_ca_file", "text", "Roots of certificates of agents asked by HTTPS [the system's].", "FILE"),
    Option("views_cert_file", "text", "Certificate for those that verify their clients, in PEM.", "FILE"),
    Option("views_key_file", "text", "Private key of --views-cert-file, in PEM.", "FILE"),
    Option("views_tls_name", "text", "Name in the certificates of these agents [their addresses].", "NAME"),
    Option("client", "switch", "Be no member: answer questions about members from --servers."),
    Option(
        "servers",
        "list",
        "With --client: HTTP address of a server [port 4646]; repeatable. A list set over HTTP wins.",
        "HOST[:PORT]",
    ),
    Option("servers_ca_file", "text", "Reach the servers by HTTPS: roots of their certificates.", "FILE"),
    Option("servers_cert_file", "text", "Certificate for servers that verify their clients, in PEM.", "FILE"),
    Option("servers_key_file", "text", "Private key of --servers-cert-file, in PEM.", "FILE"),
    Option("servers_tls_name", "text", "Name in the servers' certificates [their addresses].", "NAME"),
    Option("no_http", "switch", "Do not serve the HTTP API."),
    Option(
        "rpc",
        "text",
        "Address for the serf command and Serf's client libraries [127.0.0.1:7373, if that is free].",
        "HOST[:PORT]",
    ),
    Option("no_rpc", "switch", "Do not serve Serf's RPC."),
    Option(
        "rpc_auth",
        "text",
        "Key that Serf's clients must send. Other users can see it in ps: set SWIM_RPC_AUTH or use the file.",
        "KEY",
    ),
    Option("join", "list", "Join this address once, at start; repeatable.", "HOST[:PORT]"),
    Option("retry_join", "list", "Keep trying to join this address; repeatable.", "HOST[:PORT]"),
    Option(
        "join_required",
        "switch",
        "Exit with code 1 if no --join address answers, as Serf does.",
    ),
    Option(
        "retry_interval",
        "duration",
        "Mean time between the first attempts at --retry-join addresses, at least 1s [2s].",
        "DURATION",
    ),
    Option(
        "retry_max_attempts",
        "number",
        "Exit with code 1 once each --retry-join address failed that often after the first time [0: never].",
        "N",
    ),
    Option(
        "discover",
        "text",
        "Find members that discover the same name by mDNS, and join them; needs the package zeroconf.",
        "NAME",
    ),
    Option("mdns_interface", "text", "The only interface for --discover.", "NAME"),
    Option("mdns_disable_ipv4", "switch", "No IPv4 for --discover."),
    Option("mdns_disable_ipv6", "switch", "No IPv6 for --discover."),
    Option("replay_on_join", "switch", "Also take user events that were sent before the first join."),
    Option("tag", "lines", "Set a tag; repeatable; in SWIM_TAG, one per line.", "KEY=VALUE"),
    Option(
        "profile",
        "text",
        "memberlist's timers for this kind of network [lan].",
        choices=("lan", "wan", "local"),
    ),
    Option(
        "encrypt",
        "text",
        "Gossip key: 16, 24 or 32 bytes in base64. Other users can see it in ps: use --key-file instead.",
        "KEY",
    ),
    Option("key_file", "text", "Read gossip keys from a file; the first one encrypts.", "FILE"),
    Option("label", "text", "Only talk to nodes with the same label.", "LABEL"),
    Option("region", "text", "Region shown over HTTP and set as a tag.", "REGION"),
    Option("datacenter", "text", "Data centre shown over HTTP and set as a tag.", "DATACENTER"),
    Option(
        "rpc_port",
        "number",
        "Nomad RPC port to announce; sets the tags port and rpc_addr.",
        "PORT",
    ),
    Option("name_with_region", "switch", "Use the name NAME.REGION, as Nomad's servers do."),
    Option("data_dir", "text", "Directory for state kept across restarts.", "DIR"),
    Option("snapshot", "text", "Snapshot in Serf's format, in place of the data directory's.", "FILE"),
    Option(
        "rejoin_after_leave",
        "switch",
        "A restart joins the members of the snapshot even after a leave.",
    ),
    Option(
        "keyring_file", "text", "Keep gossip keys in a file of Serf's format; wins over --key-file.", "FILE"
    ),
    Option("tags_file", "text", "Keep tags in a file of Serf's format; excludes --tag.", "FILE"),
    Option("no_leave_on_terminate", "switch", "Stop at once on SIGTERM, without a leave; exit code 1."),
    Option("skip_leave_on_interrupt", "switch", "Stop at once on SIGINT, without a leave; exit code 1."),
    Option(
        "ready_at",
        "text",
        "Report to systemd as ready once the agent is listening, joined or converged [listening].",
        choices=STATES,
    ),
    Option("log_level", "text", "Minimum log level [info].", choices=LEVELS),
    Option("log_format", "text", "Log format on stderr [text].", choices=("text", "json", "serf")),
    Option("syslog", "switch", "Also log to the local syslog."),
    Option("syslog_facility", "text", "Facility of syslog [LOCAL0].", "FACILITY"),
    Option(
        "delegate_version",
        "number",
        "Serf protocol version; 0 speaks plain memberlist [5].",
        choices=tuple("02345"),
    ),
    Option(
        "bootstrap_expect",
        "number",
        "Servers expected; without a majority of them, no leader is named [0].",
        "N",
    ),
    Option(
        "event_handler",
        "lines",
        "Run a shell command for events: COMMAND, or TYPE[,TYPE...]=COMMAND, as in Serf; repeatable.",
        "SPEC",
    ),
    Option(
        "event_handler_timeout",
        "duration",
        "Kill an event handler that takes longer; 0 is no limit [300s].",
        "DURATION",
    ),
    Option(
        "disable_remote_exec",
        "switch",
        "Run no event handler for user events and queries, which any member can send.",
    ),
    Option("acl_file", "text", "Let HTTP clients do only what the tokens in this file allow.", "FILE"),
    Option(
        "acl_join",
        "text",
        "Without a token for it, PUT /v1/agent/join is allowed, warned of or refused [warn].",
        choices=("allow", "warn", "enforce"),
    ),
    Option("enable_debug", "switch", "Serve /v1/agent/host and pprof to clients without a token too."),
    Option("prometheus_metrics", "switch", "Serve /v1/metrics?format=prometheus."),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds every entry of ``OPTIONS``, ``--config`` and ``--serf-config`` to a click command."""
    command = click.option(
        "--serf-config",
        multiple=True,
        type=click.Path(),
        metavar="FILE",
        envvar="SWIM_SERF_CONFIG",
        help="Serf's JSON configuration, or a directory of it; repeatable; --config overrides it.",
    )(command)
    command = click.option("--config", metavar="FILE", envvar="SWIM_CONFIG", help="TOML file of settings.")(
        command
    )
    for option in reversed(OPTIONS):
        extra: dict[str, Any] = {"help": option.help, "envvar": option.variable}
        if option.kind == "switch":
            extra |= {"is_flag": True, "default": None}
        else:
            extra |= {
                "multiple": option.is_list,
                "metavar": None if option.choices else option.metavar,
            }
            extra["type"] = click.Choice(option.choices) if option.choices else _FLAG_TYPES[option.kind]
        command = click.option(option.flag, **extra)(command)
    return command


class _Lines(click.types.StringParamType):
    """Text; a variable holds one value per line, since values may contain spaces."""

    name = "text"
    envvar_list_splitter = "\n"

    def split_envvar_value(self, rv: str) -> list[str]:
        """The lines that are not empty."""
        return [line for line in super().split_envvar_value(rv) if line.strip()]


_FLAG_TYPES: dict[str, Any] = {
    "text": str,
    "list": str,
    "lines": _Lines(),
    "number": int,
    "duration": duration,
}
