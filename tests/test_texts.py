"""Texts from the network are short wherever they are kept or shown; no flood writes more than it sends."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import msgpack  # type: ignore[import-untyped]
import pytest

from agent_api.cluster import ClusterLike
from agent_api.own.shapes import Observer
from sims.bench.attacks import PACKETS
from swim.cli.logs import LogFormat, LogOutput
from swim.log import log_event
from swim.wire.codec import ERROR_MAX_CHARACTERS, META_MAX_BYTES
from tests.hostile_input import structs
from tests.test_fuzz import Target

LINE_MAX_CHARACTERS = 1000
"""Of any log record: a few names and a sentence around them."""
TEXT_MAX_CHARACTERS = max(ERROR_MAX_CHARACTERS, META_MAX_BYTES) + 40
"""Of any text of a member and of its history: a tag, or what a peer answered, and a few words around it."""
MEMBERS = (b"node-0", b"node-1", b"node-2")


def wordy(random: Random) -> bytes:
    """A recorded message in which one field or two hold a long text, often about a known member."""
    head, fields, rest = random.choice(structs())
    fields = dict(fields)
    for name in (b"Node", b"Name"):
        if name in fields and random.randrange(2):
            fields[name] = random.choice(MEMBERS)
    texts = [name for name, value in fields.items() if isinstance(value, bytes)]
    for name in random.sample(texts, min(len(texts), random.randrange(1, 3))):
        size = random.choice((200, 255, 256, 500, 512, 5000, 60_000))
        fields[name] = (random.choice((b"x", b"\x1b", b"\n", b"\xff", b"\xe2\x82\xac")) * size)[:size]
    return bytes(head + msgpack.packb(fields, use_bin_type=False) + rest)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (*texts(key), *texts(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


@pytest.mark.slow
def test_long_texts_are_cut_before_they_enter_history_logs_and_http(caplog: pytest.LogCaptureFixture) -> None:
    random, target = Random(1), Target(members=5, history_size=100)
    target.on_event = partial(log_event, "node-0")
    caplog.set_level(logging.DEBUG, logger="swim")
    longest, seen = 0, 0
    for _ in range(4000):
        target.give(random.choice(("packet", "member", "member", "stream", "reply")), wordy(random))
        for record in caplog.records:
            longest = max(longest, len(record.getMessage()))
        seen += len(caplog.records)
        caplog.clear()
    assert seen > 1000
    assert 200 < longest <= LINE_MAX_CHARACTERS
    node = target.node
    reads = {name: getattr(node, name) for name in ("member", "history", "detection")}
    observer = Observer(cast(ClusterLike, SimpleNamespace(now=lambda: target.now, **reads)))
    found = list(texts([observer.why(one.name) for one in node.members()]))
    assert 200 < max(map(len, found)) <= TEXT_MAX_CHARACTERS


@pytest.mark.slow
@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("kind", PACKETS)
def test_a_flood_writes_less_than_it_sends(
    kind: str, log_format: LogFormat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    written = path.open("w")
    monkeypatch.setattr(sys, "stderr", written)
    root, random, target = logging.getLogger(), Random(1), Target(members=5)
    target.on_event = partial(log_event, "node-0")
    handlers, levels = root.handlers[:], (root.level, logging.getLogger("swim").level)
    try:
        with LogOutput("debug", log_format) as output:
            output.release()
            for _ in range(600):
                target.packet(PACKETS[kind](random))
                if target.received > 500_000:
                    break
    finally:
        written.close()
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        logging.getLogger("swim").setLevel(levels[1])
    assert path.stat().st_size < target.received + 150 * LINE_MAX_CHARACTERS
