"""The gossip keys of a whole cluster: commands that change and list them, and what the members answered.

Keys are shown as fingerprints only, in every repr too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple

from swim import checks
from swim.frozen import FrozenMap
from swim.values import dataclass

__all__ = [
    "InstallKey",
    "KeyCommand",
    "KeyStatus",
    "KeyringResult",
    "ListKeys",
    "RemoveKey",
    "UseKey",
    "fingerprint",
]


def fingerprint(key: bytes) -> str:
    """Twelve hex digits that identify ``key`` without revealing it; keys are shown in no other form."""
    from hashlib import sha256  # few programs show keys

    return sha256(key).hexdigest()[:12]


class _OneKey:
    __slots__ = ()

    key: bytes

    def __post_init__(self) -> None:
        checks.key("key", self.key)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {fingerprint(self.key)}>"


@dataclass(frozen=True, slots=True, repr=False)
class InstallKey(_OneKey):
    """Adds a key to the keyring of every member, which then accepts it; finishes with a ``KeyringResult``.

    Attributes:
        key: 16, 24 or 32 bytes. A member that has it already reports success.

    Raises:
        ConfigError: naming ``key``.
    """

    key: bytes


@dataclass(frozen=True, slots=True, repr=False)
class UseKey(_OneKey):
    """Makes every member encrypt with a key that all have; finishes with a ``KeyringResult``.

    A member without the key reports an error, and cannot read the others any more: install it first.

    Attributes:
        key: 16, 24 or 32 bytes.

    Raises:
        ConfigError: naming ``key``.
    """

    key: bytes


@dataclass(frozen=True, slots=True, repr=False)
class RemoveKey(_OneKey):
    """Removes a key from the keyring of every member; finishes with a ``KeyringResult``.

    A member that encrypts with it keeps it and reports an error; one that does not have it reports success.

    Attributes:
        key: 16, 24 or 32 bytes.

    Raises:
        ConfigError: naming ``key``.
    """

    key: bytes


@dataclass(frozen=True, slots=True)
class ListKeys:
    """Asks every member for its keys; finishes with a ``KeyringResult``."""


KeyCommand = InstallKey | UseKey | RemoveKey | ListKeys


class KeyStatus(NamedTuple):
    """The keyring of one node.

    Attributes:
        keys: fingerprints of its gossip keys, the one that encrypts first; () without encryption.
        decrypt_failures: how often packets and streams could not be decrypted, by the address they came from:
            the latest 64 addresses, the most frequent one first.
    """

    keys: tuple[str, ...] = ()
    decrypt_failures: Mapping[str, int] = FrozenMap()


@dataclass(frozen=True, slots=True, repr=False)
class KeyringResult:
    """What the members answered to a key command.

    Attributes:
        members: how many were asked: all that were alive, this node included.
        responses: how many answered.
        errors: why members could not do it, by name.
        messages: what members remarked although they did it, by name.
        missing: names of the members that were asked and did not answer in time.
        keyrings: each member's keys by its name, the one it encrypts with first; of ``ListKeys`` only.
    """

    members: int
    responses: int
    errors: Mapping[str, str] = field(default_factory=FrozenMap)
    messages: Mapping[str, str] = field(default_factory=FrozenMap)
    missing: tuple[str, ...] = ()
    keyrings: Mapping[str, tuple[bytes, ...]] = field(default_factory=FrozenMap)

    @property
    def keys(self) -> dict[bytes, int]:
        """How many members have each key."""
        return dict(Counter(key for keys in self.keyrings.values() for key in keys))

    @property
    def primary(self) -> dict[bytes, int]:
        """How many members encrypt with each key."""
        return dict(Counter(keys[0] for keys in self.keyrings.values() if keys))

    @property
    def problem(self) -> str:
        """What went wrong, in Serf's words; "" if every member did it."""
        if self.errors:
            return f"{len(self.errors)}/{self.members} nodes reported failure"
        if self.responses != self.members:
            return f"{self.responses}/{self.members} nodes reported success"
        return ""

    @property
    def reason(self) -> str:
        """The first reason behind ``problem``, with the member's name; "" if every member did it."""
        for name, text in self.errors.items():
            return f"{name}: {text}"
        return f"no answer from {', '.join(self.missing)}" if self.missing else ""

    def __repr__(self) -> str:
        rings = {name: tuple(map(fingerprint, keys)) for name, keys in self.keyrings.items()}
        return (
            f"<KeyringResult {self.responses}/{self.members} errors={dict(self.errors)} "
            f"messages={dict(self.messages)} missing={self.missing} keyrings={rings}>"
        )
