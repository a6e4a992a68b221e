"""From flags, environment and file to what the agent starts."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest

from agent_api.access.rules import AccessRules, Token, hash_of
from agent_api.limits import HttpLimits
from swim import ConfigError, MergePolicy, __version__
from swim.cli.agent.options import OPTIONS, Option, options
from swim.cli.agent.plan import AgentPlan, plan_of
from swim.cli.agent.settings import settings_of
from swim.cli.agent.toml_file import read_file
from swim.net.files import Files


def planned(*arguments: str) -> AgentPlan:
    @click.command()
    @options
    @click.pass_context
    def command(ctx: click.Context, /, **_: object) -> AgentPlan:
        return plan_of(settings_of(ctx))

    plan = command.main(arguments, standalone_mode=False)
    assert isinstance(plan, AgentPlan)
    return plan


@dataclass
class File:
    path: Path
    arguments: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.arguments = ("--config", str(self.path))

    def write(self, text: str) -> None:
        self.path.write_text(text)


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "agent.toml")


def test_defaults() -> None:
    plan = planned("--name", "a")
    assert (plan.config.bind, plan.api.http, plan.serves_http) == ("127.0.0.1:4648", "127.0.0.1:4646", True)
    assert plan.config == plan.config.lan(name="a", bind="127.0.0.1:4648", tags={"build": __version__})
    assert (plan.api.region, plan.api.datacenter, plan.api.node_name) == ("global", "dc1", "a")
    assert (plan.log_level, plan.log_format, plan.files, plan.join) == ("info", "text", Files(), ())


def test_each_field_says_where_it_came_from(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write('label = "prod"\nprofile = "wan"\n\n[gossip]\nindirect_checks = 5\n')
    monkeypatch.setenv("SWIM_RETRY_JOIN", "10.0.0.1")
    origins = planned("--name", "a", "--profile", "wan", *file.arguments).api.origins
    assert origins["name"] == "--name"
    assert origins["label"] == f"{file.path}: label"
    assert origins["seeds"] == "SWIM_RETRY_JOIN"
    assert origins["indirect_checks"] == "[gossip] indirect_checks"
    assert origins["probe_interval"] == "--profile wan"
    assert "gossip_verify_incoming" not in origins
    monkeypatch.delenv("SWIM_RETRY_JOIN")
    assert planned("--name", "a").api.origins == {"name": "--name"}


def test_with_a_tags_file_the_tags_are_those_in_it(tmp_path: Path) -> None:
    kept = ("--tags-file", str(tmp_path / "tags.json"))
    plan = planned("--name", "a", "--region", "eu", "--rpc-port", "4647", *kept)
    assert (plan.config.tags, plan.files) == ({}, Files(tags_file=kept[1]))
    with pytest.raises(ConfigError, match=r"^--tags-file: Tags config not allowed while using tag files$"):
        planned("--name", "a", "--tag", "role=web", *kept)


def test_the_file_sets_the_limits_of_the_http_api(file: File) -> None:
    file.write("[limits]\nmax_conns = 7\nhead_timeout = 2.5\n")
    assert planned(*file.arguments).api.limits == HttpLimits(max_conns=7, head_timeout=2.5)
    for text, why in (
        ("[limits]\nmax_conn = 7\n", "unknown key 'limits.max_conn', did you mean 'limits.max_conns'?"),
        ("[limits]\nmax_conns = 7.5\n", "limits.max_conns: must be a whole number, not 7.5"),
        ("[limits]\nmax_conns = 0\n", "limits: max_conns: must be above 0, not 0"),
        ("limits = 7\n", "limits: must be a table"),
    ):
        file.write(text)
        with pytest.raises(ConfigError) as refusal:
            planned(*file.arguments)
        assert str(refusal.value) == f"{file.path}: {why}"


def test_flag_over_environment_over_file(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write('name = "file"\nlabel = "file"\nregion = "file"\n')
    monkeypatch.setenv("SWIM_CONFIG", str(file.path))
    monkeypatch.setenv("SWIM_NAME", "variable")
    monkeypatch.setenv("SWIM_LABEL", "variable")
    plan = planned("--name", "flag")
    assert (plan.config.name, plan.config.label, plan.api.region) == ("flag", "variable", "file")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_flag_has_a_key_in_the_file(option: Option, file: File) -> None:
    value = option.choices[0] if option.choices else "x"
    text = {
        "switch": "true",
        "number": value if option.choices else "2",
        "list": '["a=b"]',
        "lines": '["a=b"]',
        "duration": "'2s'",
    }
    file.write(f"{option.name} = {text.get(option.kind, repr(value))}\n")
    assert list(read_file(file.path)[0]) == [option.name]


def test_files_may_begin_with_a_byte_order_mark(file: File, tmp_path: Path) -> None:
    keys = tmp_path / "gossip.key"
    keys.write_bytes(b"\xef\xbb\xbf" + base64.b64encode(bytes(16)) + b"\r\n")
    file.path.write_bytes(b"\xef\xbb\xbf" + f'name = "a"\nkey_file = "{keys}"\n'.encode())
    config = planned(*file.arguments).config
    assert (config.name, config.keys) == ("a", (bytes(16),))


@pytest.mark.parametrize(
    ("variable", "tags"),
    [
        ("note=hello world", {"note": "hello world"}),
        ("note=a=b, c d\nrole=web\n", {"note": "a=b, c d", "role": "web"}),
        ("note=", {"note": ""}),
        ("", {}),
        ("\n", {}),
    ],
)
def test_a_variable_has_one_tag_a_line(
    variable: str, tags: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWIM_TAG", variable)
    assert planned().config.tags == {"build": __version__, **tags}


def test_a_variable_has_addresses_between_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIM_RETRY_JOIN", " a:1  b:2\nc:3 ")
    assert planned().config.seeds == ("a:1", "b:2", "c:3")


def test_exclusive_options_of_a_higher_layer_replace_those_of_a_lower(file: File) -> None:
    key = base64.b64encode(bytes(16)).decode()
    file.write('no_http = true\nkey_file = "/nowhere"\n')
    plan = planned(*file.arguments, "--http", "127.0.0.1:0", "--encrypt", key)
    assert plan.serves_http
    assert plan.config.keys == (bytes(16),)


def test_a_flag_replaces_what_excludes_it_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIM_NO_HTTP", "1")
    assert not planned().serves_http
    plan = planned("--http", "127.0.0.1:5")
    assert (plan.serves_http, plan.api.http) == (True, "127.0.0.1:5")


def test_gossip_table_reaches_the_config(file: File) -> None:
    file.write(
        'profile = "wan"\n[gossip]\nprobe_interval = 7\nindirect_checks = 2\nenable_compression = false\n'
        'cidrs_allowed = ["127.0.0.0/8"]\nseeds = ["a:1"]\n[gossip.tags]\nrole = "db"\nbuild = "mine"\n'
    )
    config = planned(*file.arguments, "--tag", "role=web").config
    assert (config.probe_interval, config.indirect_checks, config.enable_compression) == (7, 2, False)
    assert config.gossip_interval == 0.5
    assert (config.seeds, config.cidrs_allowed) == (("a:1",), ("127.0.0.0/8",))
    assert config.tags == {"role": "web", "build": "mine"}


def test_a_merge_policy_is_a_table_of_conditions(file: File) -> None:
    file.write('[gossip.merge_policy]\ntags = { role = "d*" }\nnames = ["n*"]\ndelegate_versions = [5]\n')
    config = planned(*file.arguments, "--name", "n1", "--tag", "role=db").config
    assert config.merge_policy == MergePolicy(tags={"role": "d*"}, names=["n*"], delegate_versions=[5])


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('"blue"', "must be a table"),
        ('{ tag = "blue" }', "has no condition 'tag', only tags, names"),
        ('{ tags = ["blue"] }', "tags: must be a mapping"),
        ('{ names = "n*" }', "names: must be a sequence"),
        ('{ tags = { role = "web" } }', "refuses this node itself: member n1 may not join"),
    ],
)
def test_a_merge_policy_that_is_none(file: File, table: str, why: str) -> None:
    file.write(f"[gossip]\nmerge_policy = {table}\n")
    with pytest.raises(ConfigError, match=r"gossip\.merge_policy") as caught:
        planned(*file.arguments, "--name", "n1", "--tag", "role=db")
    assert why in str(caught.value)


def test_tags_of_region_datacenter_and_rpc_port() -> None:
    plan = planned("--region", "eu", "--datacenter", "dc2", "--rpc-port", "5000", "--tag", "dc=mine")
    assert plan.config.tags == {
        "build": __version__,
        "region": "eu",
        "dc": "mine",
        "port": "5000",
        "rpc_addr": "127.0.0.1",
    }
    assert (plan.api.region, plan.api.datacenter, plan.api.rpc_port) == ("eu", "dc2", 5000)


def test_name_with_region() -> None:
    plan = planned("--name", "n1", "--name-with-region")
    assert (plan.config.name, plan.api.node_name) == ("n1.global", "n1")


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("::1", "[::1]:4648"),
        ("[::1]:9", "[::1]:9"),
        ("localhost", "localhost:4648"),
        ("localhost:8000-8009", "localhost:8000-8009"),
    ],
)
def test_bind_without_a_port_takes_the_agents_own(text: str, bind: str) -> None:
    assert planned("--name", "a", "--bind", text).config.bind == bind


def test_an_error_names_where_the_value_came_from(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write('retry_join = ["a:b"]\n')
    with pytest.raises(ConfigError, match=r"agent\.toml: retry_join"):
        planned(*file.arguments)
    monkeypatch.setenv("SWIM_RETRY_JOIN", "a:b")
    with pytest.raises(ConfigError, match="SWIM_RETRY_JOIN"):
        planned()


@pytest.mark.parametrize("flag", ["--bind", "--advertise", "--retry-join", "--join", "--http"])
@pytest.mark.parametrize(
    "address",
    [
        "web-1..example.com",
        ".",
        "a" * 64,
        "%ff",
        "a:b:c",
        "a:1,b:2",
        "http://seed:1",
        "seed:",
        "1",
        "[seed]:1",
    ],
)
def test_an_address_that_is_none_is_refused_at_its_flag(flag: str, address: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        planned("--name", "a", flag, address)
    assert refusal.value.field == flag


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]:7946", "224.0.0.1", "255.255.255.255:1", "fe80::1"])
def test_an_address_of_no_single_host_is_not_advertised(address: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        planned("--name", "a", "--bind", "0.0.0.0", "--advertise", address)
    assert refusal.value.field == "--advertise"


# -- tokens

ACL = f"""
[acl.policies]
anonymous = ["node:read"]
[[acl.tokens]]
accessor = "00000000"
name = "in the configuration"
policies = ["agent:read"]
hash = "{hash_of("first")}"
"""


def test_tokens_stand_in_the_configuration_or_in_a_file_of_their_own_or_in_both(
    file: File, tmp_path: Path
) -> None:
    assert not planned("--name", "a").api.access.is_on
    file.write(ACL)
    tokens = tmp_path / "tokens.json"
    second = Token("11111111", "in the file", ("management",), hash_of("second"))
    tokens.write_text(json.dumps(AccessRules((second,)).document()))
    tokens.chmod(0o600)

    def known(*arguments: str) -> list[bool]:
        rules = planned("--name", "a", *arguments).api.access.rules
        assert rules is not None
        return [rules.find(secret) is not None for secret in ("first", "second")]

    assert known(*file.arguments) == [True, False]
    assert known("--acl-file", str(tokens)) == [False, True]
    assert known(*file.arguments, "--acl-file", str(tokens)) == [True, True]
    assert planned("--name", "a", *file.arguments, "--acl-join", "enforce").api.access.join == "enforce"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("acl = 7", "acl: acl: must be an object"),
        ("[acl]\ntoken = []", "acl: acl: has no 'token'"),
        (ACL.replace("agent:read", "nope"), "acl: tokens: in the configuration: there is no policy 'nope'"),
        (ACL.replace("hash", "secret"), "acl: tokens: number 1 has no 'secret'"),
    ],
)
def test_a_mistake_in_the_table_of_tokens_is_named_without_its_values(
    file: File, text: str, reason: str
) -> None:
    file.write(text)
    with pytest.raises(ConfigError) as refusal:
        planned("--name", "a", *file.arguments)
    assert str(refusal.value).startswith(f"{file.path}: {reason}")
    assert hash_of("first") not in str(refusal.value)


@pytest.mark.parametrize(
    ("http", "tag"),
    [
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("[::1]:80", "[::1]:80"),
        ("127.0.0.1", "127.0.0.1:4646"),
        ("0.0.0.0:80", ":80"),
        ("[::]:80", ":80"),
        ("localhost:80", ":80"),
    ],
)
def test_the_address_of_http_is_advertised_only_if_asked_for(http: str, tag: str) -> None:
    assert planned("--http", http, "--http-tag").config.tags["http"] == tag
    assert "http" not in planned("--http", http).config.tags


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--http", "127.0.0.1:0"], "--http-tag: needs a fixed port in --http"),
        (["--http", "unix:///tmp/x"], "--http-tag: needs HTTP on a TCP port"),
        (["--no-http"], "--http-tag: needs HTTP on a TCP port"),
        (["--tags-file", "/tmp/tags"], "--tags-file: "),
    ],
)
def test_an_address_that_others_cannot_ask_is_not_advertised(flags: list[str], why: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        planned("--http-tag", *flags)
    assert str(refusal.value).startswith(why)
