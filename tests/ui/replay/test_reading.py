"""Files that are no trace, or half of one, or too long: each has a sentence."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from swim.trace import FORMAT, encode, header
from tests.ui.javascript import Program

HEAD = encode(header(1, {"by": "test"}, "all"))
HOSTILE = '<img src=x onerror=alert(1)>‮"kind":"send"'


def event(at: float, node: str = "n1", member: str = "n2", after: str = "alive") -> str:
    return encode(
        {
            "after": after,
            "at": at,
            "before": "unknown",
            "cause": "local",
            "event": "joined",
            "incarnation": 1,
            "kind": "event",
            "member": member,
            "node": node,
            "sequence": 1,
        }
    )


def written(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "run.jsonl: an empty file, not a trace"),
        ("hello\n", "run.jsonl: not a trace: the first line is not its header"),
        (b"\x00\xff\xfe\n\n", "run.jsonl: not a trace: the first line is not its header"),
        (event(1.0), "run.jsonl: not a trace: the first line is not its header"),
        ("[]\n", "run.jsonl: not a trace: the first line is not its header"),
        (
            json.dumps({**json.loads(HEAD), "format": FORMAT + 1}),
            f"run.jsonl: trace format {FORMAT + 1}; this version reads {FORMAT}",
        ),
        (
            json.dumps({**json.loads(HEAD), "format": "<b>"}),
            f'run.jsonl: trace format "<b>"; this version reads {FORMAT}',
        ),
        (HEAD + "x" * (9 << 20), "run.jsonl, line 2: too long for a trace"),
        (gzip.compress(HEAD.encode())[:-9] + b"\1" * 40, "run.jsonl: it cannot be read: "),
    ],
)  # fmt: skip
def test_what_is_no_trace_has_a_sentence(js: Program, file: Path, text: str | bytes, sentence: str) -> None:
    assert js.call("refusal", written(file, text), {}).startswith(sentence)


def test_the_format_is_that_of_the_writer(js: Program, file: Path) -> None:
    assert js.call("read", written(file, HEAD + event(1.0)), {})["records"] == 1


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_file_cut_in_the_middle_is_shown_as_far_as_it_goes(js: Program, file: Path, cut: int) -> None:
    found = js.call("read", written(file, HEAD + event(1.0) + event(2.0)[:-cut]), {})
    if cut == 1:  # only the line's end is missing
        assert (found["records"], found["notices"]) == (2, [])
        return
    assert (found["records"], found["end"]) == (1, 1.0)
    assert found["notices"] == [
        "The file ends in the middle of line 3: it was cut. Only the 1 record before it can be shown."
    ]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense\n",
        "null\n",
        "{}\n",
        '{"kind":"event"}\n',
        event(1.0).replace('"at":1.0', '"at":-1'),
        event(1.0).replace('"at":1.0', '"at":"soon"'),
        event(1.0).replace('"at":1.0', '"at":1e999'),
        event(1.0).replace('"member":"n2"', '"member":{}'),
        '{"at":1,"fate":"sent","from":"a","kind":"send","messages":[7],"packet":1,"to":"b"}\n',
        '{"at":1,"fate":"sent","from":"a","kind":"send","messages":{},"packet":1,"to":"b"}\n',
        '{"at":1,"fate":"sent","from":"a","kind":"send","packet":"x","to":"b"}\n',
        '{"at":1,"fault":7,"kind":"fault"}\n',
        '{"at":1,"fault":"crash","kind":"fault","node":["n1"]}\n',
    ],
)
def test_a_broken_line_ends_the_trace(js: Program, file: Path, line: str) -> None:
    found = js.call("read", written(file, HEAD + event(0.5) + line + event(9.0)), {})
    assert (found["records"], found["end"]) == (1, 0.5)
    assert found["notices"] == ["Line 3 is not a line of a trace. Only the 1 record before it can be shown."]


def test_a_clock_that_goes_back_is_reported_and_time_never_decreases(js: Program, file: Path) -> None:
    text = HEAD + event(10.0) + event(9.9) + event(3.0) + event(4.0) + event(11.0)
    found = js.call("read", written(file, text), {})
    assert found["times"] == [10.0, 10.0, 10.0, 10.0, 11.0]
    assert found["notices"] == [
        "At line 4 the clock goes back by 7.000 s. Records are shown in the order of the file; "
        "those with earlier times stand at the latest time before them."
    ]


def test_a_clock_that_leaps_ahead_is_reported(js: Program, file: Path) -> None:
    found = js.call("read", written(file, HEAD + event(1.0) + event(1e9)), {})
    assert found["notices"] == [
        "At line 3 the clock leaps ahead by 999999999 s. Records are shown in the order of the file."
    ]


def test_records_of_a_later_version_are_kept(js: Program, file: Path) -> None:
    text = HEAD + '{"at":1.0,"kind":"weather","what":"rain"}\n' + event(2.0)
    assert js.call("read", written(file, text), {})["records"] == 2


def test_of_several_worlds_the_first_is_shown(js: Program, file: Path) -> None:
    found = js.call("read", written(file, HEAD + event(1.0) + '{"kind":"world","seed":2}\n' + event(0.5)), {})
    assert found["records"] == 1
    assert "several worlds" in found["notices"][0]


def test_a_gzipped_trace_that_is_cut_is_shown_as_far_as_it_goes(js: Program, file: Path) -> None:
    text = HEAD + "".join(event(float(number)) for number in range(20_000))
    found = js.call("read", written(file, gzip.compress(text.encode())[:-2000]), {})
    assert 1000 < found["records"] < 20_000, found
    [notice] = found["notices"]
    assert notice.startswith(f"The file cannot be read beyond line {found['records'] + 1}: it was cut")


def test_a_gzipped_trace_is_the_same(js: Program, file: Path) -> None:
    text = HEAD + event(1.0)
    plain = js.call("read", written(file, text), {})
    assert js.call("read", written(file, gzip.compress(text.encode())), {}) == plain


def test_names_are_only_names(js: Program) -> None:
    names = [HOSTILE, "__proto__", "constructor", "a" * 128, "‮evil", "💥"]
    text = HEAD + "".join(event(1.0, "n1", name) + event(1.0, name, "n1") for name in names)
    (views,) = js.call("views", text, [2 * len(names)])
    assert views["n1"]["table"] == {name: ["alive", 1] for name in names}
    assert all(views[name]["table"] == {"n1": ["alive", 1]} for name in names if name != "__proto__")


@pytest.mark.slow
def test_more_than_200_000_records_are_asked_about_and_their_events_can_be_read_alone(
    js: Program, file: Path
) -> None:
    packet: dict[str, Any] = {"at": 1.0, "bytes": 9, "fate": "sent", "from": "n1", "kind": "send"}
    line = encode({**packet, "messages": [{"type": "ping"}], "packet": 1, "to": "n2"})
    with file.open("w") as out:
        out.write(HEAD)
        for number in range(21):
            out.write(line * 10_000 + event(1.0 + number, "n1", HOSTILE))
    assert js.call("refusal", str(file), {}) == "run.jsonl: more than 200,000 records"
    found = js.call("read", str(file), {"eventsOnly": True})
    assert (found["records"], found["end"]) == (21, 21.0)
    assert found["notices"] == ["Only transitions and faults are loaded; 210,000 packet records left out."]


@pytest.mark.deep
def test_two_gigabytes_are_read_in_slices(js: Program, file: Path) -> None:
    line = encode({"at": 1.0, "from": "n1", "kind": "recv", "packet": 1, "to": "n2", "why": "x" * 900})
    with file.open("w") as out:
        out.write(HEAD)
        for number in range(210):
            out.write(line * 10_000 + event(1.0 + number))
    assert file.stat().st_size > 2_000_000_000
    assert js.call("read", str(file), {"eventsOnly": True})["records"] == 210
    assert js.call("memory") < 400_000_000
