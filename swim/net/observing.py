"""``swim.observe``: who is in a cluster, read without being a member, on trio."""

# ruff: noqa: ASYNC109  one time limit for all addresses, with an error that reports each of them

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import trio

from swim.events import Member
from swim.net import observer

__all__ = ["observe"]


async def observe(
    addresses: Iterable[str], *, keys: Iterable[bytes] = (), label: str = "", timeout: float = 5.0
) -> tuple[Member, ...]:
    """Reads who is in a cluster from the first of its members that answers.

    No cluster runs for it, and nothing is left behind: the observer is no member, at no moment. What it reads
    is that member's memberlist table, so members that failed or left some while ago are missing.

    Args:
        addresses: ``HOST[:PORT]`` of members, tried in order; the port defaults to 7946.
        keys: the cluster's gossip keys, if it is encrypted; the first one encrypts.
        label: the cluster's label.
        timeout: seconds for all addresses together.

    Returns:
        The members, by name.

    Raises:
        ConfigError: naming an argument that is wrong.
        ObserverError: no address answered; it says why for each.
    """
    call = partial(observer.observe, addresses, keys=keys, label=label, timeout=timeout)
    return await trio.to_thread.run_sync(call, abandon_on_cancel=True)
