"""The errors of a simulated run. Each says whose fault it is and how to reproduce it."""

from __future__ import annotations

from swim.errors import SwimError

__all__ = ["NodeCrashedError", "NotConvergedError", "SimError", "UsageError", "ViolationError"]


class SimError(SwimError):
    """Base of all errors of a run."""


class UsageError(SimError):
    """The caller asked for something that does not exist or is not valid; nothing was run (exit code 2)."""

    exit_code = 2


class NodeCrashedError(SimError):
    """The protocol code raised: a bug (exit code 127). The world stopped in the middle of a step."""

    exit_code = 127

    def __init__(self, seed: int, at: float, node: str, error: BaseException) -> None:
        super().__init__(f"seed {seed}, {at:.6f} s: node {node} raised {error!r}")
        self.seed, self.at, self.node, self.error = seed, at, node, error


class NotConvergedError(SimError):
    """Something good did not happen in time (exit code 128). The world can continue."""

    exit_code = 128


class ViolationError(SimError):
    """Something bad happened (exit code 129).

    Attributes:
        checker: name of the property's class.
        at: virtual seconds.
        node: id of the host where it was observed, or "".
        problem: one sentence.
    """

    exit_code = 129

    def __init__(self, checker: str, at: float, node: str, problem: str) -> None:
        super().__init__(f"{checker} at {at:.6f} s on {node or 'the cluster'}: {problem}")
        self.checker, self.at, self.node, self.problem = checker, at, node, problem
