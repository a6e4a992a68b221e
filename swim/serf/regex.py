"""Regular expressions in linear time, in RE2's syntax as Go reads it: a set of states, never backtracking.

A query's tag filters come from whoever can reach the node, and Python's ``re`` needs exponential time for
some of them. Here an expression becomes a machine of at most ``STATES_MAX`` states, and a search takes at
most that many steps per character.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from swim.errors import RemoteError
from swim.serf.regex_syntax import Alternation, Assertion, Characters, Node, Repetition, Sequence, parse

__all__ = ["STATES_MAX", "Regex"]

STATES_MAX = 2000
_VISITS_MAX = 4 * STATES_MAX
_MATCH = 0


class _State(NamedTuple):
    """Leads to ``targets``: over a character it accepts, or else at once, where ``holds`` is true."""

    targets: tuple[int, ...]
    accepts: Callable[[str], bool] | None = None
    holds: Callable[[str, str], bool] | None = None


class Regex:
    """One compiled expression.

    Args:
        pattern: in Go's syntax (no look-around, no backreferences).

    Raises:
        RemoteError: ``regex``, if Go would refuse it or it takes more than ``STATES_MAX`` states.
    """

    __slots__ = ("_start", "_states", "_visits")

    def __init__(self, pattern: str) -> None:
        self._states = [_State(())]
        self._visits = 0
        self._start = self._add(parse(pattern), _MATCH)

    @property
    def size(self) -> int:
        """How many states the machine has."""
        return len(self._states)

    def search(self, text: str) -> bool:
        """Whether the expression matches anywhere in ``text``."""
        reached: list[int] = []
        for position in range(len(text) + 1):
            before, after = text[max(position - 1, 0) : position], text[position : position + 1]
            here = self._closure([self._start, *reached], before, after)
            if _MATCH in here:
                return True
            reached = []
            for index in here:
                state = self._states[index]
                if state.accepts is not None and after and state.accepts(after):
                    reached += state.targets
        return False

    def _closure(self, pending: list[int], before: str, after: str) -> set[int]:
        """Every state reachable from ``pending`` without taking a character."""
        seen: set[int] = set()
        while pending:
            index = pending.pop()
            if index in seen:
                continue
            seen.add(index)
            targets, accepts, holds = self._states[index]
            if accepts is None and (holds is None or holds(before, after)):
                pending += targets
        return seen

    def _add(self, node: Node, target: int) -> int:
        """Adds the states of ``node``, which lead to ``target``; returns the first one."""
        self._visits += 1  # repetitions of what takes no state cost time, too
        if self._visits > _VISITS_MAX or len(self._states) > STATES_MAX:
            raise RemoteError("regex", "too large")
        match node:
            case Characters(accepts):
                return self._state(_State((target,), accepts=accepts))
            case Assertion(holds):
                return self._state(_State((target,), holds=holds))
            case Sequence(parts):
                for part in reversed(parts):
                    target = self._add(part, target)
                return target
            case Alternation(branches):
                return self._state(_State(tuple(self._add(branch, target) for branch in branches)))
            case Repetition(body, least, most):
                return self._repeat(body, least, most, target)

    def _repeat(self, body: Node, least: int, most: int | None, target: int) -> int:
        first = target
        if most is None:
            first = self._state(_State(()))
            self._states[first] = _State((self._add(body, first), target))
        else:
            for _ in range(most - least):
                first = self._state(_State((self._add(body, first), target)))
        for _ in range(least):
            first = self._add(body, first)
        return first

    def _state(self, state: _State) -> int:
        self._states.append(state)
        return len(self._states) - 1
