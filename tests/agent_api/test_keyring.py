"""Gossip keys over HTTP: Nomad's answers, texts and codes; and ours, without a key in them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from agent_api.client import AgentClient, AgentError
from agent_api.errors import HttpError
from agent_api.keyring import _key
from swim import Config, KeyringResult, MemberStatus
from swim.keyrings import fingerprint
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent, served

K1, K2, K3 = b"0123456789abcdef", bytes(range(32)), bytes(range(24))
B1, B2, B3 = (b64encode(key).decode() for key in (K1, K2, K3))


@pytest.fixture
async def encrypted() -> AsyncIterator[Agent]:
    cluster = FakeCluster(Config(name="n1.global", keys=[K1], bind="127.0.0.1:4648"))
    async with served(cluster) as agent:
        yield agent


async def change(agent: Agent, operation: str, document: Any, *, root: str = "/v1/agent") -> Any:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return await agent.call("PUT", f"{root}/keyring/{operation}", body=body)


async def test_without_encryption_every_operation_fails(agent: Agent) -> None:
    answer = await agent.get("/v1/agent/keyring/list")
    reason = "n1.global: Keyring is empty (encryption not enabled)"
    assert (answer.status, answer.text) == (500, f"1/1 nodes reported failure: {reason}")
    for operation in ("install", "use", "remove"):
        answer = await change(agent, operation, {"Key": B2})
        assert answer.status == 500
        assert answer.text.startswith("1/1 nodes reported failure")


async def test_a_rotation_as_nomads_client_does_it(encrypted: Agent) -> None:
    agent = encrypted
    one = {"Messages": {}, "Keys": {B1: 1}, "NumNodes": 1, "PrimaryKeys": {B1: 1}}
    assert (await agent.get("/v1/agent/keyring/list")).json() == one
    done = {"Messages": {}, "Keys": {}, "NumNodes": 1}
    assert (await change(agent, "install", {"Key": B2})).json() == done
    assert set((await agent.get("/v1/agent/keyring/list")).json()["Keys"]) == {B1, B2}
    assert (await change(agent, "use", {"Key": B2})).json() == done
    refused = await change(agent, "remove", {"Key": B2})
    text = "1/1 nodes reported failure: n1.global: Removing the primary key is not allowed"
    assert (refused.status, refused.text) == (500, text)
    assert (await change(agent, "remove", {"Key": B1})).json() == done
    assert (await change(agent, "remove", {"Key": B1})).json() == done
    refused = await change(agent, "use", {"Key": B1})
    text = "1/1 nodes reported failure: n1.global: Requested key is not in the keyring"
    assert (refused.status, refused.text) == (500, text)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"", 400, "Request body is empty"),
        (b"{", 400, "the body is not JSON"),
        (b"[" * 10_000, 400, "the body is nested too deeply"),
        (b"[]", 400, "the body is no JSON object"),
        (b'{"Key": 7}', 400, "Key must be a string"),
        ({"Key": "!!!"}, 400, "illegal base64 data at input byte 0"),
        ({"Key": B1[:5] + "\n" + B1[5:]}, 400, "illegal base64 data at input byte 5"),
        ({"Key": B1[:-1]}, 400, f"illegal base64 data at input byte {len(B1) - 1}"),
        ({"Key": "AAAAAAA="}, 500, "key: must be 16, 24 or 32 bytes, not 5"),
        ({}, 500, "key: must be 16, 24 or 32 bytes, not 0"),
        (b" " * 70_000, 413, "body: more than 65536 bytes"),
    ],
)
async def test_a_bad_body_is_named(encrypted: Agent, body: Any, status: int, text: str) -> None:
    for operation in ("install", "use", "remove"):
        for root in ("/v1/agent", "/v1/swim"):
            answer = await change(encrypted, operation, body, root=root)
            ours = 400 if status == 500 and root == "/v1/swim" else status
            assert answer.status == ours
            assert answer.text.startswith(text)
    assert encrypted.cluster.keyring.keys == (K1,)


async def test_other_operations_there_are_none(encrypted: Agent) -> None:
    for method in ("GET", "PUT"):
        answer = await encrypted.call(method, "/v1/agent/keyring/foo")
        assert (answer.status, answer.text) == (404, "resource not found")
    for operation, method in (("list", "PUT"), ("install", "GET"), ("use", "GET"), ("remove", "GET")):
        assert (await encrypted.call(method, f"/v1/agent/keyring/{operation}")).status == 405


async def test_members_that_do_not_answer_are_named(encrypted: Agent) -> None:
    async def nothing(key: bytes) -> KeyringResult:
        return KeyringResult(3, 1, missing=("n2", "n3"))

    encrypted.cluster.use_key = nothing
    answer = await change(encrypted, "use", {"Key": B1})
    assert (answer.status, answer.text) == (500, "1/3 nodes reported success: no answer from n2, n3")


async def test_our_own_path_shows_fingerprints_only(encrypted: Agent) -> None:
    encrypted.cluster.add(make_member("db-1", status=MemberStatus.FAILED))
    client = AgentClient("http://{}:{}".format(*encrypted.endpoint))

    async def call(method: str, *args: Any, **kwargs: Any) -> Any:
        return await trio.to_thread.run_sync(lambda: getattr(client, method)(*args, **kwargs))

    await call("change_keyring", "install", key=K2)
    found = await call("keyring")
    assert found == {
        "members": 1, "responses": 1, "problem": "", "errors": {}, "messages": {}, "missing": [],
        "failed": ["db-1"], "keyrings": {"n1.global": [fingerprint(K1), fingerprint(K2)]},
    }  # fmt: skip
    await call("change_keyring", "use", fingerprint=fingerprint(K2))
    refused = await call("change_keyring", "remove", fingerprint=fingerprint(K2))
    assert refused["problem"] == "1/1 nodes reported failure"
    await call("change_keyring", "remove", fingerprint=fingerprint(K1))
    assert encrypted.cluster.keyring.keys == (K2,)
    with pytest.raises(AgentError, match="no member has a key with this fingerprint") as error:
        await call("change_keyring", "use", fingerprint=fingerprint(K3))
    assert error.value.status == 409
    assert (await call("info"))["keys"] == [fingerprint(K2)]


@given(st.text() | st.binary(max_size=40).map(b64encode).map(bytes.decode))
def test_any_text_is_a_key_or_names_the_place(text: str) -> None:
    refusal = HttpError(400, "illegal base64 data at input byte 0")
    try:
        key = _key({"Key": text})
    except HttpError as error:
        refusal, key = error, b""
    what, place = refusal.text.rsplit(" ", 1)
    assert (refusal.status, what) == (400, "illegal base64 data at input byte")
    assert 0 <= int(place) <= len(text.encode("utf-8", "replace"))
    assert len(key) * 4 <= len(text) * 3
