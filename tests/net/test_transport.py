"""Real sockets: ports, families, errors that name the field; and the address that peers are told."""

from __future__ import annotations

import logging
import socket

import pytest
import trio

from swim.config import Config
from swim.errors import ConfigError
from swim.net.resolve import choose_advertise, warn_if_exposed
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
    assert await choose_advertise(config, transport) == (told, why)


async def test_bound_to_every_address_a_routable_one_is_advertised(network: MemoryNetwork) -> None:
    (host, port), why = await choose_advertise(Config.lan(name="n"), network.transport("0.0.0.0", 7000))
    assert host not in ("0.0.0.0", "")
    assert port == 7000
    assert why.startswith("bound to every address")


async def test_an_advertised_name_nobody_knows(network: MemoryNetwork) -> None:
    config = Config.lan(name="n", advertise="gone.example")
    with pytest.raises(ConfigError, match=r"advertise: cannot resolve gone\.example"):
        await choose_advertise(config, network.transport("10.0.0.1"))


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
