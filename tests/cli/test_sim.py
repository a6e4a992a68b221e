"""``swim sim``: scenarios, traces, sweeps and pictures from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from sims.faults import Crash, Restart
from sims.faults.schedule import Schedule
from swim.cli.main import main
from tests.cli.processes import environment, eventually


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["sim", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_list_tells_every_scenario_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list", "--json")
    found = {each["name"]: each for each in json.loads(out)["scenarios"]}
    assert code == 0
    assert {"partition-heal", "join-storm", "rolling-restart", "kill-k"} <= set(found)
    assert found["kill-k"]["options"]["nodes"] == 20
    assert all(each["summary"] for each in found.values())


def test_run_gives_the_documented_document(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(
        capsys, "run", "partition-heal", "--nodes", "4", "--profile=local", "--seed", "7", "--json"
    )
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert list(document) == [
        "scenario",
        "seed",
        "options",
        "ok",
        "violations",
        "measures",
        "trace_sha256",
        "virtual_seconds",
        "wall_seconds",
    ]
    assert document["ok"] is True
    assert document["violations"] == []
    assert document["options"]["nodes"] == 4
    assert document["measures"]["heal_seconds"] > 0


@pytest.mark.slow
def test_a_deterministic_document_is_the_same_bytes_in_every_process() -> None:
    command = [sys.executable, "-m", "swim", "sim", "run", "partition-heal", "--seed", "7", "--json"]
    found = {
        subprocess.run(
            [*command, "--deterministic", "--nodes", "6"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1", "2")
    }
    assert len(found) == 1
    assert b"wall_seconds" not in found.pop()


def test_several_runs_show_medians(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "run", "join", "--nodes", "4", "--runs", "3")
    assert code == 0
    assert out.splitlines()[0].split() == ["MEASURE", "MEDIAN", "LEAST", "GREATEST"]
    code, out, _ = run(capsys, "run", "join", "--nodes", "4", "--runs", "3", "--json")
    assert [each["seed"] for each in json.loads(out)["runs"]] == [0, 1, 2]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["run", "nope"], "there is no scenario 'nope'; see `swim sim list`"),
        (["run", "join", "--size", "3"], "scenario join has no option 'size'"),
        (["run", "join", "--nodes", "many"], "option nodes must be a whole number, not 'many'"),
        (["run", "join", "--nodes", "0"], "option nodes: must be at least 1, not 0"),
        (["run", "join", "--profile", "moon"], "option profile: 'moon' is none of lan, wan, local"),
        (["run", "join", "--nodes"], "option --nodes needs a value"),
        (["run", "join", "nodes"], "unexpected argument 'nodes'"),
        (["run", "join", "--runs", "2", "--trace", "x"], "--trace and pictures are for one run"),
        (["replay"], "give either a FILE or --seed"),
        (["sweep", "nope"], "there is no scenario 'nope'"),
        (["sweep", "join", "nodes=5", "--seeds", "x"], "'x' is not a list of seeds"),
        (["sweep", "join", "nodes=5", "--out", "x.txt"], "x.txt does not end in .csv"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert complaint in err
    assert err.count("\n") == 1


def test_a_trace_replays_and_two_traces_differ(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    for path, seed in ((one, "1"), (other, "2")):
        assert run(capsys, "run", "join", "--nodes", "3", "--seed", seed, "--trace", str(path))[0] == 0
    code, out, _ = run(capsys, "replay", str(one))
    assert (code, out.startswith("the same, ")) == (0, True)
    code, out, _ = run(capsys, "replay", str(one), "--diff", str(other))
    assert code == 1
    assert out.startswith("made with seed: 1 | 2\nthe runs diverge at line ")
    code, out, _ = run(capsys, "replay", str(one), "--diff", str(other), "--json")
    assert json.loads(out)["same"] is False


def test_a_trace_of_another_version_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    run(capsys, "run", "join", "--nodes", "2", "--trace", str(path))
    first, _, rest = path.read_text().partition("\n")
    path.write_text(json.dumps({**json.loads(first), "swim": "9.9"}) + "\n" + rest)
    code, _, err = run(capsys, "replay", str(path))
    assert code == 2
    assert "recorded by swim 9.9" in err


def test_pictures_are_drawn_during_a_run_and_from_its_trace(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    trace, timeline, diagram = (tmp_path / name for name in ("t.jsonl", "t.svg", "d.svg"))
    words = ["run", "kill", "--nodes", "3", "--profile", "local"]
    assert run(capsys, *words, "--trace", str(trace), "--timeline", str(timeline))[0] == 0
    assert timeline.read_text().startswith("<svg")
    code, out, _ = run(capsys, "draw", str(trace), "--diagram", str(diagram), "--from", "0", "--to", "2s")
    assert (code, out) == (0, f"{diagram}\n")
    assert diagram.read_text().startswith("<svg")
    code, _, err = run(capsys, "draw", str(trace))
    assert code == 2
    assert "--diagram, --timeline or --player" in err


def test_of_a_run_of_several_worlds_the_first_is_drawn(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["run", "bn-join", "--nodes", "3", "--storms", "2", "--diagram", str(tmp_path / "d.svg")]
    code, _, err = run(capsys, *words)
    assert (code, err) == (0, "swim: the run had 2 worlds, one after the other; only the first is drawn\n")


def test_a_sweep_goes_on_where_it_stopped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out_file = tmp_path / "sweep.csv"
    words = ["sweep", "join", "nodes=2,3", "--workers", "1", "--out", str(out_file)]
    assert run(capsys, *words, "--seeds", "0-1")[1] == f"{out_file}: 4 rows, 4 new\n"
    lines = out_file.read_text().splitlines(keepends=True)
    out_file.write_text("".join(lines[:-1]))
    assert run(capsys, *words, "--seeds", "0-1")[1] == f"{out_file}: 4 rows, 1 new\n"


def test_a_replay_file_without_records_runs_and_ends_as_the_run_does(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path, header = tmp_path / "trace.jsonl", tmp_path / "header.jsonl"
    run(capsys, "run", "kill", "--nodes", "3", "--trace", str(path))
    made = json.loads(path.read_text().splitlines()[0])
    header.write_text(json.dumps(made) + "\n")
    code, out, _ = run(capsys, "replay", str(header))
    assert code == 0
    assert "has only a header, so nothing was compared\nit ended without a violation" in out
    made["made"] |= {"name": "rp-bootstrap", "options": {"nodes": "20", "limit": "0.1"}}
    header.write_text(json.dumps(made) + "\n")
    code, out, _ = run(capsys, "replay", str(header))
    assert code == 128
    assert "it ended with: " in out


def test_the_trace_of_a_script_needs_the_script_no_more(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    script, path = tmp_path / "faults.json", tmp_path / "trace.jsonl"
    crash = {"type": "Crash", "at": 1.0, "node": "n2"}
    script.write_text(json.dumps({"version": 1, "faults": [crash]}))
    words = ["--nodes", "3", "--profile", "local", "--script", str(script), "--trace", str(path)]
    assert run(capsys, "run", "faults", *words)[0] == 0
    script.unlink()
    code, out, _ = run(capsys, "replay", str(path))
    assert code == 0, out
    assert out.startswith("the same")


def test_a_swarm_seed_replays(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "replay", "--seed", "1", "--json")
    document = json.loads(out)
    assert code == {"ok": 0, "crash": 127, "liveness": 128, "safety": 129}[document["outcome"]]
    assert len(document["trace_sha256"]) == 64


@pytest.mark.parametrize("words", [["sim", "sweep", "vector", "nodes=5"], ["explain"]])
def test_a_missing_extra_is_named(words: list[str]) -> None:
    script = "import sys; sys.modules['numpy'] = None\n"
    script += "from swim.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "pip install 'swim-cluster[sims]'" in done.stderr


def test_steps_of_a_script_are_faults(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    steps, path = "1s kill 2; 9s restart n2", tmp_path / "steps"
    path.write_text("1s kill 2\n9s restart n2\n")
    plain = Schedule([Crash(1.0, "n2"), Restart(9.0, "n2")]).to_json()
    words = ["run", "faults", "--nodes", "3", "--profile", "local", "--json", "--deterministic", "--script"]
    first, *others = (json.loads(run(capsys, *words, script)[1]) for script in (steps, str(path), plain))
    assert first["ok"]
    assert [other["measures"] for other in others] == [first["measures"]] * 2
    code, out, err = run(capsys, *words, "1s kill 9")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no node '9': the nodes are n1 to n3" in err


def test_a_fault_script_is_played_and_a_mistake_in_it_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    script = tmp_path / "faults.json"
    crash = {"type": "Crash", "at": 1.0, "node": "n2"}
    script.write_text(json.dumps({"version": 1, "faults": [crash]}))
    words = ["run", "faults", "--nodes", "3", "--profile", "local", "--script", str(script)]
    code, out, _ = run(capsys, *words, "--json")
    assert code == 0
    assert json.loads(out)["measures"]["heal_seconds"] > 1.0
    for fault, complaint in (
        ({**crash, "node": "n9"}, "fault 0 (Crash): node: there is no host 'n9'"),
        ({**crash, "type": "Explode"}, "fault 0 (Explode)"),
        ({**crash, "at": -1.0}, "fault 0 (Crash): at"),
    ):
        script.write_text(json.dumps({"version": 1, "faults": [fault]}))
        code, out, err = run(capsys, *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert complaint.lower() in err.lower()
    code, _, err = run(capsys, *words[:-1], str(tmp_path / "none.json"))
    assert code == 2
    assert "No such file" in err


def test_a_scenario_takes_protocol_settings(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "run", "kill", "--nodes", "4", "--set", "gossip_nodes=2", "--json")
    document = json.loads(out)
    assert document["settings"] == {"gossip_nodes": 2}
    usual = json.loads(run(capsys, "run", "kill", "--nodes", "4", "--json")[1])
    assert document["trace_sha256"] != usual["trace_sha256"]


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("suspicion_mul=2", "there is no setting 'suspicion_mul'; did you mean suspicion_mult?"),
        ("suspicion_mult=x", "option suspicion_mult must be a whole number, not 'x'"),
        ("suspicion_mult=-1", "setting suspicion_mult"),
        ("suspicion_mult", "--set takes NAME=VALUE, not 'suspicion_mult'"),
        ("name=x", "there is no setting 'name'"),
    ],
)
def test_a_setting_that_does_not_fit_takes_one_line(
    capsys: pytest.CaptureFixture[str], setting: str, problem: str
) -> None:
    code, _, err = run(capsys, "run", "kill", "--set", setting)
    assert code == 2
    assert problem in err
    assert len(err.splitlines()) == 1


def alive_in(session: int) -> set[int]:
    """The processes of a session, but for those that only wait to be reaped."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, its_session = path.read_text().rpartition(") ")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found.add(int(path.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_is_ended_leaves_no_process_behind(tmp_path: Path, how: signal.Signals) -> None:
    rows = tmp_path / "sweep.csv"
    words = ["sweep", "join", "nodes=40", "--seeds", "0-9999", "--workers", "2", "--out", str(rows)]
    command = [sys.executable, "-m", "swim", "sim", *words]
    with subprocess.Popen(
        command, env=environment(), stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        eventually(lambda: rows.exists() and len(rows.read_text().splitlines()) > 2)
        assert len(alive_in(process.pid)) >= 3
        process.send_signal(how)
        assert process.wait(30) == (130 if how == signal.SIGINT else -how)
        eventually(lambda: not alive_in(process.pid))
