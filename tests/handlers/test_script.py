"""One run of a shell command: output, exit codes, time limits, and what it leaves behind."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swim.handlers.script import OUTPUT_BYTES, Outcome, Script


def run(command: str, stdin: bytes = b"", *, timeout: float = 30.0) -> Outcome:
    return Script(command, {"PATH": os.environ["PATH"], "X": "y"}, stdin, timeout=timeout).run()


def is_gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that init has not collected yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_output_is_both_streams_in_order_and_the_code_is_the_commands() -> None:
    assert run("echo a; echo b >&2; echo $X; exit 3") == Outcome(3, b"a\nb\ny\n", 6, timed_out=False)
    assert run("kill -9 $$").code == -9
    assert run("exec >&- 2>&-; exit 0") == Outcome(0, b"", 0, timed_out=False)


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=300_000))
def test_any_input_arrives_and_the_end_of_any_output_is_kept(data: bytes) -> None:
    assert run("cat", data) == Outcome(0, data[-OUTPUT_BYTES:], len(data), timed_out=False)
    assert run("exit 0", data).code == 0


def test_a_command_that_hangs_is_killed_with_all_that_it_started() -> None:
    outcome = run("sleep 600 & echo $!; trap '' TERM; sleep 600", timeout=0.3)
    assert outcome.timed_out
    assert outcome.code == -9
    child = int(outcome.output)
    for _ in range(1000):
        if is_gone(child):
            break
        os.sched_yield()
        threading.Event().wait(0.01)
    assert is_gone(child)


def test_what_is_put_into_the_background_is_not_waited_for() -> None:
    outcome = run("sleep 600 & echo $!", timeout=30.0)
    assert (outcome.code, outcome.timed_out) == (0, False)
    child = int(outcome.output)
    assert not is_gone(child)
    os.kill(child, 9)


def test_kill_ends_a_run_from_another_thread_and_prevents_a_later_one(tmp_path: Path) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    script = Script(f"echo > {started}; sleep 600", dict(os.environ), b"", timeout=float("inf"))
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(script.run()))
    thread.start()
    started.read_text()
    script.kill()
    thread.join(30)
    assert outcomes[0].code == -9
    assert script.run().code == -9
    assert len(outcomes) == 1


def test_what_cannot_be_started_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="too long"):
        run("x" * 10_000_000)
    with pytest.raises(ValueError, match="null"):
        Script("true", {"X": "a\0b"}, b"", timeout=1.0).run()
