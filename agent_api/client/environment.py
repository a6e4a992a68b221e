"""The environment variables that clients read: Nomad's, and two of our own, which win."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DEFAULT_ADDRESS", "DEFAULT_TIMEOUT", "VARIABLES", "value"]

DEFAULT_ADDRESS = "http://127.0.0.1:4646"
DEFAULT_TIMEOUT = 10.0
"""Seconds."""

VARIABLES: Mapping[str, tuple[str, ...]] = {
    "address": ("SWIM_ADDRESS", "NOMAD_ADDR"),
    "token": ("SWIM_TOKEN", "NOMAD_TOKEN"),
    "region": ("NOMAD_REGION",),
    "ca_cert": ("NOMAD_CACERT",),
    "ca_path": ("NOMAD_CAPATH",),
    "client_cert": ("NOMAD_CLIENT_CERT",),
    "client_key": ("NOMAD_CLIENT_KEY",),
    "tls_server_name": ("NOMAD_TLS_SERVER_NAME",),
    "tls_skip_verify": ("NOMAD_SKIP_VERIFY",),
}
"""By setting: its variables, the first one that is not blank counts."""


def value(setting: str, environ: Mapping[str, str]) -> str:
    """The setting in an environment; "" if it is not there."""
    return next(filter(None, (environ.get(name) for name in VARIABLES[setting])), "")
