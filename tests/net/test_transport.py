"""Real sockets: ports, families, errors that name the field; and the advertised address."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket

import pytest
import trio

from swim.addresses import join_host_port
from swim.config import Config
from swim.errors import ConfigError
from swim.net.advertise import advertised_endpoint, best_address, warn_if_exposed
from swim.net.interfaces import Interface, interfaces, is_local
from swim.net.transport import SocketTransport
from tests.net.memory import MemoryNetwork


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "[::1]:0", "localhost:0"])
async def test_packets_and_streams_share_a_free_port(bind: str) -> None:
    one, two = await SocketTransport.bind(bind), await SocketTransport.bind(bind)
    try:
        assert one.endpoint[1] != two.endpoint[1] != 0
        with pytest.raises(BlockingIOError):
            two.receive()
        for data in (b"", b"x" * 60_000):
            one.send(two.endpoint, data)
            with trio.fail_after(5):
                await two.readable()
            assert two.receive() == (data, one.endpoint)
        near = await one.connect(two.endpoint)
        far, source = await two.accept()
        assert source[0] == one.endpoint[0]
        async with near, far:
            await near.send_all(b"hello")
            assert await far.receive_some(10) == b"hello"
    finally:
        one.close()
        two.close()


async def test_the_other_address_family_is_not_dialled() -> None:
    transport = await SocketTransport.bind("127.0.0.1:0")
    with pytest.raises(OSError, match="family"):
        await transport.connect(("::1", 7946))
    transport.close()


async def test_an_ipv6_node_leaves_the_same_ipv4_port_free() -> None:
    wide = await SocketTransport.bind("[::]:0")
    narrow = await SocketTransport.bind(f"127.0.0.1:{wide.endpoint[1]}")
    narrow.close()
    wide.close()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_a_port_in_use_is_named(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ConfigError) as raised:
            await SocketTransport.bind(f"127.0.0.1:{port}")
    word = "TCP" if kind == socket.SOCK_STREAM else "UDP"
    assert str(raised.value) == f"bind: {word} port {port} on 127.0.0.1 is in use; choose another with bind"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_of_a_range_the_first_free_port_is_taken(kind: socket.SocketKind) -> None:
    host = f"127.77.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"  # all ports are free there
    bind = f"{host}:7946-7948"
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind((host, 7947))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        taken = [await SocketTransport.bind(bind) for _ in range(2)]
        assert [transport.endpoint for transport in taken] == [(host, 7946), (host, 7948)]
        with pytest.raises(ConfigError) as raised:
            await SocketTransport.bind(bind)
        assert (
            str(raised.value) == f"bind: no port from 7946 to 7948 on {host} is free; choose others with bind"
        )
        taken[0].close()
        taken[0] = await SocketTransport.bind(bind)
        assert taken[0].endpoint == (host, 7946)
        for transport in taken:
            transport.close()


async def test_a_range_does_not_help_where_the_address_is_wrong() -> None:
    with pytest.raises(ConfigError, match=r"^bind: 192.0.2.1 is not an address of this machine$"):
        await SocketTransport.bind("192.0.2.1:7946-8945")


@pytest.mark.parametrize(
    ("bind", "reason"),
    [("192.0.2.1:7946", "192.0.2.1 is not an address of this machine"), ("127.0.0.1", "has no port")],
)
async def test_an_address_that_cannot_be_bound(bind: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as raised:
        await SocketTransport.bind(bind)
    assert raised.value.field == "bind"


@pytest.mark.parametrize(
    ("bound", "advertise", "told", "why"),
    [
        ("10.0.0.1", None, ("10.0.0.1", 7000), "the bound address"),
        ("10.0.0.1", "10.9.9.9", ("10.9.9.9", 7000), "set by advertise"),
        ("10.0.0.1", "10.9.9.9:1", ("10.9.9.9", 1), "set by advertise"),
        ("10.0.0.1", "node.example:1", ("10.7.7.7", 1), "set by advertise"),
        ("fd00::1", "node.example", ("fd00::7", 7000), "set by advertise"),
    ],
)
async def test_the_advertised_address(
    network: MemoryNetwork, bound: str, advertise: str | None, told: tuple[str, int], why: str
) -> None:
    network.names = {"node.example": ["10.7.7.7", "fd00::7"]}
    transport = network.transport(bound, 7000)
    config = Config.lan(name="n", bind="127.0.0.1:0", advertise=advertise)
    assert await advertised_endpoint(config, transport) == (told, why)


def interface(name: str, address: str, *, is_running: bool = True) -> Interface:
    return Interface(name, ipaddress.ip_interface(address), is_running)


LO = [interface("lo", "127.0.0.1/8"), interface("lo", "::1/128")]


@pytest.mark.parametrize(
    ("listed", "default", "chosen"),
    [
        (["eth0 10.0.0.5/24"], "", "10.0.0.5"),  # an isolated network: no route to any other
        (["eth0 203.0.113.5/24", "eth1 10.0.0.5/24"], "203.0.113.5", "10.0.0.5"),
        (["eth0 203.0.113.5/24"], "", "203.0.113.5"),
        (["eth0 10.0.0.5/24", "eth1 192.168.1.5/24"], "192.168.1.5", "192.168.1.5"),
        (["eth0 10.0.0.5/24", "eth1 10.1.0.5/16"], "", "10.1.0.5"),
        (["docker0 172.17.0.1/16 down", "eth0 10.0.0.5/24"], "", "10.0.0.5"),
        (["eth0 169.254.7.7/16", "eth1 203.0.113.5/24"], "", "203.0.113.5"),
        (["eth0 169.254.7.7/16"], "", "169.254.7.7"),
        (["eth0 100.64.0.9/10", "eth1 8.8.8.8/24"], "8.8.8.8", "100.64.0.9"),
        (["eth0 fe80::1/64", "eth0 2001:db8::1/64", "eth0 fd00::1/64"], "2001:db8::1", "fd00::1"),
    ],
)
async def test_bound_to_every_address_the_best_of_the_interfaces_is_advertised(
    network: MemoryNetwork, listed: list[str], default: str, chosen: str
) -> None:
    parts = [line.split() for line in listed]
    found = LO + [interface(name, address, is_running=not more) for name, address, *more in parts]
    bound = "::" if ":" in chosen else "0.0.0.0"
    (host, port), why = await advertised_endpoint(
        Config.lan(name="n"), network.transport(bound, 7000), found=lambda: found, outward=lambda _: default
    )
    assert (host, port) == (chosen, 7000)
    assert why.startswith("bound to every address; ")
    name = next(one.name for one in found if str(one.address.ip) == chosen)
    assert f"of {name}" in why
    others = [
        str(one.address.ip) for one in found if one.name != "lo" and ":" not in f"{chosen}{one.address}"
    ]
    assert all(other in why for other in others if other != chosen)


@pytest.mark.parametrize(("bound", "listed"), [("0.0.0.0", []), ("::", []), ("0.0.0.0", ["eth0 fd00::1/64"])])
async def test_no_loopback_is_advertised_from_a_wildcard(
    network: MemoryNetwork, bound: str, listed: list[str]
) -> None:
    found = LO + [interface(*line.split()) for line in listed]
    with pytest.raises(ConfigError, match="advertise: bound to every address, but no interface has"):
        await advertised_endpoint(
            Config.lan(name="n"), network.transport(bound), found=lambda: found, outward=lambda _: ""
        )


def test_where_interfaces_are_not_listed_the_default_route_decides() -> None:
    def unlisted() -> list[Interface]:
        raise OSError

    assert best_address(4, unlisted, lambda _: "10.0.0.5")[0] == "10.0.0.5"
    with pytest.raises(ConfigError, match="advertise"):
        best_address(4, unlisted, lambda _: "")


def test_the_interfaces_of_this_machine() -> None:
    found = interfaces()
    assert ("127.0.0.1/8") in {str(one.address) for one in found}
    assert all(is_local(str(one.address.ip)) for one in found if not one.address.is_link_local)
    assert not is_local("198.51.100.7")


@pytest.mark.parametrize(
    ("bound", "advertise", "wrong"),
    [
        ("10.0.0.1", "0.0.0.0", "an unspecified address"),
        ("10.0.0.1", "[::]:1", "an unspecified address"),
        ("0.0.0.0", "224.0.0.1", "a multicast address"),
        ("0.0.0.0", "255.255.255.255:7", "the broadcast address"),
        ("0.0.0.0", "10.0.0.255", "the broadcast address of eth0"),
        ("::", "fe80::1", "a link-local address"),
        ("0.0.0.0", "fd00::1", "an IPv6 address"),
        ("fd00::1", "10.0.0.1", "an IPv4 address"),
        ("127.0.0.1", "10.0.0.1", "an address beyond loopback"),
        ("10.0.0.1", "127.0.0.1", "a loopback address"),
        ("10.0.0.1", "loop.example", "a loopback address"),
    ],
)
async def test_an_address_that_no_peer_reaches_is_not_advertised(
    network: MemoryNetwork, bound: str, advertise: str, wrong: str
) -> None:
    network.names = {"loop.example": ["127.0.0.1"]}
    with pytest.raises(ConfigError, match=f"^advertise: .*{wrong}"):
        await advertised_endpoint(
            Config.lan(name="n", advertise=advertise),
            network.transport(bound),
            found=lambda: [interface("eth0", "10.0.0.5/24")],
        )


@pytest.mark.parametrize("bind", ["224.0.0.1:1", "255.255.255.255:1", "[ff02::1]:1", "[fe80::1%lo]:1"])
def test_an_address_that_nobody_can_have_is_not_bound(bind: str) -> None:
    with pytest.raises(ConfigError, match=r"^bind: .* is "):
        Config.lan(name="n", bind=bind)


@pytest.mark.parametrize(
    ("bound", "seed", "wrong"),
    [
        ("127.0.0.1", "198.51.100.7:7946", "beyond loopback"),
        ("127.0.0.1", "node/10.0.0.1", "beyond loopback"),
        ("10.0.0.1", "[fd00::1]:7946", "IPv6"),
    ],
)
async def test_a_seed_out_of_reach_is_an_error_at_the_start(
    network: MemoryNetwork, bound: str, seed: str, wrong: str
) -> None:
    config = Config.lan(name="n", seeds=["127.0.0.1", seed] if "." in bound else [seed])
    with pytest.raises(ConfigError, match=f"^seeds: .*{wrong}.*set bind"):
        await advertised_endpoint(config, network.transport(bound))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1"])
async def test_streams_leave_from_the_bound_address(host: str) -> None:
    near = await SocketTransport.bind(join_host_port(host, 0))
    far = await SocketTransport.bind("[::1]:0" if ":" in host else "127.0.0.1:0")
    async with await near.connect(far.endpoint):
        stream, source = await far.accept()
        await stream.aclose()
        assert source[0] == host
    near.close()
    far.close()


@pytest.mark.parametrize("host", ["192.0.2.99", "169.254.169.254", "255.255.255.255"])
async def test_bound_to_loopback_nothing_leaves_it(host: str) -> None:
    transport = await SocketTransport.bind("127.0.0.1:0")
    with pytest.raises(OSError, match=r".+"):
        transport.send((host, 7946), b"x")
    with pytest.raises(OSError, match=r".+"):
        await transport.connect((host, 7946))
    transport.close()


async def test_an_advertised_name_nobody_knows(network: MemoryNetwork) -> None:
    config = Config.lan(name="n", advertise="gone.example")
    with pytest.raises(ConfigError, match=r"advertise: cannot resolve gone\.example"):
        await advertised_endpoint(config, network.transport("10.0.0.1"))


@pytest.mark.parametrize(
    ("host", "keys", "warnings"), [("127.0.0.1", (), 0), ("10.0.0.1", (), 1), ("10.0.0.1", (b"k" * 16,), 0)]
)
def test_one_loud_warning_beyond_loopback_without_a_key(
    host: str, keys: tuple[bytes, ...], warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "swim"):
        warn_if_exposed(Config.lan(name="n", keys=keys), (host, 1), (host, 1))
    assert len(caplog.records) == warnings
    assert all("INSECURE" in record.message and host in record.message for record in caplog.records)
