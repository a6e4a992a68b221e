"""A plain loop around one node: one kernel wait and plain calls, in whichever thread runs it.

Its clock, its selector and its network are arguments, so a test can run it in virtual time.
"""

from __future__ import annotations

import math
import selectors
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from swim.addresses import Endpoint, parse_address
from swim.commands import Command, Leave, Rejoin
from swim.core.probed import Last
from swim.errors import ConfigError, SwimError
from swim.events import Event, MemberEvent, Transition
from swim.net.faults import FaultyPackets, LinkFaults
from swim.net.isolated.board import Board, Facts, Update, View
from swim.net.isolated.network import Network
from swim.net.isolated.streams import LoopStreams
from swim.net.isolated.timers import Timer, Timers
from swim.net.isolated.waker import Waker
from swim.net.own_address import OwnAddress
from swim.net.pump import Pump, Ticket
from swim.net.resolve import reachable, why_not_found
from swim.net.resolver import Resolver
from swim.node import Node
from swim.serf.coordinates import Coordinate

__all__ = ["Loop"]

_ALL_SECONDS = 5.0
"""How old published counts, coordinates and probes may be: to make them costs as much as several packets."""
_LULL = 0.005
"""Seconds. Packets that follow each other faster than this are read together; and a timer that fires at most
this late fires after the wait itself, which ends early for a packet, found none."""

Ready = Sequence[tuple[selectors.SelectorKey, int]]
_READ = selectors.EVENT_READ


class Loop(Pump):
    """Moves bytes and time between one node and a network. ``run`` in one thread; other threads use ``soon``.

    Args:
        node: the sans-I/O node; nothing else may call it.
        network: bound; closed by the caller.
        clock: seconds, monotonic.
        selector: waits for the network's sockets.
        resolver: looks up names.
        faults: switches that break this node's network; None for none.
        waker: lets other threads wake it.

    Attributes:
        board: what is published.
    """

    def __init__(
        self,
        node: Node,
        network: Network,
        *,
        clock: Callable[[], float],
        selector: selectors.BaseSelector,
        resolver: Resolver,
        faults: LinkFaults | None = None,
        waker: Waker | None = None,
    ) -> None:
        packets = network if faults is None else FaultyPackets(network, faults)
        super().__init__(node, packets, clock=clock, faults=faults)
        self.network = network
        self.selector = selector
        self.waker: Waker = waker or Waker()
        self.streams: LoopStreams = LoopStreams(self)
        self.board: Board = Board(View(node.config, node.metrics, self._facts(), clock=clock))
        self._resolver = resolver
        self._timers = Timers()
        self._wishes: deque[Callable[[], None]] = deque()
        self._looking_up: set[str] = set()
        self._before = math.inf
        self._all_from = -math.inf
        self._last_coordinate: Coordinate | None = None
        self._last_probe: Last | None = None
        self.is_halted: bool = False
        self._is_held = False

    # -- for any thread

    def soon(self, action: Callable[[], None]) -> None:
        """Has the loop do something after what it is doing now."""
        self._wishes.append(action)
        self.waker.set()

    # -- the loop

    def now(self) -> float:
        """Seconds on the loop's clock."""
        return self._clock()

    def at(self, when: float, action: Callable[[], None]) -> Timer:
        """Has the loop do something at a time."""
        timer = self._timers.at(when, action)
        self.reschedule()
        return timer

    def start(self) -> None:
        """Starts the node."""
        is_chosen = self.node.config.advertise is None and self.node.advertised[0] != self.network.endpoint[0]
        self.own_address = OwnAddress(self, is_chosen=is_chosen)
        self._before = self._read_at = self._clock()
        self.selector.register(self.waker, _READ, None)
        self.selector.register(self.network.packets, _READ, None)
        self.streams.start()
        self.start_node()
        self._post_all()

    def run(self) -> None:
        """Runs until ``halt``."""
        while not self.is_halted:
            if self.is_paused:
                self.hold()
                self.waker.wait()
                self.resume()
            else:
                self.turn(self.selector.select(self.timeout()))

    def halt(self) -> None:
        """Ends ``run`` after the current turn."""
        self.is_halted = True

    def end(self, error: SwimError) -> None:
        """Closes everything; commands under way, and those that came too late, end with an error."""
        self.end_commands(error)
        self.do_wishes()
        self.end_commands(error)
        self.board.close()
        self.streams.close()
        self.selector.close()
        self.waker.close()

    def timeout(self) -> float | None:
        """How long the loop may wait, in seconds; None for ever."""
        due = min(self._due, self._timers.due)
        return None if due == math.inf else max(0.0, due - self._clock())

    def turn(self, ready: Ready) -> None:
        """Does what there is to do after one wait: packets, streams, and only then what is due."""
        if self.is_paused:
            return
        now = self._clock()
        if now < self._due:
            if self._serve(ready):
                # In a quiet cluster one packet waits: the next wait finds out whether there are more.
                self.drain(now, 1 if now - self._read_at > _LULL else self._most_packets)
                self.carry_out(now)
            self._after(self._clock())
        else:
            # A timer already past when the wait began counts from there: that delay was the node's own work.
            planned = max(self._due, self._before)
            has_packets = self._serve(ready) or now - planned > _LULL
            now = self._drain_all() if has_packets else self._clock()
            overslept = self.overslept(now, planned)
            if overslept:
                # Streams were held up as well: read what waits before any member is accused.
                self._serve(self.selector.select(0))
                now = self._drain_all()
            self.fire(now, overslept)
            self._after(now)
        self._before = now
        if now >= self._all_from:
            self._post_all()

    def take(self, command: Command, ticket: Ticket) -> None:
        """Gives the node a command from another thread; an error finishes the ticket."""
        try:
            if isinstance(command, Leave):
                self.own_address.pause()
            self.begin(command, ticket)
            if isinstance(command, Rejoin):
                self.own_address.resume()
        except SwimError as error:
            ticket.finish(error)
        self._post((), {})

    def abandon(self, ticket: Ticket) -> None:
        """No more replies to a query are wanted: it finishes now."""
        if not ticket.is_done:
            self.call(self.node.abandon, ticket.number)

    def hold(self) -> None:
        """The node is paused: only its waker may end the wait. Packets wait in the socket."""
        if not self._is_held and self.faults is not None:
            self._is_held = True
            self.faults.when_resumed(self._release)

    def _release(self) -> None:
        self._is_held = False
        self.waker.set()

    def resume(self) -> None:
        """Does what was asked for meanwhile: commands reach a paused node, but their output waits."""
        self.waker.clear()
        self.do_wishes()

    def _serve(self, ready: Ready) -> bool:
        """Handles streams that are ready; returns whether packets wait."""
        has_packets = False
        for key, events in ready:
            if key.data is not None:
                key.data(events)
            elif key.fileobj is self.waker:
                self.waker.clear()
            else:
                has_packets = True
        return has_packets

    def _drain_all(self) -> float:
        """Handles the packets that wait, in portions; returns the time."""
        left = self._most_packets
        while left := self.drain(self._clock(), left):
            self.carry_out(self._read_at)
            self._serve(self.selector.select(0))
            self.do_wishes()
        return self._read_at

    def _after(self, now: float) -> None:
        self.do_wishes()
        if self._timers.due <= now:
            self._timers.fire(now)

    def do_wishes(self) -> None:
        """Does what was asked for so far."""
        for _ in range(len(self._wishes)):
            self._wishes.popleft()()

    # -- what the node wants

    def publish(self, events: Sequence[Event]) -> None:
        """Publishes events, and what the node says about itself after them."""
        names = {event.member.name for event in events if isinstance(event, MemberEvent)}
        self._post(events, {name: self.node.history(name) for name in names})

    def _post_all(self) -> None:
        """Publishes coordinates and probes as well, which no event reports."""
        self._all_from = self._clock() + _ALL_SECONDS
        moved = self.node.coordinates_since(self._last_coordinate)
        if moved:
            self._last_coordinate = next(iter(moved.values()))
        probed = list(self.node.probed.since(self._last_probe))
        if probed:
            self._last_probe = probed[0][1]
        self._post((), {}, probed=[name for name, _ in probed], moved=moved)

    def _post(
        self,
        events: Sequence[Event],
        histories: Mapping[str, tuple[Transition, ...]],
        *,
        probed: Iterable[str] = (),
        moved: Mapping[str, Coordinate] | None = None,
    ) -> None:
        facts = self._facts()
        found = {name: self.node.detection(name) for name in (*histories, *probed)}
        detections = {name: detection for name, detection in found.items() if detection is not None}
        new = None if facts == self.board.view.facts else facts
        self.board.post(Update(events, histories, new, moved or {}, detections))

    def _facts(self) -> Facts:
        node = self.node
        return Facts(
            node.status, node.advertised, node.is_alone, node.seeds(), node.stats(), node.key_status()
        )

    def look_up(self, address: str) -> None:
        """Begins to resolve an address, unless that is under way."""
        if address in self._looking_up:
            return
        self._looking_up.add(address)
        try:
            parsed = parse_address(address, self.node.bind_port)
        except ConfigError as wrong:
            self.soon(partial(self._resolved, address, (), wrong.reason))
            return
        if parsed.literal is not None:
            self.soon(partial(self._found, address, parsed.host, (parsed.literal,)))
            return
        timer = self.at(
            self._clock() + self.node.config.tcp_timeout,
            partial(self._resolved, address, (), "the name lookup timed out"),
        )

        def answered(hosts: tuple[str, ...], error: OSError | None) -> None:
            def report() -> None:
                timer.cancel()
                if error is not None:
                    self._resolved(address, (), why_not_found(error))
                else:
                    self._found(address, parsed.host, [(host, parsed.port) for host in hosts])

            self.soon(report)

        self._resolver.ask(parsed.host, answered)

    def _found(self, address: str, host: str, found: Sequence[Endpoint]) -> None:
        try:
            self._resolved(address, reachable(host, found, self.network.endpoint), "")
        except ConfigError as wrong:
            self._resolved(address, (), wrong.reason)

    def _resolved(self, address: str, endpoints: Sequence[Endpoint], error: str) -> None:
        if address in self._looking_up:
            self._looking_up.discard(address)
            self.call(self.node.resolved, address, endpoints, error)
