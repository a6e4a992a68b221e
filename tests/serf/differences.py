"""Where we deliberately do otherwise than the Serf release that made a vector, by the vector's name."""

from __future__ import annotations

_OLD_DECODER = "read like Serf 0.10 does; 0.9.4 refuses it"
_UNSIGNED = "read, never written: we write the older, unsigned form, which every version reads"

DELIBERATE: dict[str, str] = {
    # reading
    "decoder_leniency/join Node bin@0.9.4": _OLD_DECODER,
    "decoder_leniency/join bin keys@0.9.4": _OLD_DECODER,
    "decoder_leniency/tags bin@0.9.4": _OLD_DECODER,
    "decoder_leniency/filter node bin@0.9.4": _OLD_DECODER,
    "decoder_leniency/filter tag bin@0.9.4": _OLD_DECODER,
    "decoder_leniency/relay ip str": "an address has 4 or 16 bytes; Serf keeps anything and fails on sending",
    "decoder_leniency/member Status str": "of a conflict response only the address is looked at",
    "decoder_leniency/filter empty blob": "matches no node and is not passed on; it crashes any Serf process",
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
    "snapshot/crlf": "a line with an address that is none is left out; Serf keeps it and cannot dial it",
}
