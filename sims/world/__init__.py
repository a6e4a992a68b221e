"""A cluster in virtual time: the clock, the network, the hosts and the nodes on them."""

from sims.world.cpu import Processor
from sims.world.host import SimNode
from sims.world.latency import Constant, Empirical, Exponential, Latency, Uniform
from sims.world.network import Burst, Link, Nat, Network
from sims.world.observer import Observer
from sims.world.world import Start, World

__all__ = [
    "Burst",
    "Constant",
    "Empirical",
    "Exponential",
    "Latency",
    "Link",
    "Nat",
    "Network",
    "Observer",
    "Processor",
    "SimNode",
    "Start",
    "Uniform",
    "World",
]
