"""The same protocol as arrays: 10^4 to 10^6 nodes, or hundreds of small clusters in parallel, in seconds."""

from __future__ import annotations

from sims.model.model import QUANTILES, Result, simulate
from sims.model.state import Setup

__all__ = ["QUANTILES", "Result", "Setup", "simulate"]
