"""Gossip keys: rotated while a member is away, and encryption turned on in a running cluster."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import all_show, first_nodes, limit, others, settled, watch_failures
from sims.theory.bounds import detection_bound, join_bound
from sims.world import World
from sims.world.host import SimNode
from swim.commands import Ticket
from swim.keyrings import (
    InstallKey,
    KeyCommand,
    KeyringResult,
    ListKeys,
    RemoveKey,
    UseKey,
    fingerprint,
)

__all__ = ["encryption_migration", "rotate_with_absent_node"]

_OLD, _NEW = bytes(range(16)), bytes(range(32))
_TRIES = 3
_COMMAND_SECONDS = 60.0


@scenario("rotate-with-absent-node", careless=False, at_least={"nodes": 4})
def rotate_with_absent_node(run: Run) -> None:
    """The gossip key is rotated while a member is down: who waits for that member cuts it off from nothing.

    The operator does what `swim keyring rotate` does: it installs the new key, sees that a member failed, and
    goes on only when that member is back and has the key too. With ``careless`` it goes on at once; then the
    member comes back with the old key alone, and stays outside.
    """
    world = settled(run, config=run.config(keys=[_OLD]))
    operator, absent = first_nodes(world, 2, skip=0)
    world.crash(absent)
    awake = others(world, absent)
    run.expect_soon(
        world,
        lambda w: all_show(awake, absent.name, "failed"),
        limit(world, detection_bound),
        "the crash was not detected",
    )
    _ask(run, world, operator, InstallKey(_NEW))
    failures = watch_failures(world)
    if not run["careless"]:
        world.restart(absent)
        run.expect_soon(world, lambda w: w.converged, limit(world, join_bound), "the member is not back")
        _ask(run, world, operator, InstallKey(_NEW))
    for command in (UseKey(_NEW), RemoveKey(_OLD)):
        _ask(run, world, operator, command)
    listed = _ask(run, world, operator, ListKeys())
    run.expect(set(listed.keys) == {_NEW}, "a member holds another key than the new one")
    if run["careless"]:
        world.restart(absent)
    world.run_for(120.0)
    run.measure("cut_off", not all_show(awake, absent.name, "alive"))
    run.measure("failed", len(failures.seconds))
    run.measure("members_with_the_key", listed.keys.get(_NEW, 0))
    if not run["careless"]:
        run.expect(world.converged, "no agreement on who is alive")
        run.expect(not failures.seconds, f"{len(failures.seconds)} nodes declared a member failed")
        keys = {node.key_status().keys for node in world.nodes.values()}
        run.expect(keys == {(fingerprint(_NEW),)}, "a keyring does not hold the new key alone")


def _ask(run: Run, world: World, node: SimNode, command: KeyCommand) -> KeyringResult:
    """What all members answered; asked again if one did not."""
    result = KeyringResult(0, 0)
    for _ in range(_TRIES):
        ticket = node.do(command)
        world.run_until(partial(_is_done, ticket), _COMMAND_SECONDS)
        result = cast(KeyringResult, ticket.result)
        if not result.problem:
            return result
    run.expect(False, f"{type(command).__name__}: {result.problem}: {result.reason}")
    return result


def _is_done(ticket: Ticket, _world: World) -> bool:
    return ticket.is_done


_STEPS: tuple[dict[str, Any], ...] = (
    {"gossip_verify_incoming": False, "gossip_verify_outgoing": False},
    {"gossip_verify_incoming": False, "gossip_verify_outgoing": True},
    {"gossip_verify_incoming": True, "gossip_verify_outgoing": True},
)


@scenario("encryption-migration", every=5.0, at_least={"nodes": 2})
def encryption_migration(run: Run) -> None:
    """Encryption is turned on in a running cluster in three rolling restarts: no member may be failed.

    At the end no node without the key can join, and keys can be rotated.

    ``every``: seconds until the next node's turn.
    """
    world = settled(run)
    failures = watch_failures(world)
    for step in _STEPS:
        for node in list(world.nodes.values()):
            world.restart(node, config=node.config.with_changes(keys=[_OLD], **step))
            world.run_for(run["every"])
    run.expect_soon(world, lambda w: w.converged, limit(world, join_bound), "no agreement")
    run.measure("failed", len(failures.seconds))
    run.expect(not failures.seconds, f"{len(failures.seconds)} nodes declared a member failed")
    first = next(iter(world.nodes.values()))
    plain = world.add("plain", config=first.config.with_changes(keys=[], name="plain"), seeds=[first])
    world.run_for(10.0)
    run.expect(all_show(others(world, plain), "plain", ""), "a node without the key joined")
    world.crash(plain)
    _ask(run, world, first, InstallKey(_NEW))
