"""``swim decode``: what a packet or a stream carries, layer by layer."""
