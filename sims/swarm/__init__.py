"""Swarm testing: one seed picks cluster, settings and faults; safety while they last, liveness afterwards."""

from sims.swarm.many import run_seeds
from sims.swarm.options import SwarmOptions, pick_options
from sims.swarm.run import SwarmResult, run_swarm

__all__ = ["SwarmOptions", "SwarmResult", "pick_options", "run_seeds", "run_swarm"]
