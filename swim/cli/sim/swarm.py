"""``swim sim swarm``: many seeds, each a cluster with its own settings and faults."""

from __future__ import annotations

import click

__all__ = ["swarm"]


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[OPTION]...")
def swarm(arguments: tuple[str, ...]) -> int:
    """Run many seeds; each picks a cluster, its settings and its faults."""
    from sims.swarm.__main__ import main

    return main(arguments, prog="swim sim swarm")
