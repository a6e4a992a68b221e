"""The list of differences names vectors that exist."""

from __future__ import annotations

from tests.wire.differences import DELIBERATE
from tests.wire.vectors import load


def test_every_difference_names_a_vector():
    files = {name.partition("/")[0] for name in DELIBERATE}
    known = {parameter.id for parameter in load(*files)}
    assert set(DELIBERATE) <= known
