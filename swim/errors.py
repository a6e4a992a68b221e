"""Errors, sorted by whose fault they are. Each docstring ends with the effect on state."""

from __future__ import annotations

import errno
from collections.abc import Sequence

__all__ = [
    "CANNOT_JOIN",
    "NO_DESCRIPTORS",
    "ConfigError",
    "ConfigTypeError",
    "DeliveryError",
    "InternalError",
    "LocalError",
    "ObserverError",
    "RemoteError",
    "SwimError",
]


CANNOT_JOIN = "cannot join: this node has left or was closed"

NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
"""The system's errors when no more files or sockets can be opened; no address or setting is at fault."""


_OBSERVER_CODES = {"unreachable": 4, "timed-out": 5, "refused": 6, "foreign": 4}


class SwimError(Exception):
    """Root of every error this package raises on purpose.

    Attributes:
        exit_code: the exit code of a command that ends with it.
    """

    exit_code = 1


class ConfigError(SwimError, ValueError):
    """A setting or an argument is wrong; the message starts with its name. Nothing was started or changed.

    Attributes:
        field: name of the offending ``Config`` field, argument or command-line setting.
        reason: what is wrong with it, without the field's name.
    """

    exit_code = 2

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, str]]:
        return type(self), (self.field, self.reason)


class ConfigTypeError(ConfigError, TypeError):
    """A setting or an argument has the wrong type; also a ``TypeError``. Nothing was started or changed."""


class LocalError(SwimError):
    """The caller asked for something that cannot be done now. No state is affected."""


class DeliveryError(LocalError):
    """A message was not delivered, as far as this node knows. No state is affected.

    Attributes:
        member: name of the member.
        reason: a short stable word. ``restarted``, ``failed``, ``left``: the life it was for is over.
            ``unknown``: no member has that name. ``unsupported``: the member runs a program that takes no
            messages. ``refused``: the member took too much from this host lately. ``unreachable``: there was
            no connection. ``no-answer``: it broke after the message was sent; its application may have it.
    """

    def __init__(self, member: str, reason: str, detail: str) -> None:
        super().__init__(member, reason, detail)
        self.member = member
        self.reason = reason
        self._detail = detail

    def __str__(self) -> str:
        return f"message to {self.member}: {self._detail}"


class ObserverError(SwimError):
    """No address answered an observer. Nothing was changed anywhere.

    Attributes:
        failures: of each endpoint tried and each name that did not resolve: the address, a word, and why. The
            words: ``unreachable``; ``timed-out``; ``refused``, by a cluster with another key or label;
            ``foreign``, what listens there is no member.
        exit_code: by the first failure: 4, 5, 6 or 4.
    """

    def __init__(self, failures: Sequence[tuple[str, str, str]]) -> None:
        super().__init__(failures)
        self.failures = tuple(failures)
        self.exit_code = _OBSERVER_CODES[self.failures[0][1]]

    def __str__(self) -> str:
        return "; ".join(f"{address}: {why}" for address, _, why in self.failures)


class RemoteError(SwimError):
    """A peer sent something unusable. It is counted under ``reason`` and dropped; state is untouched.

    Never raised out of the driver.

    Attributes:
        reason: short stable key for the drop counter, such as ``"decrypt"`` or ``"truncated"``.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self._detail = detail

    def __reduce__(self) -> tuple[type[RemoteError], tuple[str, str]]:
        return type(self), (self.reason, self._detail)


class InternalError(SwimError):
    """A bug in swim: please report it with the traceback. State may be inconsistent; stop the node."""
