"""A cluster of sans-I/O nodes on a virtual clock and a virtual network, driven by one heap and one seed.

Time passes only inside ``step``, ``run_for`` and ``run_until``. The same seed and the same calls give the
same run, byte for byte, in every process and on every platform. The nodes are ``swim.node.Node``, unchanged.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterable
from functools import partial
from traceback import walk_tb
from typing import Literal, get_args

from sims.errors import NodeCrashedError, NotConvergedError, SimError, UsageError
from sims.plain import plain_function
from sims.world.context import Context
from sims.world.driver import Driver
from sims.world.fast_wire import FastWire
from sims.world.host import SimNode
from sims.world.hosts import Hosts
from sims.world.logs import named_logs
from sims.world.network import Nat, Network
from sims.world.observer import Observer
from swim import checks
from swim.addresses import Endpoint, join_host_port
from swim.commands import Command, Leave, Rejoin, Ticket
from swim.config import Config
from swim.errors import LocalError
from swim.wire.decode_cache import forget_all
from swim.wire.packet import PacketCodec

__all__ = ["Start", "World"]

Start = Literal["join", "apart", "converged"]
"""How the first nodes start: all join the first one at time 0, each alone, or already knowing each other."""

SETTINGS = checks.instance("a Config, or a function that makes one", Config, call=True)
"""What takes the settings of nodes."""

_ANY_NUMBER = partial(checks.number, at_least=-math.inf)
_RARE_COLLECTIONS = (50_000, 20, 100)
"""Thresholds of Python's garbage collector inside a run: nodes leave no cycles until they end, and searching
the records of a thousand views for them took half of the time."""


class World(Context):
    """A simulated cluster.

    Args:
        seed: decides everything that calls do not decide: latencies, losses, every node's choices.
        nodes: the number of first nodes, named ``n1`` to ``nN``, at ``10.x.y.z:7946``.
        config: settings of every node: a ``Config`` to be renamed, or a callable such as ``Config.lan`` that
            takes ``name``, ``bind`` and ``seeds``.
        network: links and faults; by default exponential latency of 0.5 ms on average and nothing else.
        byte_mode: carry real packets; False carries messages without encoding, faster and otherwise the same.
        start: see ``Start``.
        observers: see ``observe``.

    Raises:
        UsageError: there is no such start, or the network is another world's.
        ConfigError: naming an argument that is wrong; so do the methods.
    """

    @checks.arguments(
        seed=checks.instance("a whole number", int),
        nodes=checks.whole_number,
        config=SETTINGS,
        network=checks.optional(checks.instance("a Network", Network)),
        byte_mode=checks.flag,
        observers=checks.instance("a sequence of observers", Iterable),
    )
    def __init__(
        self,
        seed: int = 0,
        *,
        nodes: int = 50,
        config: Config | Callable[..., Config] = Config.lan,
        network: Network | None = None,
        byte_mode: bool = True,
        start: Start = "join",
        observers: Iterable[Observer] = (),
    ) -> None:
        if start not in get_args(Start):
            raise UsageError(f"start must be one of {', '.join(get_args(Start))}, not {start!r}")
        forget_all()
        super().__init__(seed, network or Network(), PacketCodec if byte_mode else FastWire)
        self.network.enter(self.tell_fault)
        self.hosts = Hosts(self, self, config)
        self.nodes = self.hosts.nodes
        self.driver = Driver(self, self.hosts)
        for observer in observers:
            self.observe(observer)
        self._start_all(nodes, start)

    def _start_all(self, count: int, start: Start) -> None:
        """The first hosts, ``n1`` to ``nN``."""
        first: list[SimNode] = []
        for number in range(1, count + 1):
            seeds = [] if start == "apart" else first
            node = self.hosts.place(f"n{number}", f"n{number}", None, None, seeds)
            first = first or [node]
            if start != "converged":
                self.driver.boot(node, "")
        if count and start == "converged":
            self.driver.boot_converged()

    # -- time

    def step(self) -> bool:
        """Runs the next scheduled call; False if there is none."""
        return self._guarded(self.clock.step)

    @checks.arguments(seconds=checks.number)
    def run_for(self, seconds: float) -> None:
        """Runs for this many virtual seconds."""
        self._guarded(lambda: self.clock.run(self.now + seconds))

    @checks.arguments(limit=checks.number)
    def run_until(self, condition: Callable[[World], bool], limit: float) -> bool:
        """Runs until the condition holds, for at most ``limit`` seconds; returns whether it does.

        The condition is checked after every step, so it should take constant time, like ``world.converged``.
        """
        plain_function("condition", condition)
        if condition(self):
            return True
        return self._guarded(lambda: self.clock.run(self.now + limit, lambda: condition(self)))

    @checks.arguments(limit=checks.number)
    def settle(self, limit: float = 120.0) -> float:
        """Runs until every view lists exactly the running nodes as alive; returns the seconds it took.

        Raises:
            NotConvergedError: if that takes longer than ``limit``.
        """
        began = self.now
        if not self.run_until(lambda world: world.converged, limit):
            raise NotConvergedError(
                f"seed {self.seed}: {self.views.distinct} different views {limit:g} s after {began:g} s"
            )
        return self.now - began

    @property
    def converged(self) -> bool:
        """Whether every running node lists exactly the running nodes as alive. Costs O(1)."""
        return self.views.converged

    @property
    def agree(self) -> bool:
        """Whether all running nodes list the same members with the same status. Costs O(1)."""
        return self.views.agree

    def running(self) -> list[SimNode]:
        """The nodes that run: not paused, crashed, leaving or gone."""
        return [node for node in self.nodes.values() if node.counts]

    # -- hosts and nodes

    @checks.arguments(
        name=checks.text,
        id=checks.text,
        config=checks.optional(SETTINGS),
        endpoint=checks.optional(checks.endpoint),
        seeds=checks.instance("a sequence of hosts or addresses", Iterable, but=(str,)),
        snapshot=checks.instance("a string", str),
    )
    def add(
        self,
        name: str = "",
        *,
        id: str = "",
        config: Config | Callable[..., Config] | None = None,
        endpoint: Endpoint | None = None,
        seeds: Iterable[str | SimNode] = (),
        snapshot: str = "",
    ) -> SimNode:
        """Starts a new host with a node on it.

        Args:
            name: gossip name; by default the next of ``n1``, ``n2``, ...
            id: names the host, if the gossip name cannot (two hosts of one name).
            config: in place of the world's.
            endpoint: in place of the next free address.
            seeds: hosts or addresses it joins.
            snapshot: text from an earlier run.

        Raises:
            UsageError: the id or the address is taken.
        """
        name = name or f"n{len(self.nodes) + 1}"
        node = self.hosts.place(name, id or name, config, endpoint, seeds)
        self.driver.boot(node, snapshot)
        return node

    @checks.arguments(silent=checks.flag)
    def crash(self, node: SimNode | str, *, silent: bool = False) -> None:
        """Kills the process. Afterwards streams are refused, or get no answer if the host is ``silent``."""
        node = self.host(node)
        if node.is_up:
            if silent:
                self.silent.add(node.id)
            self.driver.end(node, "crashed")
            self.tell_fault("crash", node=node.id, silent=silent)

    @checks.arguments(
        endpoint=checks.optional(checks.endpoint),
        snapshot=checks.flag,
        config=checks.optional(checks.instance("a Config", Config)),
    )
    def restart(
        self,
        node: SimNode | str,
        *,
        endpoint: Endpoint | None = None,
        snapshot: bool = True,
        config: Config | None = None,
    ) -> None:
        """Starts a new node on a host; kills the one that runs.

        Args:
            node: which host.
            endpoint: a new address; see ``fresh_endpoint``.
            snapshot: whether to start with the snapshot of the last run.
            config: in place of that of the last run.

        Raises:
            UsageError: a process runs at that address.
        """
        node = self.host(node)
        if endpoint is not None:
            self.hosts.admit(node.id, endpoint)
        self.crash(node)
        self.silent.discard(node.id)
        if endpoint is not None and endpoint != node.endpoint:
            self.hosts.vacate(node.endpoint, node)
            node.endpoint = endpoint
            node.config = node.config.with_changes(bind=join_host_port(*endpoint))
        if config is not None:
            node.config = config
        self.tell_fault("restart", node=node.id, endpoint=join_host_port(*node.endpoint), snapshot=snapshot)
        self.driver.boot(node, node.snapshot if snapshot else "")

    @checks.arguments(seconds=checks.seconds)
    def pause(self, node: SimNode | str, seconds: float | None = None) -> None:
        """Pauses the process, as SIGSTOP does: packets wait in a buffer of 208 KiB, no timer fires."""
        node = self.host(node)
        if node.state == "running":
            self.hosts.set_state(node, "paused")
            if seconds is not None:
                self.at(self.now + seconds, self._resume_from, node, node.life, self.now)
            self.tell_fault("pause", node=node.id, seconds=seconds)

    def resume(self, node: SimNode | str) -> None:
        """Resumes a paused process: first the input that waited, then late timers, reported with the gap."""
        node = self.host(node)
        if node.state != "paused":
            return
        self.hosts.set_state(node, "running")
        self.tell_fault("resume", node=node.id)
        self.driver.catch_up(node)

    @checks.arguments(seconds=checks.number)
    def block(self, node: SimNode | str, seconds: float) -> None:
        """Holds the packets that a node receives and sends, while its timers fire (Lifeguard's anomaly)."""
        node = self.host(node)
        node.blocked_until = max(node.blocked_until, self.now + seconds)
        self.tell_fault("block", node=node.id, seconds=seconds)

    @checks.arguments(ahead=_ANY_NUMBER)
    def set_clock(self, node: SimNode | str, ahead: float) -> None:
        """Sets a host's wall clock so many seconds ahead of the others'; a node that runs learns it."""
        node = self.host(node)
        node.clock_ahead = ahead
        self.tell_fault("clock", node=node.id, ahead=ahead)
        if node.state == "running":
            node.node.set_clock(self.now, self.driver.clock_offset(node))
            self.driver.pump(node)

    @checks.arguments(stop=checks.flag)
    def leave(self, node: SimNode | str, *, stop: bool = True) -> Ticket:
        """Lets a node leave gracefully; with ``stop`` its process ends when that is done."""
        node = self.host(node)
        node.ends_after_leave = stop
        self.tell_fault("leave", node=node.id)
        return self.command(node, Leave())

    def command(self, node: SimNode | str, command: Command) -> Ticket:
        """Gives a node a command.

        Raises:
            LocalError: the node refuses it.
            UsageError: no process runs there, or it is paused.
        """
        node = self.host(node)
        if node.state != "running":
            raise UsageError(f"{node.id} does not run, it is {node.state}")
        self.current = node.id
        with named_logs(self):
            number = node.node.do(self.now, command)
        ticket = node.tickets[number] = Ticket(number)
        self.tell("commanded", node, command, ticket)
        if isinstance(command, Leave | Rejoin):
            node.is_leaving = isinstance(command, Leave)
            node.departure = ticket if node.is_leaving else None
            self.hosts.recount(node)
        self.driver.pump(node)
        return ticket

    def translate(self, node: SimNode | str, nat: Nat | None) -> None:
        """Puts a host behind address translation, or back on the plain network.

        Raises:
            UsageError: a process runs at the public address.
        """
        node = self.host(node)
        if nat is not None:
            self.hosts.admit(node.id, nat.public)
        old = self.network.nats.pop(node.id, None)
        if old is not None:
            self.hosts.vacate(old.public, node)
        if nat is not None:
            self.network.nats[node.id] = nat
            self.hosts.at[nat.public] = node
        self.tell_fault("nat", node=node.id, public=join_host_port(*nat.public) if nat else "")

    def fresh_endpoint(self) -> Endpoint:
        """An address that no host has had."""
        return self.hosts.fresh_endpoint()

    def host(self, node: SimNode | str) -> SimNode:
        """The host with this id.

        Raises:
            UsageError: there is none.
        """
        if isinstance(node, SimNode):
            return node
        found = self.nodes.get(node)
        if found is None:
            raise UsageError(f"node: there is no host {node!r}")
        return found

    def host_at(self, endpoint: Endpoint) -> SimNode | None:
        """The host that packets to ``endpoint`` reach."""
        return self.hosts.at.get(endpoint)

    @checks.arguments(data=checks.instance("bytes", bytes), source=checks.endpoint)
    def inject(self, node: SimNode | str, data: bytes, source: Endpoint) -> None:
        """Gives a node a packet from outside the world, now."""
        node = self.host(node)
        if node.state == "running":
            self.tell_fault("inject", node=node.id, source=join_host_port(*source), data=data.hex())
            node.node.receive_packet(self.now, data, source)
            self.driver.pump(node)

    # -- running nodes

    def _guarded(self, run: Callable[[], bool]) -> bool:
        before = gc.get_threshold()
        gc.set_threshold(*_RARE_COLLECTIONS)
        try:
            with named_logs(self):
                return run()
        except (SimError, LocalError):
            raise
        except Exception as error:
            if not _is_of_a_node(error):
                raise
            raise NodeCrashedError(self.seed, self.now, self.current, error) from error
        finally:
            gc.set_threshold(*before)

    def _resume_from(self, node: SimNode, life: int, paused_at: float) -> None:
        if node.life == life and node.since == paused_at:
            self.resume(node)


_CALL_NODES = {"sims.world.driver", "sims.world.datagrams", "sims.world.streams"}
"""Modules that call nodes; ``world`` and ``clock`` call observers and applications as well."""


def _is_of_a_node(error: Exception) -> bool:
    """Whether the last caller was a node, rather than an application, an observer or the simulator."""
    calls = [str(frame.f_globals.get("__name__", "")) for frame, _ in walk_tb(error.__traceback__)]
    inner = next((i for i in reversed(range(len(calls))) if calls[i].partition(".")[0] == "sims"), -1)
    called = calls[inner + 1 :]
    return bool(called) and (calls[inner] in _CALL_NODES or called[0].partition(".")[0] == "swim")
