"""The lists of differences name vectors that exist; that each still differs is seen where it is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.vectors import of_memberlist, of_serf
from tests.vectors.differences import IN_BEHAVIOUR, OF_SERF, ON_THE_WIRE


@pytest.mark.parametrize(
    ("listed", "load"),
    [(ON_THE_WIRE, of_memberlist.load), (IN_BEHAVIOUR, of_memberlist.load), (OF_SERF, of_serf.load)],
    ids=["wire", "behaviour", "serf"],
)
def test_every_difference_names_a_vector(listed: Mapping[str, str], load: Callable[..., list[Any]]) -> None:
    files = {name.partition("/")[0] for name in listed}
    known = {parameter.id for file in files for parameter in load(file)}
    assert {name.partition("@")[0] for name in listed} <= {id.partition("@")[0] for id in known}
