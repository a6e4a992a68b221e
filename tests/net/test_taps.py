"""Who listens in on a node's network hears everything, what faults stop included, and changes nothing."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from swim.addresses import Endpoint
from swim.core.output import StreamEnd
from swim.net.faults import LinkFaults
from swim.net.transport import FaultyTransport, SocketTransport


class Ears:
    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []

    def sent(self, endpoint: Endpoint, data: bytes, *, passes: bool) -> None:
        self.heard.append(("sent", data, passes))

    def received(self, source: Endpoint, data: bytes, *, passes: bool) -> None:
        self.heard.append(("received", data, passes))

    def accepted(self, source: Endpoint) -> Ear:
        return Ear(self.heard)

    def dialled(self, endpoint: Endpoint) -> Ear:
        return Ear(self.heard)


class Ear:
    def __init__(self, heard: list[tuple[str, bytes, bool]]) -> None:
        self._heard = heard

    def connected(self, local: Endpoint | None) -> None:
        self._heard.append(("connected", b"", True))

    def failed(self, end: StreamEnd | None) -> None:
        self._heard.append((f"failed: {end}", b"", True))

    def sending(self, data: bytes) -> None:
        self._heard.append(("sending", data, True))

    def received(self, data: bytes) -> None:
        self._heard.append(("got", data, True))

    def closed(self) -> None:
        self._heard.append(("closed", b"", True))


async def test_packets_are_heard_whether_they_pass_or_not() -> None:
    ears, faults = Ears(), LinkFaults()
    faults.tap = ears
    inner = await SocketTransport.bind("127.0.0.1:0")
    transport = FaultyTransport(inner, faults)
    try:
        transport.send(inner.endpoint, b"one")
        await transport.readable()
        assert transport.receive()[0] == b"one"
        inner.send(inner.endpoint, b"two")
        faults.block([inner.endpoint])
        transport.send(inner.endpoint, b"three")
        await transport.readable()
        with pytest.raises(BlockingIOError):
            transport.receive()
    finally:
        transport.close()
    assert ears.heard == [
        ("sent", b"one", True),
        ("received", b"one", True),
        ("sent", b"three", False),
        ("received", b"two", False),
    ]


async def test_streams_are_heard_on_both_sides() -> None:
    ears, faults = Ears(), LinkFaults()
    faults.tap = ears
    inner = await SocketTransport.bind("127.0.0.1:0")
    transport = FaultyTransport(inner, faults)
    with trio.fail_after(10):
        near = await transport.connect(inner.endpoint)
        far, _ = await transport.accept()
        await near.wait_send_all_might_not_block()
        await near.send_all(b"question")
        await near.send_eof()
        assert await far.receive_some() == b"question"
        assert await far.receive_some() == b""
        await far.send_all(bytearray(b"answer"))
        assert await near.receive_some() == b"answer"
        await near.aclose()
        await far.aclose()
    transport.close()
    words = ["connected", "sending", "got", "sending", "got", "closed", "closed"]
    assert [word for word, _, _ in ears.heard] == words
    assert ears.heard[3][1] == b"answer"
