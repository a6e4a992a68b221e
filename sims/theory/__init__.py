"""Theory of the protocol: bounds, formulas and expected traffic, computed from the settings."""
