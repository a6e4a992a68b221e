"""``swim keyring``: fingerprints only, rotations that stop before they cut a member off, and go on later."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.cli.agent.rotation import Rotation
from swim.cli.common import CliError, ExitCode
from swim.keyrings import fingerprint
from tests.cli.conftest import InProcess
from tests.cli.fake_agent import FakeAgent, fake_agent

K1, K2, K3 = b"0123456789abcdef", bytes(range(32)), bytes(range(24))
F1, F2, F3 = map(fingerprint, (K1, K2, K3))


class Members:
    """The keyrings of some members, behind any agent of theirs.

    Attributes:
        rings: fingerprints by name.
        failed: names of members that failed.
        silent: how many of the next answers of each member get lost.
        refusing: errors by member.
        done: the changes that were asked for, by operation and fingerprint.
        before: called before every request.
    """

    def __init__(self, *names: str, keys: list[str] | None = None) -> None:
        self.rings = {name: list(keys or [F1]) for name in names}
        self.failed: list[str] = []
        self.silent: dict[str, int] = {}
        self.refusing: dict[str, str] = {}
        self.done: list[tuple[str, str]] = []
        self.before: Callable[[], None] = lambda: None

    def _answer(self, errors: dict[str, str], *, lists: bool = False) -> dict[str, Any]:
        missing = [name for name in self.rings if self.silent.get(name, 0) > 0]
        for name in missing:
            self.silent[name] -= 1
        rings = {name: list(keys) for name, keys in self.rings.items() if name not in missing}
        return {
            "members": len(self.rings), "responses": len(rings), "problem": "", "errors": errors,
            "messages": {}, "missing": missing, "failed": self.failed, "keyrings": rings if lists else {},
        }  # fmt: skip

    def keyring(self) -> dict[str, Any]:
        self.before()
        return self._answer({}, lists=True)

    def change_keyring(self, operation: str, *, key: bytes = b"", fingerprint: str = "") -> dict[str, Any]:
        from swim.keyrings import fingerprint as of

        self.before()
        named = fingerprint or of(key)
        self.done.append((operation, named))
        errors = dict(self.refusing)
        for name, ring in self.rings.items():
            if name in errors:
                continue
            if operation == "install" and named not in ring:
                ring.append(named)
            elif operation == "use":
                if named not in ring:
                    errors[name] = "Requested key is not in the keyring"
                else:
                    ring.insert(0, ring.pop(ring.index(named)))
            elif operation == "remove" and named in ring:
                if ring[0] == named:
                    errors[name] = "Removing the primary key is not allowed"
                else:
                    ring.remove(named)
        return self._answer(errors)


def rotate(members: Members, **options: Any) -> dict[str, Any]:
    return Rotation(members, K2, tell=lambda line: None, **options).run()


def refused(members: Members, match: str, code: ExitCode = ExitCode.REFUSED, **options: Any) -> None:
    with pytest.raises(CliError, match=match) as error:
        rotate(members, **options)
    assert error.value.code is code


def test_a_rotation_installs_uses_and_removes():
    members = Members("a", "b", "c", keys=[F1, F3])
    assert rotate(members) == {
        "key": F2, "members": 3, "steps": ["install", "use", "remove"], "removed": sorted([F1, F3]),
        "rotated": True,
    }  # fmt: skip
    assert set(map(tuple, members.rings.values())) == {(F2,)}
    assert rotate(members)["steps"] == []
    assert len(members.done) == 4


def test_the_old_keys_may_stay():
    members = Members("a", "b")
    assert rotate(members, keep_old=True)["steps"] == ["install", "use"]
    assert members.rings == {"a": [F2, F1], "b": [F2, F1]}
    assert rotate(members)["removed"] == [F1]


def test_a_member_that_failed_stops_it_before_the_key_is_used():
    members = Members("a", "b")
    members.failed = ["db-1"]
    refused(members, "db-1 failed, and could not come back without the key")
    assert members.rings == {"a": [F1, F2], "b": [F1, F2]}
    members.failed = []
    members.rings["db-1"] = [F1]  # it is back, and does not have the key yet
    assert rotate(members)["steps"] == ["install", "use", "remove"]
    assert members.rings["db-1"] == [F2]


def test_a_member_that_fails_after_the_key_is_used_stops_it_before_the_old_key_is_removed():
    members = Members("a", "b")

    def fail_then() -> None:
        if ("use", F2) in members.done:
            members.failed = ["b"]

    members.before = fail_then
    refused(members, "b failed")
    assert members.rings["a"] == [F2, F1]
    assert rotate(members, ignore_failed=True)["removed"] == [F1]


def test_a_member_that_does_not_answer_is_asked_again_and_then_named():
    members = Members("a", "b")
    members.silent = {"b": 2}
    assert rotate(members)["rotated"]
    members = Members("a", "b")
    members.silent = {"b": 100}
    refused(members, "no answer from b", ExitCode.TIMED_OUT)
    assert members.done == []


def test_a_member_that_cannot_store_the_key_stops_it():
    members = Members("a", "b")
    members.refusing = {"b": "cannot write keyring.json: No space left on device"}
    refused(members, "install failed on b: .*No space left on device")
    assert members.rings == {"a": [F1, F2], "b": [F1]}
    members.refusing = {}
    assert rotate(members)["steps"] == ["install", "use", "remove"]


@given(st.integers(0, 12), st.sampled_from(["lost", "failed", "refused"]), st.data())
def test_wherever_it_stops_nobody_is_cut_off_and_it_goes_on(at: int, kind: str, data: st.DataObject) -> None:
    """Whatever happens: every member can read what every other one sends, and a second run completes it."""
    members = Members("a", "b", "c")
    who = data.draw(st.sampled_from("abc"))
    requests = 0

    def trouble() -> None:
        nonlocal requests
        requests += 1
        if requests == at:
            match kind:
                case "lost":
                    members.silent = {who: 100}
                case "failed":
                    members.failed = [who]
                case "refused":
                    members.refusing = {who: "disk full"}

    members.before = trouble
    try:
        rotate(members)
    except CliError:
        for ring in members.rings.values():
            assert all(ring[0] in other for other in members.rings.values())
    members.before = lambda: None
    members.silent, members.failed, members.refusing = {}, [], {}
    rotate(members)
    assert set(map(tuple, members.rings.values())) == {(F2,)}


# -- the commands


@pytest.fixture
def agent() -> Any:
    with fake_agent() as running:
        yield running


@pytest.fixture
def new_key(tmp_path: Path) -> str:
    path = tmp_path / "new.key"
    path.write_text(b64encode(K2).decode() + "\n")
    return str(path)


def answers(agent: FakeAgent, **changes: Any) -> None:
    document = Members("a", "b", keys=[F1, F2]).keyring() | changes
    for path in ("", "/install", "/use", "/remove"):
        agent.answers[f"/v1/swim/keyring{path}"] = (200, document)


def test_a_list_is_a_table_of_fingerprints(swim: InProcess, agent: FakeAgent) -> None:
    answers(agent)
    code, out, err = swim("keyring", "list", "--address", agent.url)
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["KEY", "INSTALLED", "ENCRYPTS"], [F1, "2/2", "2/2"], [F2, "2/2", "0/2"]
    ]  # fmt: skip
    assert json.loads(swim("keyring", "list", "--json", "--address", agent.url).out)["members"] == 2


def test_who_refused_or_did_not_answer_is_named_in_the_exit_code_too(
    swim: InProcess, agent: FakeAgent, new_key: str
) -> None:
    for changes, code, text in (
        ({"errors": {"b": "disk full"}}, 1, "b: disk full"),
        ({"missing": ["b"]}, 5, "no answer from b"),
    ):
        answers(agent, **changes)
        for words in (("list",), ("install", "--key-file", new_key), ("use", F2), ("remove", F1)):
            outcome = swim("keyring", *words, "--address", agent.url)
            assert (outcome.code, text in outcome.err) == (code, True)
            assert b64encode(K2).decode() not in outcome.out + outcome.err


def test_a_key_comes_from_a_file_or_standard_input_and_never_from_an_argument(
    swim: InProcess, agent: FakeAgent, new_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(agent)
    monkeypatch.setattr("sys.stdin", io.StringIO(b64encode(K2).decode()))
    outcome = swim("keyring", "install", "--key-file", "-", "--address", agent.url)
    assert (outcome.code, outcome.out) == (0, f"install {F2}: 2 of 2 members\n")
    for words, text in (
        (("install",), "give --key-file"),
        (("use",), "give a fingerprint or --key-file"),
        (("use", F1, "--key-file", new_key), "give a fingerprint or --key-file"),
        (("use", b64encode(K2).decode()), "use --key-file"),
        (("install", b64encode(K2).decode()), "unexpected extra argument"),
        (("rotate", "--generate"), "--generate needs --key-file"),
    ):
        outcome = swim("keyring", *words, "--address", agent.url)
        assert (outcome.code, text in outcome.err) == (2, True), outcome
        assert b64encode(K2).decode() not in outcome.out + outcome.err


@pytest.mark.parametrize("content", ["", "x", "AAAA", "[]", f'["{b64encode(K1).decode()}", "AAAA"]'])
def test_a_file_without_one_good_key_is_refused(
    swim: InProcess, agent: FakeAgent, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    outcome = swim("keyring", "install", "--key-file", str(path), "--address", agent.url)
    assert (outcome.code, outcome.err.startswith("swim: --key-file: ")) == (2, True)
    assert not agent.asked


def test_a_generated_key_is_private_and_used_again(swim: InProcess, agent: FakeAgent, tmp_path: Path) -> None:
    answers(agent, failed=["db-1"])
    path = tmp_path / "key"
    words = ("keyring", "rotate", "--key-file", str(path), "--generate", "--address", agent.url)
    assert swim(*words).code == 6
    assert path.stat().st_mode & 0o777 == 0o600
    written = path.read_text()
    assert swim(*words).code == 6
    assert path.read_text() == written
