"""The cluster command: several real nodes on this machine."""
