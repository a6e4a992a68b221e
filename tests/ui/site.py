"""Agents that a browser can open: one over a table that the test fills, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Self

import trio

from agent_api import AgentSettings, serve
from swim import (
    Config,
    Event,
    Member,
    MemberAccused,
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberReaped,
    MemberRefuted,
    MemberState,
    MemberStatus,
    MemberSuspected,
    Reason,
    Transition,
    UserEvent,
)
from tests.agent_api.fakes import FakeCluster, make_member

PORT = 7946


class Site:
    """An agent without a network; the test changes its table, and pages see the events.

    Args:
        names: other members, alive.
        seeds: what it looks for; all of them refuse.
        own: its name.
        settings: of the agent's HTTP layer.
    """

    def __init__(
        self, names: Iterable[str] = (), seeds: Sequence[str] = (), own: str = "n1", **settings: Any
    ) -> None:
        config = Config(name=own, tags={"build": "0.2.0"}, bind="127.0.0.1:7946", seeds=seeds)
        self.cluster = FakeCluster(config)
        for name in names:
            self.cluster.table[name] = make_member(name, gossip_port=PORT, build="0.2.0")
        self._settings = AgentSettings(http="127.0.0.1:0", **settings)
        self._sequence = 0
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._run,))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_up.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.do(self._over.set)
        self._thread.join()

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._over = trio.Event()
        self._nursery: trio.Nursery
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await self._serve()
            self._is_up.set()
            await self._over.wait()
            nursery.cancel_scope.cancel()

    async def _serve(self) -> None:
        self._server = trio.CancelScope()

        async def serving(task_status: Any) -> None:
            with self._server:
                await serve(self.cluster, self._settings, task_status=task_status)  # type: ignore[arg-type]

        host, port = await self._nursery.start(serving)
        self._settings = replace(self._settings, http=f"{host}:{port}")
        self.url = f"http://{host}:{port}"

    def do(self, function: Callable[..., Any], *args: Any) -> Any:
        """Calls a function in the agent's thread."""
        return trio.from_thread.run_sync(partial(function, *args), trio_token=self._token)

    def stop(self) -> None:
        """The agent ends; its port answers nothing."""
        self.do(self._server.cancel)

    def start(self) -> None:
        """The agent starts again on the same port."""
        trio.from_thread.run(self._serve, trio_token=self._token)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Meanwhile the agent does nothing at all, and its connections stay open."""
        is_over = threading.Event()
        self._token.run_sync_soon(is_over.wait)
        try:
            yield
        finally:
            is_over.set()

    # -- what happens in the cluster

    def publish(self, event: Event) -> None:
        """Numbers an event, and sends it to every page."""
        self.do(self._publish, event)

    def change(self, kind: type[MemberEvent], member: Member, reason: Reason) -> None:
        """Stores a member, and publishes the event that gave it."""
        self.do(self._change, kind, member, reason)

    def _publish(self, event: Event) -> None:
        self._sequence += 1
        self.cluster.publish(replace(event, sequence=self._sequence))

    def _change(self, kind: type[MemberEvent], member: Member, reason: Reason) -> None:
        previous = self.cluster.table.get(member.name)
        before = previous.state if previous else MemberState.UNKNOWN
        line = Transition(self.cluster.now(), before, member.state, member.incarnation, reason)
        self.cluster.log.setdefault(member.name, []).append(line)
        if kind is MemberReaped:
            del self.cluster.table[member.name]
        else:
            self.cluster.table[member.name] = member
        self._publish(kind(member, previous, reason))

    def flood(self, per_second: int, seconds: float) -> None:
        """So many changes: each other member is suspected and refutes, in turn."""

        async def run() -> None:
            names = [name for name in self.cluster.table if name != self.cluster.config.name]
            for number in range(int(per_second * seconds)):
                old = self.cluster.table[names[number // 2 % len(names)]]
                kind = MemberRefuted if old.is_suspect else MemberSuspected
                member = replace(old, is_suspect=not old.is_suspect, incarnation=old.incarnation + 1)
                self._change(kind, member, Reason("claim", names[number % len(names)]))
                await trio.sleep(1 / per_second)

        trio.from_thread.run(run, trio_token=self._token)

    def join(self, *names: str, **tags: str) -> None:
        """Members join, all in the same moment."""

        def join() -> None:
            for name in names:
                member = make_member(name, gossip_port=PORT, **tags)
                self._change(MemberJoined, member, Reason("push-pull", "n1"))

        self.do(join)

    def suspect(self, name: str, by: str = "n2") -> None:
        """A member accuses another."""
        member = replace(self.cluster.table[name], is_suspect=True)
        detail = "no ack: direct, 3 relays (3 nacks), stream refused"
        self.change(MemberSuspected, member, Reason("probe", by, detail))

    def accuse(self, name: str, by: str) -> None:
        """One more member accuses a suspect."""
        reason = Reason("claim", by, "the suspicion ends 3.1 s sooner")
        self.change(MemberAccused, self.cluster.table[name], reason)

    def refute(self, name: str) -> None:
        """A suspected member raises its incarnation."""
        old = self.cluster.table[name]
        member = replace(old, is_suspect=False, incarnation=old.incarnation + 1)
        self.change(MemberRefuted, member, Reason("claim", name))

    def fail(self, name: str) -> None:
        """A suspicion expires."""
        member = replace(self.cluster.table[name], is_suspect=False, status=MemberStatus.FAILED)
        self.change(MemberFailed, member, Reason("suspicion-expired", "n2", "after 3.0 s"))

    def reap(self, name: str) -> None:
        """A member is forgotten."""
        self.change(MemberReaped, self.cluster.table[name], Reason("prune"))

    def user_event(self, name: str, payload: bytes) -> None:
        """An application sends an event."""
        self.publish(UserEvent(name, payload))
