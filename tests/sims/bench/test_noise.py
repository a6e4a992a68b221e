"""Noise reaches an agent's ports and changes nothing of what it believes."""

from __future__ import annotations

import random
import socket

from sims.bench.engines import Place
from sims.bench.noise import Noise
from swim.config import Config
from swim.core.rng import Rng
from swim.node import Node


def test_noise_adds_no_member_and_nothing_to_pass_on() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gossip,
        socket.create_server(("127.0.0.1", 0)) as tcp,
    ):
        gossip.bind(("127.0.0.1", 0))
        gossip.setblocking(False)
        place = Place("n1", gossip.getsockname()[1], tcp.getsockname()[1])
        node = Node(
            Config(name="n1"),
            advertise=("127.0.0.1", place.gossip_port),
            bind_port=1,
            rng=Rng(random.Random(1)),
        )
        node.start(0.0)
        node.poll()
        received = 0
        with Noise(7) as noise:
            for _ in range(10):
                noise.burst([place])
                while True:
                    try:
                        data, source = gossip.recvfrom(65_536)
                    except BlockingIOError:
                        break
                    node.receive_packet(0.0, data, source)
                    received += 1
        assert received == 200
        assert [member.name for member in node.members()] == ["n1"]
        output = node.poll()
        assert not output.events
        assert not output.streams
