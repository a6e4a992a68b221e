"""Tags in the member's metadata, as Serf packs them."""

from __future__ import annotations

from collections.abc import Mapping

from swim.checks import text_map
from swim.errors import ConfigError, RemoteError
from swim.frozen import FrozenMap
from swim.wire.go_msgpack import pack, text, unpack

__all__ = ["META_MAX_BYTES", "TagCache", "decode_tags", "encode_tags"]

META_MAX_BYTES = 512
_MAGIC = 0xFF
_TAGS_SINCE_PROTOCOL = 3


def encode_tags(tags: Mapping[str, str], *, delegate_version: int) -> bytes:
    """Metadata for a tag set: ``FF`` and a map; for Serf protocol 2 the bare text of tag ``role``.

    Raises:
        ConfigError: naming ``tags``: not all text, or more than 512 bytes; then it names the largest one.
    """
    tags = text_map("tags", tags)
    if delegate_version < _TAGS_SINCE_PROTOCOL:
        meta = tags.get("role", "").encode("utf-8", "surrogateescape")
    else:
        meta = bytes((_MAGIC,)) + pack(dict(sorted(tags.items())))
    if len(meta) > META_MAX_BYTES:
        largest = max(tags, key=lambda name: len(name) + len(tags[name].encode("utf-8", "surrogateescape")))
        raise ConfigError(
            "tags",
            f"take {len(meta)} bytes encoded, the limit is {META_MAX_BYTES}; the largest is {largest!r}",
        )
    return meta


def decode_tags(meta: bytes | None) -> dict[str, str]:
    """The tags in a member's metadata; without the magic byte it is all ``role``, a broken map is empty."""
    if not meta or meta[0] != _MAGIC:
        return {"role": (meta or b"").decode("utf-8", "surrogateescape")}
    try:
        value = unpack(meta[1:])
        if isinstance(value, dict):
            return {text(name): text(tag) for name, tag in value.items()}
    except RemoteError:
        pass
    return {}


class TagCache:
    """Decoded tag sets by their bytes: most members of a cluster share a few."""

    __slots__ = ("_decoded",)

    _SIZE = 4096

    def __init__(self) -> None:
        self._decoded: dict[bytes | None, Mapping[str, str]] = {}

    def get(self, meta: bytes | None) -> Mapping[str, str]:
        """The tags of ``meta``, read-only."""
        tags = self._decoded.get(meta)
        if tags is None:
            if len(self._decoded) >= self._SIZE:
                self._decoded.clear()
            tags = self._decoded[meta] = FrozenMap(decode_tags(meta))
        return tags
