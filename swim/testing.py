"""Breaking a node's network on purpose, to see what a program makes of it: ``open_cluster(..., faults=)``."""

from swim.net.faults import LinkFaults as LinkFaults

__all__ = ["LinkFaults"]
