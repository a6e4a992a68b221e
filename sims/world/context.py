"""What the parts of a world share: time, randomness, the network, all views, and the observers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

from sims.plain import plain_function
from sims.world.clock import Clock
from sims.world.convergence import Views
from sims.world.network import Network
from sims.world.observer import HOOKS, Observer
from swim import checks
from swim.core.rng import Rng
from swim.wire.packet import WireFactory

__all__ = ["Context"]

_EPOCH_MAX = 4e9


class Context:
    """The part of a ``World`` that its own parts know.

    Attributes:
        seed: decides everything that calls do not decide.
        clock: virtual time.
        network: links and faults.
        wire: how packets are framed.
        views: running digests of every view.
        rng: makes the random choices of the network.
        epoch: Unix time at the start.
        silent: ids of crashed hosts that do not even refuse a stream (power gone).
        current: id of the host that was handled last.
        watches_packets: whether any observer observes single packets.
        observers: those added so far.
    """

    def __init__(self, seed: int, network: Network, wire: WireFactory) -> None:
        self.seed = seed
        self.clock = Clock()
        self.network = network
        self.wire = wire
        self.views = Views()
        self.rng = self.random_for("network")
        self.epoch: float = self.random_for("epoch").uniform(0.0, _EPOCH_MAX)
        self.silent: set[str] = set()
        self.current = ""
        self.watches_packets = False
        self.observers: list[Observer] = []
        self._hooks: dict[str, list[Callable[..., None]]] = {name: [] for name in HOOKS}

    @property
    def now(self) -> float:
        """Virtual seconds since the start."""
        return self.clock.now

    def at(self, when: float, call: Callable[..., object], *args: Any) -> None:
        """Calls ``call(*args)`` at virtual time ``when``.

        Raises:
            UsageError: it is an ``async`` function or a generator.
        """
        checks.number("when", when)
        plain_function("call", call)
        self.clock.at(when, call, *args)

    def random_for(self, *use: str) -> Rng:
        """Random bits for one purpose; a new purpose does not change what the others draw."""
        digest = blake2b("\0".join((str(self.seed), *use)).encode(), digest_size=16).digest()
        return Rng(random.Random(int.from_bytes(digest, "big")))

    # -- observers

    def observe(self, observer: Observer) -> None:
        """Adds an observer; hooks it does not override cost nothing.

        Raises:
            UsageError: a hook is an ``async`` function or a generator.
        """
        checks.instance("an Observer", method="attached")("observer", observer)
        for name in HOOKS:
            plain_function(name, getattr(observer, name))
            if getattr(type(observer), name) is not getattr(Observer, name):
                self._hooks[name].append(getattr(observer, name))
        self.observers.append(observer)
        self.watches_packets = self.watches("sent") or self.watches("received")
        observer.attached(self)

    def hooks(self, hook: str) -> Sequence[Callable[..., None]]:
        """The hooks of this name that observers override; it grows with every observer."""
        return self._hooks[hook]

    def tell(self, hook: str, *what: object) -> None:
        """Calls one hook of every observer that overrides it."""
        for call in self._hooks[hook]:
            call(self, *what)

    def tell_fault(self, kind: str, **detail: object) -> None:
        """Reports a fault or a command to the observers, in the caller's words."""
        self.tell("fault", kind, detail)

    def watches(self, hook: str) -> bool:
        """Whether any observer overrides this hook."""
        return bool(self._hooks[hook])
