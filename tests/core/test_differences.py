"""The list of differences names vectors that exist; that each still differs is seen where it is run."""

from __future__ import annotations

from tests.core.differences import DELIBERATE
from tests.wire.vectors import load


def test_every_difference_names_a_vector() -> None:
    files = {name.partition("/")[0] for name in DELIBERATE}
    assert set(DELIBERATE) <= {parameter.id for parameter in load(*files)}
