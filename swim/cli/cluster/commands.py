"""Carries out what the prompt, the script and the page say, one command after the other, and remembers it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal, NamedTuple

import trio

from sims.errors import UsageError
from swim.cli.cluster.run import LocalCluster
from swim.cli.cluster.script import Step, Word, parse_command, parse_script
from swim.errors import LocalError, SwimError

__all__ = ["COMMANDS_MAX", "Author", "Commands", "Done"]

COMMANDS_MAX = 1000
"""Commands that are remembered, and that may wait for their time; of more, the oldest are forgotten and the
new ones refused."""

Author = Literal["script", "prompt", "page"]


class Done(NamedTuple):
    """A command that was carried out, ``at`` seconds after all nodes ran."""

    at: float
    text: str
    by: Author


class Commands:
    """The commands of one run.

    Args:
        cluster: what they are about.
        say_word: carries out the words of the session itself.
        failed: called with what went wrong in a command that was to happen later.

    Attributes:
        done: the latest commands about the cluster, oldest first.
        planned: those that wait for their time, seconds after all nodes ran.
        changed: called after each change of the two, with the command that was done, if one was.
    """

    def __init__(
        self, cluster: LocalCluster, say_word: Callable[[Word], None], failed: Callable[[str], None]
    ) -> None:
        self.done: deque[Done] = deque(maxlen=COMMANDS_MAX)
        self.planned: list[Step] = []
        self.changed: Callable[[Done | None], None] = _ignore
        self._cluster = cluster
        self._say_word = say_word
        self._failed = failed
        self._began = 0.0
        self._nursery: trio.Nursery | None = None
        self._refusal = "the nodes are still starting"

    def start(self) -> None:
        """The nodes start: time is counted from now until all run."""
        self._began = trio.current_time()

    def begin(self, nursery: trio.Nursery) -> None:
        """All nodes run: time is counted from now, and commands are accepted until ``end``."""
        self._began = trio.current_time()
        self._nursery = nursery

    def end(self) -> None:
        """No more commands are accepted."""
        self._nursery, self._refusal = None, "the cluster is ending"

    @property
    def is_ready(self) -> bool:
        """Whether commands are accepted."""
        return self._nursery is not None

    def now(self) -> float:
        """Seconds since all nodes run; before that, since they start."""
        return trio.current_time() - self._began

    async def obey(self, text: str, by: Author) -> tuple[Step, ...]:
        """Does now what ``text`` says without a time, and the rest so many seconds from now.

        Returns:
            The steps, with their times after all nodes ran.

        Raises:
            UsageError: naming what is wrong in ``text``; nothing was done.
            LocalError: the nodes still start, or the cluster ends; likewise.
            ConfigError: a new or restarted node found its port in use.
        """
        names = [node.name for node in self._cluster.nodes]
        steps = parse_script(text, names, link=self._cluster.links.link)
        if not steps:
            parse_command(text, names)
        return await self.follow(steps, by)

    async def follow(self, steps: Iterable[Step], by: Author) -> tuple[Step, ...]:
        """See ``obey``."""
        if self._nursery is None:
            raise LocalError(self._refusal)
        now = self.now()
        dated = tuple(replace(step, at=now + step.at) for step in steps)
        later = [step for step in dated if step.at > now]
        if len(self.planned) + len(later) > COMMANDS_MAX:
            raise UsageError(f"more than {COMMANDS_MAX} commands wait for their time already")
        if later:
            self.planned += later
            self.changed(None)
            self._nursery.start_soon(self._do_later, later, by)
        for step in dated:
            if step.at <= now:
                await self._do(step, by)
        return dated

    async def _do_later(self, steps: Iterable[Step], by: Author) -> None:
        for step in steps:
            await trio.sleep_until(self._began + step.at)
            self.planned.remove(step)
            try:
                await self._do(step, by)
            except SwimError as error:
                self._failed(str(error))
                self.changed(None)

    async def _do(self, step: Step, by: Author) -> None:
        if isinstance(step.command, Word):
            self._say_word(step.command)
            return
        for fault in step.command:
            await self._cluster.apply(fault)
        done = Done(self.now(), step.text, by)
        self.done.append(done)
        self.changed(done)


def _ignore(_: Done | None) -> None:
    """The default of ``changed``."""
