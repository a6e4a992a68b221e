"""From settings to a node that has not started yet: the same for every driver."""

from __future__ import annotations

import logging
import os
from functools import partial

from swim.addresses import Endpoint, join_host_port, split_bind
from swim.config import Config
from swim.core.rng import Rng
from swim.log import report
from swim.net.advertise import warn_if_exposed
from swim.node import Node

__all__ = ["SystemBits", "make_node"]

_logger = logging.getLogger("swim.cluster")

_NONCE_BYTES = 12
_POOL_BYTES = 1024
_WORD_BITS = 64


class SystemBits:
    """The system's random bits, unguessable as ``random.SystemRandom``'s, with few system calls.

    A node draws several times a second, and each system call takes longer than the rest of a draw.
    """

    __slots__ = ("_words",)

    def __init__(self) -> None:
        self._words: list[int] = []

    def getrandbits(self, k: int, /) -> int:
        """A uniformly random integer of ``k`` bits."""
        if k > _WORD_BITS:
            return int.from_bytes(os.urandom((k + 7) // 8)) >> -k % 8
        if not self._words:
            self._words = memoryview(os.urandom(_POOL_BYTES)).cast("Q").tolist()
        return self._words.pop() >> (_WORD_BITS - k)


def make_node(config: Config, bound: Endpoint, advertised: Endpoint, why: str, *, snapshot: str = "") -> Node:
    """Makes the node, and logs its addresses.

    Args:
        config: the settings.
        bound: address and port of its sockets.
        advertised: sent to peers.
        why: how that was chosen.
        snapshot: of an earlier run.
    """
    at, as_ = join_host_port(*bound), join_host_port(*advertised)
    report(
        _logger, logging.INFO, "bound", "bound to %s, advertising %s (%s)", at, as_, why,
        node=config.name, bound=at, advertised=as_, reason=why,
    )  # fmt: skip
    warn_if_exposed(config, bound, advertised)
    _, ports = split_bind("bind", config.bind)
    return Node(
        config,
        advertise=advertised,
        bind_port=ports[0] if len(ports) > 1 else bound[1],
        rng=Rng(SystemBits()),  # sequence numbers must not be guessable
        nonce=partial(os.urandom, _NONCE_BYTES),
        snapshot=snapshot,
    )
