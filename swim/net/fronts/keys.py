"""The key commands of a cluster, for the fronts on which they are awaited."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import cast

from swim.commands import Command, Outcome
from swim.keyrings import InstallKey, KeyringResult, ListKeys, RemoveKey, UseKey

__all__ = ["AwaitedKeys"]


class AwaitedKeys(ABC):
    """Changes and lists the gossip keys of all members."""

    @abstractmethod
    async def _outcome(self, command: Command) -> Outcome:
        """Waits for what a command comes to."""

    async def install_key(self, key: bytes) -> KeyringResult:
        """Adds a gossip key to the keyring of every member, which then accepts it; this node included.

        The key commands return once every member that is alive has answered, at the latest at the default
        deadline of a query. What members reported is in the result: look at its ``problem``.

        Args:
            key: 16, 24 or 32 bytes.

        Raises:
            ConfigError: naming ``key``.
            LocalError: in a plain memberlist pool, after a leave, or while unencrypted packets are sent or
                accepted.
        """
        return cast(KeyringResult, await self._outcome(InstallKey(key)))

    async def use_key(self, key: bytes) -> KeyringResult:
        """Makes every member encrypt with a key that all have installed; otherwise as ``install_key``."""
        return cast(KeyringResult, await self._outcome(UseKey(key)))

    async def remove_key(self, key: bytes) -> KeyringResult:
        """Removes a key from the keyring of every member, unless that encrypts with it.

        Otherwise as ``install_key``.
        """
        return cast(KeyringResult, await self._outcome(RemoveKey(key)))

    async def list_keys(self) -> KeyringResult:
        """The keys of every member; raises as ``install_key``."""
        return cast(KeyringResult, await self._outcome(ListKeys()))
