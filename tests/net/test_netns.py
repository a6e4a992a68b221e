"""Agents on real interfaces, in network namespaces of their own: as root, with ``ip``."""

from __future__ import annotations

import pytest

from tests.net.namespaces import NEEDED, Networks

pytestmark = [pytest.mark.peers, pytest.mark.slow, NEEDED]


def test_an_isolated_network_and_an_address_that_changes(networks: Networks) -> None:
    networks.inside("a", "ip", "address", "add", "10.77.0.1/24", "dev", "eth0")
    networks.inside("b", "ip", "address", "add", "10.77.0.2/24", "dev", "eth0")
    networks.agent("a", "--bind", "0.0.0.0:7946")
    networks.agent("b", "--bind", "0.0.0.0:7946", "--retry-join", "10.77.0.1")
    both = {"a": ("10.77.0.1", "alive"), "b": ("10.77.0.2", "alive")}
    networks.wait("a", both)
    networks.wait("b", both)
    networks.inside("a", "ip", "address", "add", "10.77.0.9/24", "dev", "eth0")
    networks.inside("a", "sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=1")
    networks.inside("a", "ip", "address", "del", "10.77.0.1/24", "dev", "eth0")
    moved = both | {"a": ("10.77.0.9", "alive")}
    networks.wait("b", moved)
    networks.wait("a", moved)
    assert "own address 10.77.0.1 is gone" in networks.log("a")
    assert "MemberFailed" not in networks.log("a") + networks.log("b")
    networks.inside("a", "ip", "address", "del", "10.77.0.9/24", "dev", "eth0")
    networks.wait("b", both | {"a": ("10.77.0.9", "failed")})
    assert networks.members("a") == moved
    networks.inside("a", "ip", "address", "add", "10.77.0.9/24", "dev", "eth0")
    networks.wait("b", moved)


def test_an_address_that_streams_do_not_leave_from_is_named(networks: Networks) -> None:
    networks.inside("a", "ip", "address", "add", "10.77.0.1/24", "dev", "eth0")
    networks.inside("a", "ip", "address", "add", "10.77.0.9/24", "dev", "eth0")
    networks.inside("b", "ip", "address", "add", "10.77.0.2/24", "dev", "eth0")
    networks.agent("a", "--bind", "0.0.0.0:7946", "--advertise", "10.77.0.9")
    networks.agent("b", "--bind", "10.77.0.2", "--retry-join", "10.77.0.9:7946")
    both = {"a": ("10.77.0.9", "alive"), "b": ("10.77.0.2", "alive")}
    networks.wait("b", both)
    networks.wait_for("a", "streams leave from 10.77.0.1, but this node advertises 10.77.0.9")
    assert "streams leave from" not in networks.log("b")


def test_no_agent_starts_where_only_loopback_is(networks: Networks) -> None:
    agent = networks.agent("a", "--bind", "0.0.0.0:7946")
    assert agent.wait(30) == 2
    assert "--advertise: bound to every address, but no interface has an IPv4 address" in networks.log("a")


def test_nothing_leaves_loopback(networks: Networks) -> None:
    """As on any laptop: a route exists, and an agent that was not asked to must not use it."""
    for host in "ab":  # or the kernels ask for routers and multicast groups
        networks.inside(host, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
    networks.inside("a", "ip", "address", "add", "10.77.0.1/24", "dev", "eth0")
    networks.inside("b", "ip", "address", "add", "10.77.0.2/24", "dev", "eth0")
    networks.inside("a", "ip", "route", "add", "default", "via", "10.77.0.2")
    before = networks.inside("a", "cat", "/proc/net/dev")
    refused = networks.agent("a", "--retry-join", "10.77.0.2")
    assert refused.wait(30) == 2
    assert "--retry-join: 10.77.0.2 is an address beyond loopback" in networks.log("a")
    networks.agent("a", "--join", "198.51.100.7", "--join", "10.77.0.2:7946")
    networks.wait("a", {"a": ("127.0.0.1", "alive")})
    for address in ("198.51.100.7:4648", "10.77.0.2:7946"):
        networks.wait_for("a", f"failed to join {address}: an address beyond loopback")
    assert packets_out(networks.inside("a", "cat", "/proc/net/dev")) == packets_out(before)


def packets_out(table: str) -> int:
    """Packets sent on eth0, from ``/proc/net/dev``."""
    line = next(line for line in table.splitlines() if line.strip().startswith("eth0:"))
    return int(line.split(":")[1].split()[9])
