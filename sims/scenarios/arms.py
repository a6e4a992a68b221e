"""Which parts of the protocol are on: the arms of the Lifeguard paper's experiments, and our own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sims.errors import UsageError

__all__ = ["ARMS", "PAPER_ARMS", "SHOWN_ARMS", "settings_of"]

_PLAIN: dict[str, Any] = {
    "awareness_stretches_suspicion": False,
    "early_suspicion": False,
    "interleaved_probes": False,
    "restart_grace": 0.0,
    "self_doubt_threshold": 0,
    "verify_second_hand": False,
    "eager_gossip_delay": -1.0,
    "rejoin_interval_alone": 30.0,
    "answer_stale_accusations": False,
}
"""Settings that turn off this engine's additions to memberlist."""

_NO_PROBE: dict[str, Any] = {"awareness_max_multiplier": 1}
_NO_SUSPICION: dict[str, Any] = {"suspicion_max_timeout_mult": 1}
_NO_BUDDY: dict[str, Any] = {"buddy_system": False}

PAPER_ARMS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "swim": _PLAIN | _NO_PROBE | _NO_SUSPICION | _NO_BUDDY,
        "lha-probe": _PLAIN | _NO_SUSPICION | _NO_BUDDY,
        "lha-suspicion": _PLAIN | _NO_PROBE | _NO_BUDDY,
        "buddy": _PLAIN | _NO_PROBE | _NO_SUSPICION,
        "lifeguard": _PLAIN,
    }
)
"""The five arms of Lifeguard's tables: no component, each alone, all three (section V)."""

SHOWN_ARMS: Mapping[str, Mapping[str, Any]] = MappingProxyType({**PAPER_ARMS, "ours": {}})
"""Those, and ``ours``: the defaults of this engine."""

ARMS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        **SHOWN_ARMS,
        "patient": {"interleaved_probes": False, "restart_grace": 0.0},
        "measured": {"measured_timeouts": True},
    }
)
"""Those, ``patient`` (ours with random probe orders and no refusals as evidence) and ``measured`` (ours with
timeouts from measured round trips)."""


def settings_of(arm: str, *, alpha: int | None = None, beta: int | None = None) -> dict[str, Any]:
    """Fields of ``Config`` that make an arm.

    Args:
        arm: one of ``ARMS``.
        alpha: the suspicion's multiplier; None leaves the profile's.
        beta: how many times longer an unconfirmed suspicion lasts, in arms that have this at all.

    Raises:
        UsageError: there is no such arm.
    """
    if arm not in ARMS:
        raise UsageError(f"option arm: {arm!r} is none of {', '.join(ARMS)}")
    made = dict(ARMS[arm])
    if alpha is not None:
        made["suspicion_mult"] = alpha
    if beta is not None:
        made.setdefault("suspicion_max_timeout_mult", beta)
    return made
