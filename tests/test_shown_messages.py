"""How a message of an application is shown: in the log, over HTTP, and by ``swim cluster``."""

from __future__ import annotations

import logging

import pytest

from agent_api.shapes import event_shape
from swim.cli.cluster.view import line
from swim.events import UserMessage
from swim.log import log_event


def test_it_is_logged_at_debug_without_its_payload(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "swim.events"):
        log_event("web-9", UserMessage("web-2", b"secret", True, 4))
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("DEBUG", "broadcast from web-2 (6 bytes)")
    assert "secret" not in str(vars(record))


def test_over_http_its_payload_is_in_base64() -> None:
    assert event_shape(UserMessage("web-2", b"?", True, 6)) == {
        "event": "UserMessage", "sequence": 6, "source": "web-2", "payload": "Pw==", "broadcast": True,
    }  # fmt: skip


@pytest.mark.parametrize(("is_broadcast", "what"), [(False, "message"), (True, "broadcast")])
def test_swim_cluster_prints_its_size(is_broadcast: bool, what: str) -> None:
    message = UserMessage("web-2", b"v1", is_broadcast)
    assert line(1.0, "node-1", message) == f"    1.000  node-1  {what} from web-2  (2 bytes)"
