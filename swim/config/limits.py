"""Which values and combinations of settings are possible."""

from __future__ import annotations

from typing import Any

from swim import checks
from swim.errors import ConfigError

__all__ = ["USER_EVENT_BYTES_MAX", "check"]

USER_EVENT_BYTES_MAX = 9216
"""Serf's ceiling of ``user_event_size_limit``."""
_DELEGATE_VERSIONS = (0, 2, 3, 4, 5)


def check(config: Any) -> None:
    """Refuses what no node can run with.

    Args:
        config: a ``swim.Config``, whose module imports this one.

    Raises:
        ConfigError: naming the field.
    """
    _check_ranges(config)
    _check_combinations(config)


def _check_ranges(config: Any) -> None:
    checks.whole_number("user_event_size_limit", config.user_event_size_limit, at_most=USER_EVENT_BYTES_MAX)
    if not 1 <= config.protocol_version <= 5:
        raise ConfigError("protocol_version", f"must be 1 to 5, not {config.protocol_version!r}")
    if config.delegate_version not in _DELEGATE_VERSIONS:
        raise ConfigError(
            "delegate_version", f"must be one of {_DELEGATE_VERSIONS}, not {config.delegate_version!r}"
        )


def _check_combinations(config: Any) -> None:
    if config.probe_interval and config.probe_timeout > config.probe_interval:
        raise ConfigError(
            "probe_timeout",
            f"{config.probe_timeout:g} s is longer than probe_interval ({config.probe_interval:g} s)",
        )
    if config.measured_timeouts and config.probe_timeout_min > config.probe_timeout:
        raise ConfigError(
            "probe_timeout_min",
            f"{config.probe_timeout_min:g} s is longer than probe_timeout ({config.probe_timeout:g} s)",
        )
    if not config.send_label and not config.accept_unlabelled:
        raise ConfigError("send_label", "can be off only while accept_unlabelled is on")
    if config.udp_buffer_size > config.max_packet_bytes:
        raise ConfigError("udp_buffer_size", f"is larger than max_packet_bytes ({config.max_packet_bytes})")
    if config.max_new_members_per_packet > config.max_members:
        raise ConfigError("max_new_members_per_packet", f"is larger than max_members ({config.max_members})")
    if config.keys and config.protocol_version < 2 and not config.accept_encryption_v0:
        raise ConfigError(
            "accept_encryption_v0", "must be on for protocol_version 1 with keys, which writes that form"
        )
