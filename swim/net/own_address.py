"""Detects that this machine no longer has the advertised address, as after a new lease or a moved interface.

Such a node cannot be reached, and its own probes fail although the members are healthy. It accuses no member
while the address is gone. If the node chose the address itself, it leaves and joins again at the best address
it has now: memberlist treats a new address of a live member as a name conflict, but not that of one that
left.

Whether members can reach an address that is still there, the wire does not show: acks and nacks do not carry
the address they were sent to. What can be seen is the source address of the streams that this node dials.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from swim.addresses import Endpoint, is_loopback, join_host_port, version_of
from swim.commands import Leave, Rejoin
from swim.errors import ConfigError, LocalError
from swim.net.advertise import best_address
from swim.net.interfaces import is_local
from swim.net.pump import Pump

__all__ = ["OwnAddress"]

_logger = logging.getLogger("swim.net")

_LOOK_EVERY = 1.0
"""Seconds between checks; a check costs a few microseconds, and an idle node makes none."""


class OwnAddress:
    """Watches the advertised address of one node, on the wake-ups of its driver.

    Args:
        driver: of the node.
        is_chosen: whether the node chose the address itself (bound to every address, none given).
        is_ours: whether this machine has an address now.
        choose: the best address of a family and why, as ``best_address``.
    """

    def __init__(
        self,
        driver: Pump,
        *,
        is_chosen: bool,
        is_ours: Callable[[str], bool] = is_local,
        choose: Callable[[int], tuple[str, str]] = best_address,
    ) -> None:
        self._driver = driver
        self._is_chosen = is_chosen
        self._is_ours = is_ours
        self._choose = choose
        host, self._port = driver.node.advertised
        # Behind address translation, this machine never had the advertised address.
        self._was_ours = not is_loopback(host) and is_ours(host)
        self._is_watched = self._was_ours
        self._gone_since: float | None = None
        self._looked_at = -_LOOK_EVERY
        self._source = ""
        self._moves_to: Endpoint | None = None
        driver.woken = self._look

    def pause(self) -> None:
        """The node was asked to leave: it does not rejoin by itself."""
        self._is_watched = False
        self._moves_to = None

    def resume(self) -> None:
        """The node joined again."""
        self._is_watched = self._was_ours

    def _look(self, now: float) -> None:
        """Checks whether the address is still there, at most once a second."""
        if not self._is_watched or now - self._looked_at < _LOOK_EVERY or self._moves_to is not None:
            return
        self._looked_at = now
        node = self._driver.node
        host = node.advertised[0]
        if self._is_ours(host):
            self._look_at_source(host)
            if self._gone_since is not None:
                _logger.warning("own address %s is back after %.0f s", host, now - self._gone_since)
                self._gone_since = None
                self._driver.call(node.cut_off, is_cut_off=False)
            return
        other, why = self._best(version_of(host))
        if self._gone_since is None:
            self._gone_since = now
            self._driver.call(node.cut_off, is_cut_off=True)
            if not (other and self._is_chosen):
                self._warn(host, other)
        if other and self._is_chosen and node.status == "running":
            _logger.warning("own address %s is gone: leaving, to join again at %s (%s)", host, other, why)
            self._move((other, self._port))

    def _look_at_source(self, host: str) -> None:
        """Logs once that streams leave from another address than the advertised one.

        On a machine with several addresses that is no mistake by itself, so the node stays where it is; if
        it is accused again and again, that warning names both.
        """
        source = self._driver.streams.source
        if source in (host, self._source) or not source:
            return
        self._source = source
        self._driver.call(self._driver.node.sends_from, source)
        _logger.info(
            "streams leave from %s, but this node advertises %s: can members reach it there?", source, host
        )

    def _warn(self, host: str, other: str) -> None:
        _logger.warning(
            "own address %s is gone from this machine, which %s: no member can reach this node, "
            "and it accuses none%s",
            host,
            f"has {other} now" if other else "has only loopback now",
            "" if self._is_chosen else "; restart it with another bind or advertise",
        )

    def _best(self, version: int) -> tuple[str, str]:
        try:
            return self._choose(version)
        except ConfigError:
            return "", ""

    def _move(self, endpoint: Endpoint) -> None:
        """Leaves, and joins again at another address once that is done."""
        self._moves_to = endpoint
        self._driver.submit(Leave(), self._left)

    def _left(self) -> None:
        endpoint, driver = self._moves_to, self._driver
        if endpoint is None or driver.node.status != "left":
            return  # the node was asked to leave meanwhile, or was closed
        driver.call(driver.node.cut_off, is_cut_off=False)
        self._gone_since = None
        try:
            driver.submit(Rejoin(advertise=endpoint), self._joined)
        except LocalError as error:
            _logger.warning("not joined again at %s: %s", join_host_port(*endpoint), error)
            self._moves_to = None

    def _joined(self) -> None:
        self._moves_to = None
