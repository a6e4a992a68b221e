"""Sweeps over scenarios, and the figures and report made from them."""
