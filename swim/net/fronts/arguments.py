"""The arguments of ``open_cluster``, checked the same way on every front."""

from __future__ import annotations

from swim import checks
from swim.config import Config
from swim.errors import ConfigError, ConfigTypeError
from swim.net.faults import LinkFaults
from swim.net.files import NO_FILES, Files
from swim.values import dataclass

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
    files: Files = NO_FILES
    leave_timeout: float = 5.0
    isolation: str = "thread"

    def __post_init__(self) -> None:
        if not isinstance(self.config, Config):
            raise ConfigTypeError("config", f"must be a swim.Config, not {type(self.config).__name__}")
        if self.faults is not None and not isinstance(self.faults, LinkFaults):
            raise ConfigTypeError("faults", f"must be LinkFaults, not {type(self.faults).__name__}")
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
