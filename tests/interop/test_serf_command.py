"""The real ``serf`` command, asked about our agent and about Serf's own: it prints the same about both."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio

from tests.interop.conftest import Pen
from tests.interop.peers import OurAgent, SerfAgent
from tests.interop.processes import Process, eventually

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]

KEY = b"0123456789abcdef"
OTHER_KEY = "5K9OtfP7efFrNKe5WCQvXvnaXJ5cWP0SvXiwe0kkjM4="
RPC_AUTH = "s3cret"
TAGS = {"role": "web", "dc": "east", "build": "1"}
MEMBERS: Sequence[Sequence[str]] = (
    ("members",),
    ("members", "-detailed"),
    ("members", "-format=json"),
    ("members", "-format=json", "-detailed"),
    ("members", "-name=b"),
    ("members", "-name=(a|b)"),
    ("members", "-role=web"),
    ("members", "-status=alive"),
    ("members", "-status=failed"),
    ("members", "-tag", "dc=e.*", "-tag", "role=web"),
    ("members", "-tag", "nosuch="),
    ("members", "-tag", "nosuch=x"),
)
COMMANDS: Sequence[Sequence[str]] = (
    *MEMBERS,
    ("info",),
    ("info", "-format=json"),
    ("event", "deploy", "v1.2"),
    ("event", "-coalesce=false", "deploy"),
    ("event", "n" * 300),
    ("event", "big", "x" * 490),
    ("event", "big", "x" * 600),
    ("query", "-timeout=600ms", "load", "15m"),
    ("query", "-timeout=600ms", "-format=json", "load"),
    ("query", "-timeout=600ms", "-no-ack", "-node=b", "-tag", "role=d.*", "-relay-factor=1", "load"),
    ("query", "-timeout=300ms", "-node=nosuch", "load"),
    ("query", "-timeout=300ms", "_serf_foo"),
    ("query", "-timeout=300ms", "big", "x" * 1100),
    ("tags", "-set", "env=prod", "-set", "dc=west", "-delete", "role"),
    ("tags", "-set", "big=" + "x" * 600),
    ("members", "-name=a"),
    ("join", "GOSSIP-OF-B"),
    ("join", "-replay", "GOSSIP-OF-B", "127.0.0.1:1"),
    ("join", "127.0.0.1:1"),
    ("reachability",),
    ("reachability", "-verbose"),
    ("rtt", "b"),
    ("rtt", "a", "b"),
    ("rtt", "nosuch"),
    ("force-leave", "nosuch"),
    ("keys", "-list"),
    ("keys", "-install", "!!!"),
)
KEYS: Sequence[Sequence[str]] = (
    ("keys", "-list"),
    ("keys", "-install", OTHER_KEY),
    ("keys", "-list"),
    ("keys", "-use", OTHER_KEY),
    ("keys", "-remove", OTHER_KEY),
    ("keys", "-remove", "MDEyMzQ1Njc4OWFiY2RlZg=="),
    ("keys", "-use", "MDEyMzQ1Njc4OWFiY2RlZg=="),
    ("keys", "-list"),
    ("members",),
)


QUERY = ("query", "-timeout=300ms")
UNUSUAL: Sequence[Sequence[str]] = (
    *(("members", f"-name={name}") for name in ("", "A", "^a$", r"\w", "(?i)A", "(?P<x>a)")),
    *(("members", f"-status={status}") for status in ("alive|failed", "ALIVE")),
    *(("members", "-tag", tag) for tag in ("role", "role=", "=x")),
    ("members", "-tag", "role=web", "-tag", "role=db"),
    ("members", "-role=web", "-tag", "role=db"),
    ("members", "-role=web", "-name=b"),
    ("members", "-format=json", "-name=zz"),
    *((command, "-format=yaml") for command in ("members", "info")),
    *((command,) for command in ("event", "tags", "join", "rtt", "force-leave", "keys", "query")),
    *((command, "") for command in ("event", "force-leave")),
    ("event", "a", "b", "c"),
    ("event", "ü", "ü"),
    ("event", "a b", "\n"),
    *(("event", "e", "x" * size) for size in (480, 481, 482, 511, 512)),
    (*QUERY, "none-handles-it"),
    (*QUERY, "-no-ack", "none-handles-it"),
    *((*QUERY, f"-relay-factor={factor}", "load") for factor in (0, 5, 255, 256, -1)),
    *((*QUERY, "-tag", tag, "load") for tag in ("role", "", "=", "nosuch=")),
    (*QUERY, "-tag", "role=^d", "-tag", "role=b$", "load"),
    *((*QUERY, "-node=b", other, "load") for other in ("-node=a", "-node=nosuch", "-format=json")),
    *((*QUERY, name) for name in ("", "_serf_ping", "_serf_list-keys", "_serf", "x_serf_")),
    (*QUERY, "_serf_ping", "x"),
    *(("tags", "-set", tag) for tag in ("x", "=v", "a=b=c", "k=", "ü=ö", "one=a;b")),
    ("tags", "-set", "dc=x", "-delete", "dc", "-delete", "nosuch"),
    ("members", "-name=a", "-format=json"),
    ("join", "GOSSIP-OF-B", "GOSSIP-OF-B"),
    ("join", "127.0.0.1:1", "127.0.0.1:2"),
    ("join", "x/127.0.0.1:1"),
    *(("rtt", *names) for names in (("a", "b", "c"), ("nosuch", "b"), ("a", "nosuch"), ("b", "b"))),
    ("force-leave", "-prune", "nosuch"),
    ("force-leave", "a"),
    ("keys", "-list", "-install", "x"),
    *(("keys", change, "!!!") for change in ("-use", "-remove")),
    ("monitor", "-log-level=bogus"),
    ("members",),
)


class Shown(NamedTuple):
    """What a command came to."""

    code: int
    text: Any


class Both:
    """Two clusters of two, alike but for the agent that is asked: one of ours, and one of Serf's."""

    def __init__(self, pen: Pen, **options: Any) -> None:
        self._pen = pen
        tags = dict(TAGS)
        handler = ["query:load=echo 0.42"]
        asked = options | {"tags": tags, "profile": "local", "handlers": ["user:none,member-reap=true"]}
        self.ours = pen.agent("a", rpc=True, **asked)
        self.serfs = pen.serf("a", **asked)
        self.others = [
            pen.serf("b", tags={"role": "db"}, profile="local", handlers=handler, **options) for _ in range(2)
        ]

    @property
    def pairs(self) -> Sequence[tuple[OurAgent | SerfAgent, SerfAgent]]:
        """The agents that are asked, each with its only peer."""
        return ((self.ours, self.others[0]), (self.serfs, self.others[1]))

    async def start(self) -> None:
        for asked, other in self.pairs:
            await other.start()
            await asked.start(other.address)
            await eventually(lambda asked=asked: _is_pair(asked))
        await trio.sleep(2)  # both have probed the other

    async def show(self, *words: str) -> tuple[Shown, Shown]:
        """The same command, about both agents at once."""
        found: dict[int, Shown] = {}

        async def ask(number: int, asked: OurAgent | SerfAgent, other: SerfAgent) -> None:
            text = [other.address if word == "GOSSIP-OF-B" else word for word in words]
            done = await asked.serf(*text)
            out = done.text.replace(other.address, "GOSSIP-OF-B").replace(asked.address, "GOSSIP-OF-A")
            for agent, name in ((asked, "A"), (other, "B")):
                out = re.sub(rf'("port": ){agent.address.rpartition(":")[2]}\b', rf'\1"PORT-OF-{name}"', out)
            found[number] = Shown(done.code, normal(words, out))

        async with trio.open_nursery() as nursery:
            for number, (asked, other) in enumerate(self.pairs):
                nursery.start_soon(ask, number, asked, other)
        return found[0], found[1]

    async def compare(self, commands: Sequence[Sequence[str]]) -> None:
        for words in commands:
            ours, theirs = await self.show(*words)
            assert ours == theirs, words


async def _is_pair(agent: OurAgent | SerfAgent) -> bool:
    return {name: one.status for name, one in (await agent.members()).items()} == {"a": "alive", "b": "alive"}


def normal(words: Sequence[str], text: str) -> Any:
    """The output without what differs from one run of the same agent to the next."""
    if words[0] == "info":
        # Values differ; the tags and which values there are do not.
        return re.sub(r'(:|=) "?[^\n"]*"?(,?)$', r"\1\2", text, flags=re.MULTILINE)
    if words[-1].startswith("-format=json") or "-format=json" in words:
        document = json.loads(text)
        for name in ("members", "Acks"):
            if name in document:
                document[name] = sorted(document[name] or (), key=str)
        return document
    text = re.sub(r"\d+\.\d+ (ms|sec)", r"N \1", text)
    text = re.sub(r"(?i)failed to join .*connection refused", "failed to join", text)
    lines = [
        re.sub(r"\S+=\S+", lambda tags: ",".join(sorted(tags[0].split(","))), line)
        for line in text.splitlines()
    ]
    return sorted(" ".join(line.casefold().split()) for line in lines)


async def test_twelve_commands(pen: Pen) -> None:
    both = Both(pen)
    await both.start()
    await both.compare(COMMANDS)
    await monitor(both)
    for other in both.others:
        other.kill()
    for asked, _ in both.pairs:
        await eventually(lambda asked=asked: _has_failed(asked))
    await both.compare(
        [
            ("members",),
            ("reachability",),
            ("force-leave", "b"),
            ("members", "-status=left"),
            ("force-leave", "-prune", "b"),
            ("members",),
            ("leave",),
        ]
    )
    for asked, _ in both.pairs:
        assert await asked.process.exited() == 0


async def _has_failed(agent: OurAgent | SerfAgent) -> bool:
    return (await agent.members())["b"].status == "failed"


async def monitor(both: Both) -> None:
    """It prints lines of the log, and the events of its time as Serf's command shows them."""
    shown = []
    for asked, other in both.pairs:
        path = Path(both.ours.process.log_path).with_suffix(f".monitor-{asked.rpc_port}")
        watcher = Process(["serf", "monitor", f"-rpc-addr=127.0.0.1:{asked.rpc_port}"], path)
        await eventually(lambda watcher=watcher: "[INFO]" in watcher.log(), describe=watcher.log)
        await trio.sleep(0.5)
        await other.rpc.event("seen", b"w\x01orld")
        await eventually(lambda watcher=watcher: 'Name: "seen"' in watcher.log(), describe=watcher.log)
        await trio.sleep(0.5)
        watcher.interrupt()
        assert await watcher.exited() == 0
        text = watcher.log()
        assert re.search(r"(?m)^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[INFO\] \S+: ", text), text
        blocks = re.findall(r"Event Info:\n((?:\t.*\n)+)", re.sub(r"LTime: \d+", "LTime: N", text))
        shown.append([sorted(block.splitlines()) for block in blocks if '"seen"' in block])
    assert len(shown[0]) == 1
    assert shown[0] == shown[1]


@pytest.mark.deep
async def test_twelve_commands_with_unusual_arguments(pen: Pen) -> None:
    both = Both(pen)
    await both.start()
    await both.compare(UNUSUAL)


async def test_keys_are_rotated_by_the_serf_command(pen: Pen) -> None:
    both = Both(pen, key=KEY)
    await both.start()
    await both.compare(KEYS)


async def test_the_key_of_clients(pen: Pen, tmp_path: Path) -> None:
    """``-rpc-auth`` and ``SERF_RPC_AUTH``, wrong, missing and right."""
    file = tmp_path / "agent.toml"
    file.write_text(f'rpc_auth = "{RPC_AUTH}"')
    agent = pen.agent("a", profile="local", rpc=True, options=["--config", str(file)])
    await agent.start()
    assert "every user of this machine" not in agent.logs()
    for words, code, text in (
        (("members",), 1, "Error retrieving members: Authentication required"),
        (("members", "-rpc-auth=bad"), 1, "Error connecting to Serf agent: Invalid authentication token"),
        (("event", "x"), 1, "Error sending event: Authentication required"),
        (("members", f"-rpc-auth={RPC_AUTH}"), 0, f"a  {agent.address}  alive"),
    ):
        done = await agent.serf(*words)
        assert (done.code, text in done.text) == (code, True), done
