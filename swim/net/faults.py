"""Faults on purpose, without privileges: blocked endpoints, packet loss, a paused node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from swim import checks
from swim.addresses import Endpoint
from swim.core.rng import Rng
from swim.net.packets import Packets

if TYPE_CHECKING:
    from swim.net.taps import Tap
    from swim.wire.keyring import Keyring

__all__ = ["FaultyPackets", "LinkFaults"]


class LinkFaults:
    """Switches that break one node's network; flip them at any time.

    Packets are filtered when sent and when received. Streams are filtered at the dialling side only, because
    the port of an inbound stream does not identify its node. So set the switch at both sides of a cut; where
    packets pass one way, streams open neither way.

    Attributes:
        tap: observes every packet and stream, including those that faults stop; None for none.
        keyring: gossip keys of the node, for an observer that decrypts; None before it first starts.
        paused: the node neither reads, sends, accepts nor fires timers, like a stopped process. ``pause`` and
            ``resume`` set it.
        stops_some: some packets do not pass.
    """

    @checks.arguments(seed=checks.optional(checks.instance("a whole number", int)))
    def __init__(self, *, loss: float = 0.0, seed: int | None = None) -> None:
        self.tap: Tap | None = None
        self.keyring: Keyring | None = None
        self.paused: bool = False
        self._blocked_in: set[Endpoint] = set()
        self._blocked_out: set[Endpoint] = set()
        self.loss = loss
        self._waiting: list[Callable[[], None]] = []
        from random import Random  # few nodes have faults

        self._rng = Rng(Random(seed))

    @property
    def loss(self) -> float:
        """Probability, 0 to 1, that a packet is lost, applied to each one sent and each one received.

        Raises:
            ConfigError: it is set to anything else.
        """
        return self._loss

    @loss.setter
    def loss(self, loss: float) -> None:
        """Sets it."""
        self._loss = checks.number("loss", loss, at_most=1.0)
        self._changed()

    @checks.arguments(inbound=checks.flag, outbound=checks.flag)
    def block(self, endpoints: Iterable[Endpoint], *, inbound: bool = True, outbound: bool = True) -> None:
        """Lets nothing through to or from ``endpoints``, in addition to those blocked before.

        Args:
            endpoints: of other nodes.
            inbound: stop packets from them. No stream to them opens, also if only one direction is blocked.
            outbound: stop packets to them.

        Raises:
            ConfigError: naming the argument; likewise ``unblock``.
        """
        others = checks.endpoints("endpoints", endpoints)
        if inbound:
            self._blocked_in.update(others)
        if outbound:
            self._blocked_out.update(others)
        self._changed()

    def unblock(self, endpoints: Iterable[Endpoint] | None = None) -> None:
        """Reverts ``block`` for some endpoints, or for all."""
        others = self.blocked if endpoints is None else checks.endpoints("endpoints", endpoints)
        self._blocked_in.difference_update(others)
        self._blocked_out.difference_update(others)
        self._changed()

    @property
    def blocked(self) -> frozenset[Endpoint]:
        """The endpoints that are blocked in at least one direction: no stream to them opens."""
        return frozenset(self._blocked_in | self._blocked_out)

    @property
    def blocked_outbound(self) -> frozenset[Endpoint]:
        """The endpoints to which no packet passes."""
        return frozenset(self._blocked_out)

    def pause(self) -> None:
        """Pauses the node; packets accumulate in its socket."""
        self.paused = True

    def resume(self) -> None:
        """Resumes a paused node, which then detects that it overslept."""
        self.paused = False
        waiting, self._waiting = self._waiting, []
        for resumed in waiting:
            resumed()

    def when_resumed(self, resumed: Callable[[], None]) -> None:
        """Has ``resumed`` called once, as soon as the node is not paused."""
        if self.paused:
            self._waiting.append(resumed)
        else:
            resumed()

    def passes(self, endpoint: Endpoint, *, inbound: bool) -> bool:
        """Decides the fate of one packet from (``inbound``) or to ``endpoint``."""
        if endpoint in (self._blocked_in if inbound else self._blocked_out):
            return False
        return self._loss <= 0.0 or self._rng.uniform(0.0, 1.0) >= self._loss

    def _changed(self) -> None:
        self.stops_some: bool = bool(self._blocked_in or self._blocked_out) or self._loss > 0.0


class FaultyPackets:
    """Packets with faults applied."""

    def __init__(self, inner: Packets, faults: LinkFaults) -> None:
        self._packets = inner
        self._faults = faults

    @property
    def endpoint(self) -> Endpoint:
        """The bound address and port."""
        return self._packets.endpoint

    def receive(self) -> tuple[bytes, Endpoint]:
        """One waiting packet that no fault stops."""
        faults = self._faults
        while True:
            data, source = packet = self._packets.receive()
            passes = not faults.stops_some or faults.passes(source, inbound=True)
            if faults.tap is not None:
                faults.tap.received(source, data, passes=passes)
            if passes:
                return packet

    def send(self, endpoint: Endpoint, data: bytes) -> None:
        """Sends one packet, or loses it silently as a network would."""
        faults = self._faults
        passes = not faults.stops_some or faults.passes(endpoint, inbound=False)
        if faults.tap is not None:
            faults.tap.sent(endpoint, data, passes=passes)
        if passes:
            self._packets.send(endpoint, data)
