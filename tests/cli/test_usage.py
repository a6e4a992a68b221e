"""Mistakes on the command line: exit code 2, one line that names what is wrong, nothing started."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import swim as package
from swim.cli.keys import decode_key, read_keys
from tests.cli.conftest import InProcess
from tests.cli.processes import environment, run

KEY = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("explode",), "explode"),
        (("members", "--colour"), "--colour"),
        (("why",), "NAME"),
        (("join",), "HOST"),
        (("members", "--timeout", "soon"), "--timeout"),
        (("members", "--json", "--plain"), "--json"),
        (("members", "--address", "ftp://x"), "address"),
        (("agent", "--encrypt", "not base64!"), "--encrypt"),
        (("agent", "--encrypt", base64.b64encode(bytes(5)).decode()), "--encrypt"),
        (("agent", "--encrypt", KEY, "--key-file", "k"), "--key-file"),
        (("agent", "--key-file", "/nowhere/key"), "/nowhere/key"),
        (("agent", "--http", "127.0.0.1:1", "--no-http"), "--no-http"),
        (("agent", "--http", "127.0.0.1:99999"), "--http"),
        (("agent", "--bind", "127.0.0.1:x"), "--bind"),
        (("agent", "--bind", "[::1:80"), "--bind"),
        (("agent", "--advertise", "host:"), "--advertise"),
        (("agent", "--join", ":7946"), "--join"),
        (("agent", "--retry-join", "a:b"), "--retry-join"),
        (("agent", "--tag", "novalue"), "--tag"),
        (("agent", "--tag", "k=" + "v" * 600), "512"),
        (("agent", "--name", "n" * 200), "--name"),
        (("agent", "--label", "l" * 300), "--label"),
        (("agent", "--profile", "moon"), "--profile"),
        (("agent", "--log-level", "loud"), "--log-level"),
        (("agent", "--delegate-version", "1"), "--delegate-version"),
        (("agent", "--bootstrap-expect", "-1"), "--bootstrap-expect"),
        (("agent", "--rpc-port", "0"), "--rpc-port"),
        (("agent", "--config", "/nowhere/agent.toml"), "/nowhere/agent.toml"),
        (("cluster", "--nodes", "0"), "--nodes"),
        (("cluster", "--script", "3s explode node-1"), "explode"),
        (("cluster", "--nodes", "3", "--script", "3s kill node-4"), "node-4"),
        (("cluster", "--for", "-1"), "--for"),
        (("cluster", "--ui", "--no-ui"), "--no-ui"),
        (("cluster", "--ui", "nowhere"), "--ui"),
        (("cluster", "--ui", "192.0.2.1:1"), "--ui"),
        (("cluster", "--bind-base", "65535", "--nodes", "2"), "--bind-base"),
    ],
)
def test_usage_errors_are_one_line_that_names_the_mistake(
    swim: InProcess, arguments: tuple[str, ...], named: str
) -> None:
    code, out, err = swim(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("swim: ")
    assert err.count("\n") == 1
    assert named in err


@pytest.mark.parametrize("arguments", [(), ("sim",), ("--json",)])
def test_without_a_command_there_is_real_help(swim: InProcess, arguments: tuple[str, ...]) -> None:
    code, out, err = swim(*arguments)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: swim")
    assert "Commands:" in out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("membres",), "members"),
        (("forceleave", "x"), "force-leave"),
        (("clutser",), "cluster"),
        (("sim", "rnu"), "run"),
        (("help", "agnet"), "agent"),
        (("help", "sim", "replya"), "replay"),
    ],
)
def test_a_mistyped_command_gets_a_suggestion(
    swim: InProcess, arguments: tuple[str, ...], meant: str
) -> None:
    code, out, err = swim(*arguments)
    assert (code, out) == (2, "")
    assert f"did you mean '{meant}'?" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["", "agent", "sim", "sim run", "sim replay", "force-leave", "help"])
def test_help_is_a_command_too(swim: InProcess, command: str) -> None:
    assert swim("help", *command.split()) == swim(*command.split(), "--help")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("agent", {"--json"}),
        ("cluster", {"--json", "--plain"}),
        ("keygen", {"--json", "--plain"}),
        ("version", {"--json", "--plain"}),
        ("explain", {"--json", "--plain"}),
        ("help", set()),
        ("sim", {"--json", "--plain"}),
        ("sim run", {"--json", "--plain"}),
        ("sim draw", {"--json", "--plain"}),
        ("members", {"--json", "--plain", "--address", "--timeout"}),
        ("join", {"--json", "--plain", "--address", "--timeout"}),
        ("why", {"--json", "--plain", "--address", "--timeout"}),
        ("leave", {"--json", "--plain", "--address", "--timeout"}),
    ],
)
def test_only_options_that_do_something_are_listed(swim: InProcess, command: str, options: set[str]) -> None:
    words = set(swim(*command.split(), "--help").out.split())
    assert words & {"--json", "--plain", "--address", "--timeout"} == options


@pytest.mark.parametrize(
    "arguments",
    [
        (KEY,),
        ("agent", KEY),
        ("agent", f"--encrypt{KEY}"),
        ("agent", "--key-file", KEY),
        ("keygen", KEY),
        ("members", KEY),
        ("help", KEY),
        ("sim", KEY),
    ],
)
def test_an_argument_without_a_place_is_not_repeated_as_it_may_be_a_key(
    swim: InProcess, arguments: tuple[str, ...]
) -> None:
    code, out, err = swim(*arguments)
    assert (code, out) == (2, "")
    assert KEY not in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("text", ["x\n[ERROR] forged", "\x1b[31mred", "\x9b31m", "\u202egnp"])
@pytest.mark.parametrize(
    "arguments",
    [("why", "--{}"), ("{}",), ("agent", "--config", "{}"), ("agent", "--bind", "{}"), ("sim", "run", "{}"),
     ("agent", "--tag", "{}"), ("agent", "--key-file", "{}"), ("cluster", "--script", "{}"),
     ("sim", "draw", "{}"), ("members", "--address", "{}"), ("members", "--name", "({}")],
)  # fmt: skip
def test_what_was_typed_is_shown_without_control_characters(
    swim: InProcess, arguments: tuple[str, ...], text: str
) -> None:
    code, out, err = swim(*(argument.format(text) for argument in arguments))
    assert (code, out) == (2, "")
    assert err.endswith("\n")
    assert err[:-1].isprintable()


def test_a_bad_key_is_not_repeated(swim: InProcess, tmp_path: Path) -> None:
    secret = base64.b64encode(b"secret").decode()
    file = tmp_path / "agent.toml"
    file.write_text(f'encrypt = "{secret}"\n[gossip]\nkeys = ["{secret}"]\n')
    for arguments in (("--encrypt", secret), ("--config", str(file))):
        code, out, err = swim("agent", *arguments)
        assert code == 2
        assert secret not in out + err


@pytest.mark.parametrize(
    "arguments",
    [
        ("members", KEY),
        ("agent", KEY),
        ("keygen", KEY),
        ("agent", "--encryptt", KEY),
        ("agent", f"--{KEY}"),
        ("agent", f"--encryptt={KEY}"),
        ("agent", "--encrypt", KEY, KEY),
        ("members", "--name", "x", KEY, "y"),
    ],
)
def test_an_argument_with_no_place_may_be_a_key_and_is_not_echoed(
    swim: InProcess, arguments: tuple[str, ...]
) -> None:
    code, out, err = swim(*arguments)
    assert code == 2
    assert KEY not in out + err
    assert err


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'["a"', b"c2hvcnQ="])
def test_a_bad_key_file_is_named(swim: InProcess, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "gossip.key"
    file.write_bytes(content)
    code, _, err = swim("agent", "--key-file", str(file))
    assert code == 2
    assert err.startswith(f"swim: --key-file: {file}: ")
    assert err.count("\n") == 1


def test_every_bad_value_of_a_file_is_named(swim: InProcess, tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(
        'nmae = "x"\nbind = 7\njoin = "one"\nprofile = "moon"\n'
        '[gossip]\nprobe_intervall = 1\nenable_compression = "yes"\nindirect_checks = true\n'
    )
    code, _, err = swim("agent", "--config", str(file))
    assert code == 2
    for named in (str(file), "nmae", "bind", "join", "profile", "gossip.probe_intervall",
                  "gossip.enable_compression", "gossip.indirect_checks"):  # fmt: skip
        assert named in err
    file.write_text("[gossip]\nprobe_interval = -1\nmax_members = 0\n")
    err = swim("agent", "--config", str(file)).err
    assert "probe_interval" in err
    assert "max_members" in err
    file.write_text('labl = "x"')
    assert "did you mean 'label'?" in swim("agent", "--config", str(file)).err
    file.write_text("this is not TOML")
    assert swim("agent", "--config", str(file)).code == 2


def test_keygen_makes_different_keys_of_32_bytes(swim: InProcess) -> None:
    keys = {swim("keygen").out.strip(), json.loads(swim("keygen", "--json").out)["key"]}
    assert len(keys) == 2
    assert all(len(decode_key(key)) == 32 for key in keys)


def test_key_files_are_lines_or_serfs_json() -> None:
    other = base64.b64encode(bytes(16)).decode()
    assert read_keys(f"{KEY}\n{other}\n") == (bytes(32), bytes(16))
    assert read_keys(json.dumps([KEY, other])) == (bytes(32), bytes(16))
    with pytest.raises(ValueError, match="no key"):
        read_keys("\n")


@pytest.mark.parametrize("arguments", [("version",), ("--version",)])
def test_version(swim: InProcess, arguments: tuple[str, ...]) -> None:
    assert swim(*arguments).out == f"swim {package.__version__}\n"


@pytest.mark.parametrize("command", ["", "agent", "cluster", "members", "force-leave", "why", "keygen"])
def test_help(swim: InProcess, command: str) -> None:
    code, out, _ = swim(*command.split(), "--help")
    assert code == 0
    assert out.startswith("Usage: swim")


@pytest.mark.slow
def test_module_and_closed_pipe() -> None:
    assert run("version", "--plain").stdout == f"{package.__version__}\n"
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        finished = subprocess.run(
            [sys.executable, "-m", "swim", "--help"],
            env=environment(),
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    assert finished.returncode == 1
    assert finished.stderr == b""


@pytest.mark.slow
def test_asking_an_agent_loads_no_engine_no_server_and_no_terminal_library() -> None:
    probe = (
        "import sys; from swim.cli.main import main; main(['members', '--address', 'http://127.0.0.1:1']);"
        "print([name for name in ('trio', 'rich', 'starlette', 'cryptography') if name in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", probe],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert finished.stdout == "[]\n"
