"""Where and how ``swim agent`` serves the HTTP API: its address, certificate and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent_api import Tls
from agent_api.client.target import Tls as ClientTls
from agent_api.limits import HttpLimits
from agent_api.own.peers import HTTPS
from swim.addresses import join_host_port, plain_ip, split_host_port
from swim.cli.agent.options import TLS
from swim.errors import ConfigError
from swim.listening import socket_path

__all__ = ["HTTP_PORT", "client_tls", "http_settings", "http_tag"]

_TLS_FIELDS = ("ca_cert", "client_cert", "client_key", "server_name")
HTTP_PORT = 4646
"""The usual port."""


def http_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``AgentSettings`` that say where and how the API is served; reads the certificate.

    Raises:
        ConfigError: naming the setting.
    """
    return {
        "http": _http(values),
        "http_socket_mode": _mode(values.get("http_socket_mode", "0600")),
        "limits": _limits(values.get("limits", {})),
        "tls": _tls(values),
    }


def http_tag(values: Mapping[str, Any]) -> str:
    """The address of the HTTP or HTTPS API for others; without a host, at the address of gossip.

    Raises:
        ConfigError: naming ``http_tag``: others cannot reach it.
    """
    http = _http(values)
    if values.get("no_http") or socket_path("http", http):
        raise ConfigError("http_tag", "needs HTTP on a TCP port")
    host, port = split_host_port("http", http)
    if not port:
        raise ConfigError("http_tag", "needs a fixed port in --http")
    address = plain_ip(host)
    shown = f":{port}" if address is None or address.is_unspecified else http
    return (HTTPS if any(values.get(name) for name in TLS) else "") + shown


def client_tls(values: Mapping[str, Any], names: Sequence[str]) -> ClientTls:
    """How this agent speaks TLS to other agents; its files were read once.

    Args:
        values: the settings.
        names: those of the roots, the certificate, its key, and the name in the others' certificates.

    Raises:
        ConfigError: naming one of ``names``.
    """
    tls = ClientTls(**{field: values.get(name, "") for field, name in zip(_TLS_FIELDS, names, strict=True)})
    if bool(tls.client_cert) != bool(tls.client_key):
        raise ConfigError(names[1], "needs its private key, and the key needs the certificate")
    if any(tls):
        try:
            tls.context()
        except ConfigError as error:
            raise ConfigError(names[_TLS_FIELDS.index(error.field)], error.reason) from None
    return tls


def _http(values: Mapping[str, Any]) -> str:
    http: str = values.get("http", "127.0.0.1")
    return http if socket_path("http", http) else join_host_port(*split_host_port("http", http, HTTP_PORT))


def _mode(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError:
        raise ConfigError("http_socket_mode", f"must be an octal number such as 0660, not {text!r}") from None


def _limits(chosen: Mapping[str, Any]) -> HttpLimits:
    try:
        return HttpLimits(**chosen)
    except ConfigError as error:
        raise ConfigError("limits", f"{error.field}: {error.reason}") from None


def _tls(values: Mapping[str, Any]) -> Tls | None:
    """Reads the certificate; None without any of the settings of TLS."""
    cert, key, roots, verify = (values.get(name) for name in TLS)
    if not (cert or key or roots or verify):
        return None
    return Tls(cert or "", key or "", ca_file=roots or "", verify_https_client=bool(verify))
