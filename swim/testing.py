"""Fault injection: breaks a node's network on purpose, to test a program: ``open_cluster(..., faults=)``."""

from swim.net.faults import LinkFaults as LinkFaults

__all__ = ["LinkFaults"]
