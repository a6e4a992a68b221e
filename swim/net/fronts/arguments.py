"""The arguments of ``open_cluster``, checked the same way on every front."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swim import checks
from swim.config import Config
from swim.errors import ConfigError, ConfigTypeError
from swim.net.faults import LinkFaults

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Arguments"]

ISOLATIONS = ("thread", "process")


@dataclass(frozen=True, slots=True)
class Arguments:
    """What to open.

    Raises:
        ConfigError: naming the argument that is wrong.
    """

    config: Config
    faults: LinkFaults | None = None
    data_dir: str | os.PathLike[str] | None = None
    leave_timeout: float = 5.0
    isolation: str = "thread"

    def __post_init__(self) -> None:
        if not isinstance(self.config, Config):
            raise ConfigTypeError("config", f"must be a swim.Config, not {type(self.config).__name__}")
        if self.faults is not None and not isinstance(self.faults, LinkFaults):
            raise ConfigTypeError("faults", f"must be LinkFaults, not {type(self.faults).__name__}")
        if self.data_dir is not None and not isinstance(self.data_dir, (str, os.PathLike)):
            raise ConfigTypeError("data_dir", f"must be a path, not {type(self.data_dir).__name__}")
        if self.data_dir is not None and not os.fspath(self.data_dir):
            raise ConfigError("data_dir", "must not be empty")
        object.__setattr__(self, "leave_timeout", checks.number("leave_timeout", self.leave_timeout))
        if self.isolation not in ISOLATIONS:
            raise ConfigError("isolation", f"must be one of {ISOLATIONS}, not {self.isolation!r}")
        if self.isolation == "process":
            self._check_process()

    def _check_process(self) -> None:
        """Makes sure that a child process can be given all this."""
        if self.faults is not None:
            raise ConfigError("faults", "reach a node in this process only: use isolation='thread'")
        import pickle  # takes a while, and only a child process needs it

        try:
            pickle.dumps(self.config)
        except Exception as error:  # whatever a value's own code raises
            raise ConfigError("config", f"cannot be sent to another process: {error}") from error

    @property
    def directory(self) -> Path | None:
        """Of the snapshot."""
        if self.data_dir is None:
            return None
        from pathlib import Path  # few nodes need it, and it takes milliseconds

        return Path(self.data_dir)
