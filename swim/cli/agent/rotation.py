"""A rotation of the gossip key: install, verify, use, verify, remove, verify. It can be run again.

What is done already is seen from the keyrings of the members, so a rotation that was stopped goes on where it
stopped. Nothing is done that would cut a member off: the next step waits until every member is known to have
the key, those included that failed and may come back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from agent_api.client.replies import Keyrings
from swim.cli.common import CliError, ExitCode, fail
from swim.keyrings import fingerprint
from swim.text import shown

__all__ = ["Agent", "Rotation"]

_TRIES = 3
"""How often a step is tried while members do not answer: their answers may get lost."""
_AGAIN = "nothing is lost: run the same command again to go on"


class Agent(Protocol):
    """What a rotation needs of an agent; ``AgentClient`` has it."""

    def keyring(self) -> Keyrings:
        """The keys of every member."""
        ...

    def change_keyring(self, operation: str, *, key: bytes = b"", fingerprint: str = "") -> Keyrings:
        """Has every member change its keyring."""
        ...


class Rotation:
    """One rotation to ``key``.

    Args:
        agent: any member of the cluster.
        key: the new one.
        ignore_failed: go on although members failed, which then cannot come back without being given the key.
        keep_old: do not remove the other keys.
        tell: called with a line of text for each step.
    """

    def __init__(
        self,
        agent: Agent,
        key: bytes,
        *,
        ignore_failed: bool = False,
        keep_old: bool = False,
        tell: Callable[[str], None],
    ) -> None:
        self._agent = agent
        self._key = key
        self._new = fingerprint(key)
        self._ignore_failed = ignore_failed
        self._keep_old = keep_old
        self._tell = tell
        self._steps: list[str] = []

    def run(self) -> dict[str, Any]:
        """Does what is left to do; returns the document that ``--json`` shows.

        Raises:
            CliError: a member lacks the key, refuses a change or does not answer; it is named.
        """
        state = self._listed()
        state = self._step("install", state, self._lacking, "has not installed the key")
        self._refuse_failed(state)
        state = self._step("use", state, self._not_using, "does not encrypt with the key")
        removed = self._remove(state)
        self._tell(f"rotated to {self._new} on {state['members']} members")
        return {
            "key": self._new,
            "members": state["members"],
            "steps": self._steps,
            "removed": removed,
            "rotated": True,
        }

    def _step(
        self, operation: str, state: Keyrings, left: Callable[[Keyrings], list[str]], why: str
    ) -> Keyrings:
        """Has the members do it until none is left; returns their keyrings then."""
        if not left(state):
            self._tell(f"{operation}: done before on {state['members']} members")
            return state
        for _ in range(_TRIES):
            done = self._agent.change_keyring(operation, key=self._key)
            self._refuse_errors(operation, done)
            state = self._listed()
            if not (names := left(state)):
                self._steps.append(operation)
                self._tell(f"{operation}: {self._new} on {state['members']} of {state['members']} members")
                return state
        raise CliError(ExitCode.REFUSED, f"{', '.join(map(shown, names))} {why}; {_AGAIN}")

    def _remove(self, state: Keyrings) -> list[str]:
        """Removes all other keys; returns their fingerprints."""
        removed: list[str] = []
        for _ in range(0 if self._keep_old else _TRIES):
            old = self._old(state)
            if not old:
                break
            self._refuse_failed(state)
            for each in old:
                self._refuse_errors("remove", self._agent.change_keyring("remove", fingerprint=each))
                self._tell(f"remove: {each}")
            removed += [each for each in old if each not in removed]
            state = self._listed()
        if not self._keep_old and (old := self._old(state)):
            fail(ExitCode.REFUSED, f"some members still have {', '.join(old)}; {_AGAIN}")
        if removed:
            self._steps.append("remove")
        return removed

    def _listed(self) -> Keyrings:
        """The keyrings of all members, each of which has answered."""
        for _ in range(_TRIES):
            state = self._agent.keyring()
            self._refuse_errors("list", state)
            if not state["missing"]:
                return state
        names = ", ".join(map(shown, state["missing"]))
        raise CliError(
            ExitCode.TIMED_OUT, f"no answer from {names}, so it is not known which keys it has; {_AGAIN}"
        )

    def _lacking(self, state: Keyrings) -> list[str]:
        return sorted(name for name, keys in state["keyrings"].items() if self._new not in keys)

    def _not_using(self, state: Keyrings) -> list[str]:
        return sorted(name for name, keys in state["keyrings"].items() if keys[:1] != [self._new])

    def _old(self, state: Keyrings) -> list[str]:
        return sorted({key for keys in state["keyrings"].values() for key in keys} - {self._new})

    def _refuse_errors(self, operation: str, done: Keyrings) -> None:
        for name, error in sorted(done["errors"].items()):
            fail(ExitCode.REFUSED, f"{operation} failed on {shown(name)}: {shown(error)}; {_AGAIN}")

    def _refuse_failed(self, state: Keyrings) -> None:
        if state["failed"] and not self._ignore_failed:
            names = ", ".join(map(shown, state["failed"]))
            text = (
                f"{names} failed, and could not come back without the key: bring it back, force-leave it, or"
                f" use --ignore-failed; {_AGAIN}"
            )
            fail(ExitCode.REFUSED, text)
