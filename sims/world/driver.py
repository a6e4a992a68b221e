"""The driver of virtual nodes: starts them, carries out their output, wakes them when due."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from sims.world.context import Context
from sims.world.convergence import View
from sims.world.datagrams import Packets
from sims.world.host import SimNode
from sims.world.hosts import Hosts
from sims.world.streams import Streams
from swim.addresses import parse_address, split_host_port
from swim.core.output import Output
from swim.errors import LocalError
from swim.events import Member
from swim.node import BaseView, Node

__all__ = ["Driver"]


class Driver:
    """Starts, drives and ends all nodes of a context.

    Attributes:
        packets: the virtual datagrams.
        streams: the virtual streams.
    """

    def __init__(self, context: Context, hosts: Hosts) -> None:
        self._context = context
        self._stepped = context.hooks("stepped")
        self._clock = context.clock
        self._hosts = hosts
        self.packets = Packets(context, hosts, self.pump)
        self.streams = Streams(context, hosts, self.arrive, self.pump)

    def boot(self, node: SimNode, snapshot: str) -> None:
        """Starts a node on a host.

        Raises:
            UsageError: another node runs at its address.
        """
        self._make(node, snapshot)
        self._context.current = node.id
        node.node.start(self._context.now, clock_offset=self.clock_offset(node))
        node.base = node.node.snapshot()
        self._launch(node)

    def _make(self, node: SimNode, snapshot: str) -> None:
        self._hosts.admit(node.id, node.endpoint)
        node.reset()
        self._hosts.at[node.endpoint] = node
        advertise = node.endpoint
        if node.config.advertise is not None:
            advertise = split_host_port("advertise", node.config.advertise, node.endpoint[1])
        config = node.config.with_changes(keys=node.keyring) if node.keyring else node.config
        node.node = Node(
            config,
            advertise=advertise,
            bind_port=node.endpoint[1],
            rng=self._context.random_for("node", node.id, str(node.life)),
            snapshot=snapshot,
            wire=self._context.wire,
        )

    def clock_offset(self, node: SimNode) -> float:
        """Seconds from virtual time to what the host's wall clock shows."""
        return self._context.epoch + node.clock_ahead

    def boot_converged(self) -> None:
        """Starts every host: all nodes share one view of each other and store only differences."""
        nodes = list(self._hosts.nodes.values())
        for node in nodes:
            self._make(node, "")
        base = BaseView((n.node.claim for n in nodes), speaks_serf=nodes[0].config.delegate_version > 0)
        view = self._context.views.of(node.name for node in nodes)
        listed: tuple[Member, ...] = ()
        for node in nodes:
            node.node.start(self._context.now, clock_offset=self.clock_offset(node), view=base)
            listed = node.listed = listed or node.members()
            node.view = View(view.all, view.live)
            self._launch(node)

    def _launch(self, node: SimNode) -> None:
        self._hosts.set_state(node, "running")
        self.pump(node)

    def end(self, node: SimNode, state: Literal["crashed", "left"]) -> None:
        """Ends a process: it was killed, its leave is done, or the node stopped by itself."""
        node.snapshot = node.written() if state == "crashed" else node.node.snapshot()
        self._hosts.set_state(node, state)
        self.streams.ended(node)
        for ticket in node.tickets.values():
            ticket.finish(LocalError("the process ended"))
        node.tickets.clear()

    def pump(self, node: SimNode) -> None:
        """Carries out a node's output, and schedules its next wake-up."""
        if node.is_pumped:  # an application gave a command while it received an event
            node.has_more = True
            return
        if output := node.node.poll():
            node.is_pumped = True
            self._carry_out(node, output)
            while node.has_more:
                node.has_more = False
                self._carry_out(node, node.node.poll())
            node.is_pumped = False
        # The next wake-up; an earlier scheduled one that is stale detects it by itself.
        deadline = node.node.timers.next_deadline()
        if deadline != node.scheduled:
            node.scheduled = deadline
            if deadline is not None and node.state == "running":
                self._clock.at(deadline, self._wake, node, node.life, deadline)
        for call in self._stepped:
            call(self._context, node)

    def arrive(self, node: SimNode, when: float, call: Callable[..., None], *args: Any) -> None:
        """Calls ``call(*args)`` for input of a process; later if the process is paused or blocked."""
        self._clock.at(when, self._arrived, node, call, args)

    def catch_up(self, node: SimNode) -> None:
        """Resumes a paused process: first the input that waited, then late timers, reported with the gap."""
        now = self._clock.now
        self._context.current = node.id
        planned = node.node.next_deadline()
        backlog, node.backlog, node.backlog_bytes = node.backlog, [], 0
        for call, args in backlog:
            call(*args)
        node.scheduled = None
        overslept = 0.0 if planned is None else max(0.0, now - planned)
        due = node.node.next_deadline()
        if overslept or (due is not None and due <= now):
            node.node.handle_timeout(now, overslept=overslept)
        self.pump(node)

    def _carry_out(self, node: SimNode, output: Output) -> None:
        context = self._context
        for endpoint, data in output.transmits:
            self.packets.send(node, endpoint, data)
        for action in output.streams:
            self.streams.act(node, action)
        for lookup in output.lookups:
            delay = context.network.dns_latency.draw(context.rng)
            self.arrive(node, self._clock.now + delay, self._resolve, node, node.life, lookup.address)
        for event in output.events:
            context.views.apply(node.view, event, counts=node.counts)
            context.tell("event", node, event)
            node.publish(self._clock.now, event)
        if output.records:
            node.record(output.records)
        if output.keyring is not None:
            node.keyring = output.keyring.keys
            node.node.keys_saved(self._clock.now, output.keyring.number)
            node.has_more = True
        for number, reply in output.replies:
            if number in node.tickets:
                node.tickets[number].add(reply)
        for done in output.finished:
            if (ticket := node.tickets.pop(done.ticket, None)) is not None:
                ticket.finish(done.result)
        if output.stop:
            node.stopped_because = output.stop
            context.tell_fault("stopped", node=node.id, why=output.stop)
            self.end(node, "left")
        elif node.ends_after_leave and node.departure is not None and node.departure.is_done:
            context.tell_fault("ended", node=node.id)
            self.end(node, "left")

    def _wake(self, node: SimNode, life: int, planned: float, has_turn: bool = False) -> None:
        if planned != node.scheduled or life != node.life or node.state != "running":
            return
        if node.processor is not None and not has_turn:
            node.processor.serve(node.processor.timer, self._wake, node, life, planned, True)
            return
        node.scheduled = None
        self._context.current = node.id
        node.node.handle_timeout(self._clock.now)
        self.pump(node)

    def _arrived(
        self, node: SimNode, call: Callable[..., None], args: tuple[Any, ...], has_turn: bool = False
    ) -> None:
        self._context.current = node.id
        if node.state == "paused":
            node.backlog.append((call, args))
        elif node.blocked_until > self._clock.now:
            self._clock.at(node.blocked_until, self._arrived, node, call, args)
        elif node.processor is not None and not has_turn:
            node.processor.serve(node.processor.stream, self._arrived, node, call, args, True)
        else:
            call(*args)

    def _resolve(self, node: SimNode, life: int, address: str) -> None:
        if node.life != life or node.state != "running":
            return
        host, port = parse_address(address, 7946)[1:]
        found = [(ip, given or port) for ip, given in self._context.network.names.get(host, ())]
        node.node.resolved(self._clock.now, address, found, "" if found else "no such host")
        self.pump(node)
