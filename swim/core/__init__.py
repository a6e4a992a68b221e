"""SWIM with Lifeguard, as memberlist speaks it. Pure: no clock, no randomness of its own, no sockets."""
