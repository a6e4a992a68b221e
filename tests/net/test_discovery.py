"""Members that find each other by mDNS, on real interfaces in network namespaces."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest

from tests.interop.processes import require
from tests.net.namespaces import NEEDED, Networks

pytestmark = [pytest.mark.peers, pytest.mark.slow, NEEDED]

pytest.importorskip("zeroconf")
BOTH = {"a": ("10.77.0.1", "alive"), "b": ("10.77.0.2", "alive")}


@pytest.fixture
def cable(networks: Networks) -> Networks:
    for host, address in (("a", "10.77.0.1"), ("b", "10.77.0.2")):
        networks.inside(host, "ip", "address", "add", f"{address}/24", "dev", "eth0")
        networks.inside(host, "ip", "route", "add", "224.0.0.0/4", "dev", "eth0")
    return networks


def until(condition: Callable[[], object], describe: Callable[[], str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, describe()
        time.sleep(0.2)


def test_two_agents_of_one_name_find_each_other_and_others_do_not(cable: Networks) -> None:
    cable.agent("a", "--bind", "10.77.0.1", "--discover", "web", "--mdns-interface", "eth0")
    cable.agent("b", "--bind", "10.77.0.2", "--discover", "web", "--mdns-disable-ipv6")
    cable.wait("a", BOTH)
    cable.wait("b", BOTH)
    assert "found by mDNS" in cable.log("a") + cable.log("b")
    assert "mDNS does not work" not in cable.log("a") + cable.log("b")


def test_what_goes_wrong_is_one_warning_and_the_node_goes_on(cable: Networks) -> None:
    cable.agent("a", "--bind", "10.77.0.1", "--discover", "web", "--mdns-interface", "no-such")
    cable.agent("b", "--bind", "10.77.0.2", "--discover", "db", "--retry-join", "10.77.0.1:4648")
    cable.wait("b", BOTH)
    assert cable.log("a").count("the interface no-such is not up") == 1


def test_a_real_serf_agent_is_found(cable: Networks) -> None:
    require("serf")
    command = ["ip", "netns", "exec", cable.prefix + "b", "serf", "agent", "-node", "b"]
    command += ["-bind", "10.77.0.2", "-profile", "local", "-discover", "web"]
    with open(cable.directory / "b.log", "ab") as log:
        cable.agents.append(subprocess.Popen(command, stdout=log, stderr=log))
    until(lambda: "Serf agent running" in cable.log("b"), lambda: cable.log("b"))
    cable.agent("a", "--bind", "10.77.0.1:7946", "--discover", "web")
    cable.wait("a", BOTH)
    assert "EventMemberJoin: a " in cable.log("b")
