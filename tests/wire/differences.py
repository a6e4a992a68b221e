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

DELIBERATE: dict[str, str] = {
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
