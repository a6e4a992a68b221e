"""Access control by tokens, as in Nomad: which client may do what."""
