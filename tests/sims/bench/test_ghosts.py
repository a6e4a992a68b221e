"""Members that do not exist: no failure is noticed late, no newcomer kept out, and they cost little."""

from __future__ import annotations

import pytest

from sims.bench.__main__ import main


@pytest.mark.deep
def test_real_agents_among_ghosts_meet_their_targets() -> None:
    assert main(["ghosts", "--nodes", "5", "--runs", "1", "--window", "10", "--against", "none"]) == 0
