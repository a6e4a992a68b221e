"""Where we deliberately do otherwise than the process that made a vector: what differs, and why."""

from __future__ import annotations

_QUEUED_UNDER_NAME = (
    "queue_names: a refutation takes the node's own name, so that it replaces an older alive of self"
)
_LATE_LEAVE = (
    "broadcasts, events, state: a leave that arrives after the member was declared failed is believed"
)
_NO_VSN = "a claim without version bytes is refused, since it would block push/pulls of the whole cluster"
_LEAVING = "broadcasts, health_score, incarnation, local_incarnation, queue_names: who leaves does not refute"
_OWN_NUMBER = "local_incarnation: the accusation's number is taken over, so that the own leave is no older"
_LEAVING_DEAD = "broadcasts, state: who is leaving and called dead has left, and says so itself"
_ASKED_FIRST = "events: no conflict yet; who answers at the new address under a dead member's name takes it"
_FORMER_LIFE = "events: no conflict until a node answers at the address from which the own name is claimed"
_SAME_HOST = "after_addr, after_incarnation, events: both forms of one IPv4 address are the same host"

DELIBERATE: dict[str, str] = {
    **{
        f"states/{name}": _QUEUED_UNDER_NAME
        for name in (
            *(f"self-alive@5--alive@{incarnation}" for incarnation in (6, 9)),
            *(f"self-alive@5--{kind}@{i}" for kind in ("suspect", "dead", "leave") for i in (5, 6, 9)),
            *(f"self-alive@5--alive@{i}-{what}=different" for i in (5, 6) for what in ("meta", "vsn")),
            "merge-self-alive@5--remote-alive@6",
            *(
                f"merge-self-alive@5--remote-{kind}@{i}"
                for kind in ("suspect", "dead", "left")
                for i in (5, 6)
            ),
        )
    },
    "states/other-dead@5--leave@5": _LATE_LEAVE,
    "states/other-dead@5--leave@6": f"incarnation, {_LATE_LEAVE}",
    "states/merge-other-dead@5--remote-left@5": _LATE_LEAVE,
    "states/merge-other-dead@5--remote-left@6": f"incarnation, {_LATE_LEAVE}",
    "states/other-absent@5--alive@0": "addr, incarnation, meta, state: no record: it would be dead",
    "states/self-alive@5--suspect@4294967295": (
        "broadcasts, health_score, incarnation, local_incarnation, queue_names: incarnations never wrap"
    ),
    "states/other-absent@5--alive@5-vsn=nil": (
        f"addr, broadcasts, events, incarnation, meta, queue_names, state: {_NO_VSN}"
    ),
    "states/other-alive@5--alive@6-vsn=nil": f"broadcasts, incarnation, queue_names: {_NO_VSN}",
    "states/self-alive@5-leaving--suspect@5": _LEAVING,
    "states/self-alive@5-leaving--suspect@6": _LEAVING,
    "states/self-alive@5-leaving--dead@5": _LEAVING_DEAD,
    "states/self-alive@5-leaving--dead@6": f"local_incarnation, {_LEAVING_DEAD}",
    "states/self-alive@5-leaving--leave@6": _OWN_NUMBER,
    **{
        f"states/other-dead@5--alive@{incarnation}-addr=different{since}": _ASKED_FIRST
        for incarnation in (4, 5, 6)
        for since in ("", "-dead_for_s=10-reclaim_s=30")
    },
    **{f"states/self-alive@5--alive@{incarnation}-addr=different": _FORMER_LIFE for incarnation in (4, 5, 6)},
    "states/address-form-4-then-16": _SAME_HOST,
    "states/address-form-16-then-4": _SAME_HOST,
    "probe/gossip-key-true": "datagram_lens: the CRC is counted, so that no packet is above udp_buffer_size",
    "probe/piggyback-count-overflow": "count_byte, datagram_len, messages: never more than 127 parts",
    "probe/gossip-count-split": "count_bytes, messages, packets: never more than 127 parts",
    "formulas/ensure-port-": "out: an address without a host is refused",
    "formulas/ensure-port-:80": "out: an address without a host is refused",
    "formulas/ensure-port-a:b:c": "out: several colons are an IPv6 address or wrong",
    "formulas/ensure-port-[host]:1": "out: only an IPv6 address stands in brackets",
}
"""By ``file/vector``: the observations that differ, comma-separated, then the reason."""


def differing(name: str) -> set[str]:
    """Names of the observations in which we differ from the vector ``name``."""
    return set(DELIBERATE.get(name, "").partition(":")[0].replace(",", " ").split())
