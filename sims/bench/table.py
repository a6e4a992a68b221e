"""How much memory a node takes to know many members: one node without sockets, fed by one push/pull.

Measured in a child process of its own, ``python -m sims.bench.table MEMBERS``, so that nothing else counts.
"""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence

import msgpack  # type: ignore[import-untyped]

from sims.bench.engines import Engine
from sims.bench.options import Options, Samples
from sims.bench.procfs import resident_mib
from swim.commands import Join
from swim.config import Config
from swim.core.output import Dial, StreamEnd
from swim.core.rng import Rng
from swim.node import Node
from swim.wire.codec import encode
from swim.wire.messages import NodeRecord, PushPull

__all__ = ["measure", "table"]

_VERSIONS = bytes((1, 5, 2, 2, 5, 5))
_CHUNK_BYTES = 65_536


def table(_: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Memory of the table of one node that knows ``options.nodes`` members."""
    command = [sys.executable, "-m", "sims.bench.table", str(options.nodes)]
    values = [json.loads(subprocess.check_output(command, timeout=300)) for _ in range(options.runs)]
    return {"swim": {"member table, MiB": values}}


def measure(members: int) -> float:
    """MiB of resident memory that ``members`` members add to this process.

    Raises:
        RuntimeError: if the node did not accept all.
    """
    node = Node(
        Config.lan(name="observer", max_new_members_per_packet=64),
        advertise=("127.0.0.1", 7946),
        bind_port=7946,
        rng=Rng(random.Random(1)),
    )
    node.start(0.0)
    node.do(0.0, Join(["127.0.0.1:7947"]))
    gc.collect()
    before = resident_mib(os.getpid())
    stream = _dialled(node)
    for chunk in _push_pull(members):
        node.receive_stream(0.1, stream, chunk)
    node.stream_ended(0.2, stream, StreamEnd.EOF)
    node.poll()
    gc.collect()
    if len(node.members()) != members + 1:
        raise RuntimeError(f"the node lists {len(node.members())} members instead of {members + 1}")
    return resident_mib(os.getpid()) - before


def _dialled(node: Node) -> int:
    """The id of the stream on which the join's push/pull is due."""
    return next(action.stream_id for action in node.poll().streams if isinstance(action, Dial))


def _push_pull(members: int) -> Iterator[bytes]:
    meta = b"\xff" + msgpack.packb({"build": "1.0.0", "dc": "dc1", "role": "web"}, use_bin_type=False)
    records = (
        NodeRecord(f"member-{i:06}.example", (0x0A000000 + i).to_bytes(4, "big"), 7946, meta, 1, 0, _VERSIONS)
        for i in range(members)
    )
    data = encode(PushPull(True, tuple(records)))
    for start in range(0, len(data), _CHUNK_BYTES):
        yield data[start : start + _CHUNK_BYTES]


if __name__ == "__main__":
    print(measure(int(sys.argv[1])))
