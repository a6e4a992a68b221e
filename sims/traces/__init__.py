"""Runs as JSON lines: writing, comparing and reading them."""
