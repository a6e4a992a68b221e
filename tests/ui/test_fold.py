"""What the page of ``swim cluster`` makes of the lines of its stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.ui.javascript import running


def line(event: str, sequence: int, **fields: Any) -> dict[str, Any]:
    return {"event": event, "sequence": sequence, "time": "2026-01-01T00:00:00.000Z", **fields}


def test_a_heartbeat_that_overtakes_a_change_does_not_hide_it() -> None:
    """A heartbeat is sent when it is due, with the number of the latest change, which may still wait."""
    old, new = (line("Links", number, cuts=[], loss=loss, delay=0) for number, loss in ((6, 0.1), (7, 0.2)))
    with running(Path(__file__).with_name("fold.mjs")) as js:
        assert js.call("links", old, line("Heartbeat", 7), new)["loss"] == 0.2
        assert js.call("links", new, line("Heartbeat", 7), old)["loss"] == 0.2
