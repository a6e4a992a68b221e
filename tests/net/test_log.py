"""Log records: one per transition, drops collapsed; and what importing the package loads."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from swim.events import Member, MemberFailed, MemberStatus, Query, Reason, UserEvent, VersionTriple
from swim.log import DropLog, log_event
from swim.metrics import Metrics

_ANY = VersionTriple(1, 5, 2)


def test_a_transition_is_logged_with_its_reason_and_accuser(caplog: pytest.LogCaptureFixture) -> None:
    member = Member("web-1", "10.0.0.1", 7946, {}, MemberStatus.FAILED, False, 7, _ANY, _ANY)
    event = MemberFailed(member, reason=Reason("suspicion-expired", "web-2", "no ack"), sequence=3)
    with caplog.at_level(logging.INFO, "swim.members"):
        log_event("web-9", event)
    (record,) = caplog.records
    assert record.getMessage() == "web-1 failed (suspicion-expired by web-2: no ack)"
    assert record.levelno == logging.INFO
    fields = {
        "node": "web-9",
        "event": "MemberFailed",
        "member": "web-1",
        "status": "failed",
        "accuser": "web-2",
    }
    assert fields.items() <= vars(record).items()


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (UserEvent("deploy", b"secret", 9, sequence=4), "user event deploy (6 bytes)"),
        (Query("load", b"secret", "web-2", 9, 77, 1.0, 4), "query load (6 bytes)"),
        (UserEvent("deploy", b"!", 9, sequence=4), "user event deploy (1 byte)"),
    ],
)
def test_user_events_and_queries_are_logged_without_their_payload(
    caplog: pytest.LogCaptureFixture, event: UserEvent | Query, sentence: str
) -> None:
    with caplog.at_level(logging.INFO, "swim.events"):
        log_event("web-9", event)
    (record,) = caplog.records
    assert record.getMessage() == sentence
    assert {"node": "web-9", "bytes": len(event.payload), "ltime": 9, "sequence": 4}.items() <= vars(
        record
    ).items()
    assert "secret" not in str(vars(record))


def test_drops_are_told_at_once_then_collapsed(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    log = DropLog("n", metrics)
    log.look(100.0)
    metrics.count("memberlist.udp.sent", 5)
    metrics.dropped("decrypt")
    for now in (102.0, 103.0, 109.0):
        log.look(now)
        metrics.dropped("decrypt")
        metrics.dropped("cidr")
    assert [record.getMessage() for record in caplog.records] == ["dropped: decrypt 1"]
    for now in (112.5, 130.0):
        log.look(now)
    assert [record.getMessage() for record in caplog.records[1:]] == ["dropped: cidr 3, decrypt 3"]


_LATER = """
    json pickle swim.inspection swim.policies swim.ring swim.ipc swim.cli swim.trace swim.serf.detections
    swim.config.merge_policy swim.coalescing swim.damping swim.net.trace swim.net.data_dir
    swim.net.snapshot_file swim.net.keyring_file swim.net.tags_file swim.net.getifaddrs
"""
NOT_NEEDED = {
    "import swim": "trio asyncio logging socket swim.core swim.net swim.commands",
    "import swim; swim.open_cluster": f"asyncio swim.net.isolated {_LATER}",
    "import swim; swim.asyncio.open_cluster": f"trio swim.net.driver swim.net.isolated.process {_LATER}",
    "import swim; swim.blocking.open_cluster": f"trio asyncio ssl swim.net.driver {_LATER}",
}
"""What is loaded when it is first used, by what is imported."""


@pytest.mark.slow
@pytest.mark.parametrize("code", NOT_NEEDED)
def test_an_import_loads_no_extra_and_nothing_that_few_programs_use(code: str) -> None:
    program = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "swim" in loaded
    extras = "cryptography click rich starlette h11 hypothesis numpy re2"
    assert not loaded & {*extras.split(), *NOT_NEEDED[code].split()}
