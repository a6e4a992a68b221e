"""Where we deliberately do otherwise than the process that made a vector, by the vector's name."""

from __future__ import annotations

_EMPTY_NAME = "bad-alive: an alive message without a name is refused; memberlist stores it"
_SHORT_VSN = (
    "bad-alive: fewer than 6 version bytes crash memberlist up to 0.6 and block push/pulls of the others"
)
_OLD_DECODER = "read like memberlist 0.5.1 and later do; the older one refuses it"
_SIGNED = "read, never written: we write the older, unsigned form, which every version reads"
_V0 = "version: encryption version 0 is refused unless accept_encryption_v0 is set"
_EMPTY = "empty: an authentic but empty plaintext is refused; old peers crash on it"

ON_THE_WIRE: dict[str, str] = {
    # stricter about content
    "messages/alive-no-vsn": _SHORT_VSN,
    "decoder_compat/alive-missing-meta-vsn": _SHORT_VSN,
    "decoder_compat/alive-lowercase-keys": _EMPTY_NAME,
    "decoder_compat/alive-nil-node": _EMPTY_NAME,
    "decoder_compat/alive-nil": _EMPTY_NAME,
    "decoder_compat/alive-empty-map": _EMPTY_NAME,
    "malformed/alive-vsn-4-bytes": _SHORT_VSN,
    "malformed/alive-vsn-2-bytes": _SHORT_VSN,
    "malformed/alive-empty-name": _EMPTY_NAME,
    "malformed/alive-nil-addr": "bad-alive: an address has 4 or 16 bytes; memberlist stores anything",
    "malformed/alive-addr-5-bytes": "bad-alive: an address has 4 or 16 bytes; memberlist stores anything",
    "malformed/alive-meta-600": "bad-alive: the limit of 512 bytes holds for receivers too",
    "malformed/stream-vsn-short-3": "the record is left out, the rest of the push/pull stands",
    "malformed/stream-vsn-nil": "the record is left out, the rest of the push/pull stands",
    # more liberal than the older of the two decoders
    "decoder_compat/alive-bin-node-name@0.2.2": _OLD_DECODER,
    "decoder_compat/alive-bin-keys@0.2.2": _OLD_DECODER,
    # encryption
    **{
        f"encryption/packet-v0-aes{bits}-{rest}": _V0
        for bits in (128, 192, 256)
        for rest in ('len6-aad""', 'len6-aad"dc1.prod"', 'len15-aad""', 'len16-aad""', 'len17-aad""')
    },
    **{
        f'encryption/packet-v{version}-aes{bits}-len0-aad""': _EMPTY
        for version in (0, 1)
        for bits in (128, 192, 256)
    },
    "encryption/err-v1-relabelled-v0": _V0,
    # writing
    **{
        f"messages/user-stream-header-{size}@head": _SIGNED
        for size in (128, 200, 255, 256, 32767, 32768, 65535, 65536, 20971520)
    },
    **{
        f"messages/push-pull-header-{header}@head": _SIGNED
        for header in ("128-128-false", "200-300-false", "40000-70000-true")
    },
    "streams/user-stream-plain@head": _SIGNED,
    "streams/user-stream-label": _SIGNED,
    "streams/user-stream-label-encrypt-compress": _SIGNED,
    "compress/lzw-empty": "empty: a compression layer around nothing is refused; old peers crash on it",
    "compound/compound-empty-part": "never written, since old peers crash on it; skipped when read",
    "compound/compound-zero": "never written; read as no messages",
    "compound/compound-128": "never written, since old peers crash on more than 127 parts; read",
    "compound/compound-255": "never written, since old peers crash on more than 127 parts; read",
}
"""Of memberlist's messages, packets and streams: why."""

_QUEUED_UNDER_NAME = (
    "queue_names: a refutation takes the node's own name, so that it replaces an older alive of self"
)
_LATE_LEAVE = "broadcasts, events, state: a leave that comes after the failure verdict is believed"
_NO_VSN = "a claim without version bytes is refused, since it would block push/pulls of the whole cluster"
_LEAVING = "broadcasts, health_score, incarnation, local_incarnation, queue_names: who leaves does not refute"
_OWN_NUMBER = "local_incarnation: the accusation's number is taken over, so that the own leave is no older"
_LEAVING_DEAD = "broadcasts, state: who is leaving and called dead has left, and says so itself"
_ASKED_FIRST = "events: no conflict yet; who answers at the new address under a dead member's name takes it"
_FORMER_LIFE = "events: no conflict until somebody answers where the own name is claimed from"
_SAME_HOST = "after_addr, after_incarnation, events: both forms of one IPv4 address are the same host"

IN_BEHAVIOUR: dict[str, str] = {
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
"""Of memberlist's behaviour: the observations that differ, comma-separated, then the reason."""

_OLD_SERF_DECODER = "read like Serf 0.10 does; 0.9.4 refuses it"
_UNSIGNED = "read, never written: we write the older, unsigned form, which every version reads"

_NO_ADDRESS = "a line with an address that is none is left out; Serf keeps it and cannot dial it"

OF_SERF: dict[str, str] = {
    # reading
    "decoder_leniency/join Node bin@0.9.4": _OLD_SERF_DECODER,
    "decoder_leniency/join bin keys@0.9.4": _OLD_SERF_DECODER,
    "decoder_leniency/tags bin@0.9.4": _OLD_SERF_DECODER,
    "decoder_leniency/filter node bin@0.9.4": _OLD_SERF_DECODER,
    "decoder_leniency/filter tag bin@0.9.4": _OLD_SERF_DECODER,
    "decoder_leniency/relay ip str": "an address has 4 or 16 bytes; Serf keeps anything and fails on sending",
    "decoder_leniency/member Status str": "of a conflict response only the address is looked at",
    "decoder_leniency/filter empty blob": "lets nobody in and ends here; every Serf process dies of it",
    # writing
    **{
        f"messages/{name}@0.10": _UNSIGNED
        for name in (
            "query_plain",
            "query_filters_ack_relay",
            "query_internal_ping_nobroadcast",
            "query_addr_16byte",
            "relay_query_response",
            "relay_ack_ipv6_zone",
        )
    },
    "messages/relay_ack_ipv6_zone": "the zone of an address means something on its host only: never written",
    "tags/tags_nil_map@0.10": "no tags are written as an empty map, as every agent does",
    # files
    "snapshot/crlf": _NO_ADDRESS,
    "snapshot/crlf+rejoin": _NO_ADDRESS,
}
"""Of Serf's messages and files: why."""


def differing(name: str) -> set[str]:
    """Names of the observations in which we differ from the vector ``name``."""
    return set(IN_BEHAVIOUR.get(name, "").partition(":")[0].replace(",", " ").split())
