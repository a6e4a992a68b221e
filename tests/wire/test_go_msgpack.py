"""msgpack in steps."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_LONG_CONTAINERS = """
import msgpack
from swim.wire.go_msgpack import new_unpacker
data = msgpack.packb({number: list(range(3000)) for number in range(300)})
unpacker = new_unpacker(len(data))
unpacker.feed(data)
for number in range(unpacker.read_map_header()):
    assert unpacker.unpack() == number
    assert [unpacker.unpack() for _ in range(unpacker.read_array_header())] == list(range(3000))
assert unpacker.tell() == len(data)
"""


@pytest.mark.slow
@pytest.mark.parametrize("pure_python", ["", "1"])
def test_long_containers_are_read_in_steps(pure_python):
    environment = os.environ | {"MSGPACK_PUREPYTHON": pure_python}
    assert (
        subprocess.run([sys.executable, "-c", _LONG_CONTAINERS], env=environment, check=False).returncode == 0
    )
