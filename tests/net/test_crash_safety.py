"""A snapshot survives a kill at any moment and damage at any byte: what was synced before it comes back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.processes import environment

_PROGRAM = r"""
import os, random, select, signal, struct, sys, time
from pathlib import Path
from swim.net import snapshot_file
from swim.serf.snapshot import Snapshot

snapshot_file._COMPACT_FROM = 1500  # so that many kills meet a replacement
NUMBER = struct.Struct("<Q")


def lines(number):
    "Member m{number} joins, an earlier one leaves, and the clock tells how far this got."
    return [f"alive: m{number} 10.0.0.1:{port(number)}", f"not-alive: m{number - 20}", f"clock: {number}"]


def port(number):
    return number % 60000 + 1


def model(number, done=3):
    "The state after ``done`` lines of that number."
    listed = range(max(1, number - 20), number + (done > 0))
    alive = {f"m{each}": ("10.0.0.1", port(each)) for each in listed}
    if done > 1:
        alive.pop(f"m{number - 20}", None)
    return alive


def write(path, number, synced):
    "Appends and replaces for ever, and says after each write how far it is synced."
    file = snapshot_file.SnapshotFile(path)
    file.whole = lambda: Snapshot(model(number), clock=number).encode()
    file.next_save()()
    while True:
        for _ in range(random.randrange(1, 6)):
            number += 1
            file.append(lines(number))
        file.next_save()()
        os.write(synced, NUMBER.pack(number))


def kill_once(path, number):
    "Returns how far the killed writer got."
    here, there = os.pipe()
    child = os.fork()
    if not child:
        os.close(here)
        write(path, number, there)
    os.close(there)
    select.select([here], [], [])  # it has begun
    time.sleep(random.random() * 0.01)
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    with open(here, "rb") as pipe:
        synced = NUMBER.unpack(pipe.read()[-NUMBER.size:])[0]
    state = Snapshot.replay(snapshot_file.SnapshotFile(path).text)
    got = state.clock
    assert got >= synced, (got, synced)
    if state.alive != model(got) and state.alive not in (model(got + 1, 1), model(got + 1, 2)):
        raise AssertionError((got, synced, sorted(state.alive)))
    return got


path, number = Path(sys.argv[1]), 20
random.seed(int(sys.argv[3]))
path.write_text("".join(f"{line}\n" for each in range(1, 21) for line in lines(each)))
began = number
for _ in range(int(sys.argv[2])):
    number = kill_once(path, number)
assert number > began + int(sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kills", [200, pytest.param(5000, marks=pytest.mark.deep)])
def test_a_killed_writer_leaves_all_that_it_synced(tmp_path: Path, kills: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "snapshot"), str(kills), "1"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


_FULL_DISK = r"""
import json, logging, resource, sys, trio, swim
from pathlib import Path

directory = Path(sys.argv[1])
logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(levelname)s %(message)s")
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # EFBIG, at the first byte of any file


async def main():
    config = swim.Config.local(name="n1", bind="127.0.0.1:0")
    files = {"data_dir": directory / "data", "tags_file": directory / "tags.json"}
    async with swim.open_cluster(config, **files, leave_timeout=0) as cluster:
        await cluster.set_tags({"role": "web"})
        while not {"members.snapshot", "tags.json"} <= {record.split("/")[-1] for record in warned}:
            await trio.sleep(0.01)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


warned = []
handler = logging.Handler()
handler.emit = lambda record: warned.append(record.getMessage().split(":")[0])
logging.getLogger("swim.cluster").addHandler(handler)
trio.run(main)
assert json.loads((directory / "tags.json").read_text()) == {"role": "web"}
assert "alive: n1 127.0.0.1:" in (directory / "data" / "members.snapshot").read_text()
"""


@pytest.mark.slow
def test_a_node_starts_and_runs_on_a_full_disk_and_writes_once_there_is_room(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("WARNING cannot write") == 2
