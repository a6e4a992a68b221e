"""An observer reads a cluster's members over real sockets, and reports for each address why it could not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import swim
from sims.bench.ports import free_port
from swim.addresses import join_host_port
from swim.net import observer
from swim.wire.messages import NodeRecord, PushPull

KEY, OTHER = bytes(range(16)), bytes(range(1, 17))


def config(name: str = "n1", **settings: Any) -> swim.Config:
    settings.setdefault("bind", "127.0.0.1:0")
    return swim.Config.local(name=name, **settings)


@contextmanager
def listener(answer: bytes | None) -> Iterator[str]:
    """Accepts one stream and sends ``answer``; None never answers. Yields the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def serve() -> None:
            stream, _ = server.accept()
            with stream:
                if answer is None:
                    over.wait(30)
                    return
                stream.sendall(answer)
                stream.recv(65_536)

        thread = threading.Thread(target=serve)
        thread.start()
        yield join_host_port(*server.getsockname()[:2])
        over.set()
        thread.join()


def failure_of(*addresses: str, timeout: float = 5.0, **given: Any) -> tuple[str, str, int]:
    """Word and text of the first failure, and the exit code."""
    with pytest.raises(swim.ObserverError) as caught:
        observer.observe(addresses, timeout=timeout, **given)
    _, kind, why = caught.value.failures[0]
    return kind, why, caught.value.exit_code


@pytest.mark.parametrize("label", ["", "blue"])
@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("pool", [5, 0])
async def test_a_cluster_is_read_and_notices_nothing(label: str, key: bytes | None, pool: int) -> None:
    keys = () if key is None else (key,)
    tags = {"role": "db"} if pool else {}
    one = config(label=label, keys=keys, delegate_version=pool, tags=tags)
    async with swim.open_cluster(one) as cluster, cluster.events() as events:
        [member] = await swim.observe([join_host_port(*cluster.endpoint)], keys=keys, label=label)
        assert member == cluster.local
        events.close()
        assert [event async for event in events] == []
        assert (cluster.is_alone, cluster.stats().intent_queue) == (True, 0)


async def test_the_first_that_answers_counts() -> None:
    async with swim.open_cluster(config()) as cluster:
        address, closed = join_host_port(*cluster.endpoint), f"127.0.0.1:{free_port()}"
        assert [m.name for m in await swim.observe([closed, f"localhost:{cluster.endpoint[1]}"])] == ["n1"]
        assert [m.name for m in await swim.observe([address, closed])] == ["n1"]


async def test_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    async with swim.open_cluster(config(bind="[::1]:0")) as cluster:
        assert [m.address for m in await swim.observe([join_host_port(*cluster.endpoint)])] == ["::1"]


async def test_keys_and_labels_that_do_not_fit() -> None:
    import trio

    async def failure(cluster: swim.Cluster, **given: Any) -> tuple[str, str, int]:
        return await trio.to_thread.run_sync(lambda: failure_of(join_host_port(*cluster.endpoint), **given))

    async with swim.open_cluster(config(keys=(KEY,))) as encrypted, swim.open_cluster(config()) as plain:
        assert await failure(encrypted) == ("refused", "the cluster is encrypted, and no key was given", 6)
        assert await failure(encrypted, keys=[OTHER]) == (
            "refused", "the cluster is encrypted with another key", 6
        )  # fmt: skip
        assert await failure(plain, keys=[KEY]) == (
            "refused", "the cluster is not encrypted, and a key was given", 6
        )  # fmt: skip
        kind, why, code = await failure(plain, label="blue")
        assert (kind, code) == ("refused", 6)
        assert "its label may not be 'blue'" in why


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\xff" * 100, b"\x06\xc1"]
)
@pytest.mark.parametrize("keys", [[], [KEY]])
def test_what_is_no_member(answer: bytes, keys: list[bytes]) -> None:
    with listener(answer) as address:
        kind, why, code = failure_of(address, keys=keys)
    assert (kind, code) in [("foreign", 4), ("refused", 6)]
    assert why


def test_ports_that_are_closed_silent_or_hang_up() -> None:
    assert failure_of(f"127.0.0.1:{free_port()}") == ("unreachable", "Connection refused", 4)
    with listener(None) as address:
        assert failure_of(address, timeout=0.2) == ("timed-out", "no answer in time", 5)
    with listener(b"") as address:
        kind, why, _ = failure_of(address)
    assert kind == "refused"
    assert "closed without an answer" in why


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    kind, why, code = failure_of("nowhere.example")
    assert (kind, code) == ("unreachable", 4)
    assert "does not resolve" in why


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"addresses": []}, "addresses"), ({"addresses": "127.0.0.1:1"}, "addresses"),
        ({"addresses": ["a:b:c:d/"]}, "addresses"), ({"addresses": ["http://x"]}, "addresses"),
        ({"keys": [b"short"]}, "keys"), ({"label": 7}, "label"), ({"timeout": 0}, "timeout"),
        ({"timeout": "1"}, "timeout"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named(given: dict[str, Any], named: str) -> None:
    with pytest.raises(swim.ConfigError) as caught:
        observer.observe(**{"addresses": ["127.0.0.1:1"], **given})
    assert caught.value.field == named


def test_states_are_memberlists_and_serfs() -> None:
    def record(name: str, state: int) -> NodeRecord:
        return NodeRecord(name, bytes((10, 0, 0, 1)), 7946, None, 3, state, bytes((1, 5, 2, 0, 0, 0)))

    message = PushPull(False, tuple(record(f"n{state}", state) for state in range(4)))
    assert [(m.name, str(m.state)) for m in observer.members_of(message)] == [
        ("n0", "alive"), ("n1", "suspect"), ("n2", "failed"), ("n3", "left")
    ]  # fmt: skip
