"""A node outside the caller's thread: in a thread of its own, with published reads and buffered events."""
