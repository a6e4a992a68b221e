"""The files that a node keeps across restarts: where they are, and what a driver needs of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Protocol

from swim.config import Config
from swim.core.output import SaveKeys
from swim.errors import ConfigError, ConfigTypeError
from swim.text import shown
from swim.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from swim.net.keyring_file import KeyringFile
    from swim.net.pump import Pump
    from swim.net.snapshot_file import SnapshotFile
    from swim.net.tags_file import TagsFile

__all__ = ["NO_FILES", "TAGS_EXCLUDED", "Files", "KeptFile", "Open"]

_Name = str | os.PathLike[str] | None
_SNAPSHOT = "members.snapshot"
_KEYRING = "keyring.json"
TAGS_EXCLUDED = "Tags config not allowed while using tag files"
"""Serf's words."""


class KeptFile(Protocol):
    """A file that a driver writes while the node runs.

    Attributes:
        changed: called when there is something to write.
    """

    changed: Callable[[], None]

    @property
    def pause(self) -> float | None:
        """Seconds until the next write; None: until ``changed`` is called."""
        ...

    def next_save(self) -> Callable[[], None]:
        """Takes what to write; the function returned writes it, in another thread, one at a time."""
        ...

    def saved(self) -> None:
        """A write has ended; called in the node's thread."""
        ...

    def finish(self) -> None:
        """Writes what has to be there at the end of the run. This waits for the disk."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """Where a node's files are; None for one that it does not keep.

    Attributes:
        data_dir: a directory for the snapshot, unless ``snapshot_file`` names one.
        snapshot_file: members, clocks and incarnation of the last run, in Serf's format.
        tags_file: tags set at run time, in Serf's format.
        keyring_file: gossip keys, in Serf's format. In ``data_dir``, unless named here, from the first change
            of the keyring on.

    Raises:
        ConfigError: naming the one that is no path.
    """

    data_dir: _Name = None
    snapshot_file: _Name = None
    tags_file: _Name = None
    keyring_file: _Name = None

    def __post_init__(self) -> None:
        for field in fields(self):
            path = getattr(self, field.name)
            if path is not None and not isinstance(path, (str, os.PathLike)):
                raise ConfigTypeError(field.name, f"must be a path, not {type(path).__name__}")
            if path is not None and not os.fspath(path):
                raise ConfigError(field.name, "must not be empty")

    def kept_tags(self, configured: Mapping[str, str]) -> Mapping[str, str]:
        """The tags in the tags file now; without one those ``configured``.

        Raises:
            ConfigError: naming ``tags_file``.
        """
        if self.tags_file is None:
            return configured
        from pathlib import Path

        from swim.net.tags_file import TagsFile

        return TagsFile(Path(self.tags_file)).tags

    @contextmanager
    def opened(self, config: Config) -> Iterator[Open]:
        """Reads the files, and locks the snapshot's place for the length of a block.

        Raises:
            ConfigError: naming the setting whose file cannot be used, or is used by another agent.
        """
        if self == NO_FILES:
            yield Open(config)
            return
        from pathlib import Path  # few nodes need these, and they take milliseconds

        from swim.net.data_dir import locked
        from swim.net.snapshot_file import SnapshotFile

        snapshot = tags = None
        with ExitStack() as stack:
            if self.data_dir is not None:
                directory = Path(self.data_dir)
                stack.enter_context(locked(directory, config.name))
                if self.snapshot_file is None:
                    snapshot = SnapshotFile(directory / _SNAPSHOT)
            if self.snapshot_file is not None:
                path = Path(self.snapshot_file)
                lock = Path(f"{path}.lock")
                stack.enter_context(locked(path, config.name, field="snapshot_file", lock=lock))
                snapshot = SnapshotFile(path, field="snapshot_file")
            if self.tags_file is not None:
                config, tags = _with_tags(config, Path(self.tags_file))
            config, keyring = self._with_keys(config)
            yield Open(config, snapshot, tags, keyring)

    def _with_keys(self, config: Config) -> tuple[Config, KeyringFile | None]:
        """The settings with the keys of the keyring file, which count more than those configured."""
        from pathlib import Path

        from swim.net.keyring_file import KeyringFile

        if self.keyring_file is not None:
            path = Path(self.keyring_file)
            file = KeyringFile(path)
            if not file.keys and not config.keys:
                raise ConfigError("keyring_file", f"{shown(path)}: No such file or directory")
            if not file.keys:
                file.put(SaveKeys(0, config.keys))
        elif self.data_dir is not None:
            file = KeyringFile(Path(self.data_dir) / _KEYRING, field="data_dir")
        else:
            return config, None
        file.check(config.keys)
        return config.with_changes(keys=file.keys) if file.keys else config, file


NO_FILES = Files()


@dataclass(frozen=True, slots=True)
class Open:
    """The files of a node that runs.

    Attributes:
        config: the settings, with the tags of the tags file and the keys of the keyring file.
        snapshot: None without one.
        tags: None without one.
        keyring: None without one.
    """

    config: Config
    snapshot: SnapshotFile | None = None
    tags: TagsFile | None = None
    keyring: KeyringFile | None = None

    @property
    def past(self) -> str:
        """The snapshot's text at the start; "" without one."""
        return "" if self.snapshot is None else self.snapshot.text

    def attach(self, driver: Pump) -> list[KeptFile]:
        """Has a driver hand over what belongs into the files; returns those that have to be written."""
        if self.snapshot is not None:
            self.snapshot.whole = driver.node.snapshot
            driver.record = self.snapshot.append
        if self.tags is not None:
            driver.tagged = self.tags.put
        if self.keyring is not None:
            driver.save_keys = self.keyring.put
            self.keyring.report = lambda number, error: driver.call(driver.node.keys_saved, number, error)
        return [file for file in (self.snapshot, self.tags, self.keyring) if file is not None]


def _with_tags(config: Config, path: Path) -> tuple[Config, TagsFile]:
    from swim.net.tags_file import TagsFile
    from swim.serf.tags import encode_tags

    if config.tags:
        raise ConfigError("tags_file", TAGS_EXCLUDED)
    file = TagsFile(path)
    try:
        encode_tags(file.tags, delegate_version=config.delegate_version)
    except ConfigError as error:
        raise ConfigError("tags_file", f"{path}: the tags {error.reason}") from None
    return config.with_changes(tags=file.tags), file
