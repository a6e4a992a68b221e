"""What the protocol promises: bounds, formulas and expected traffic, computed from the settings."""
