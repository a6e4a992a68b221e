"""The page of the document: everything that the document lists, without a script or another site."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from agent_api import create_app
from agent_api.openapi.document import document
from agent_api.openapi.page import page
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent

VOID = {"meta", "link", "wbr", "br"}


class Reader(HTMLParser):
    """What matters of a page; tags must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        given = dict(attrs)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.targets += [value for name in ("href", "src") if (value := given.get(name))]
        assert "style" not in given, "a policy without inline styles refuses it"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_the_page_shows_every_operation_and_schema(agent: Agent) -> None:
    answer = await agent.get("/docs")
    assert (answer.status, answer.kind) == (200, "text/html; charset=utf-8")
    seen = Reader(answer.text)
    assert seen.open == []
    assert len(set(seen.ids)) == len(seen.ids)
    whole = (await agent.get("/v1/openapi.json")).json()
    operations = {each["operationId"] for item in whole["paths"].values() for each in item.values()}
    assert {each for each in operations if not each.startswith("post-")} <= set(seen.ids)
    assert {f"schema-{name}" for name in whole["components"]["schemas"]} <= set(seen.ids)
    for target in seen.targets:
        if target.startswith("#"):
            assert target[1:] in seen.ids, target
        else:
            assert (await agent.get(f"/{target}")).status == 200, target


async def test_the_page_needs_no_script_and_no_other_site(agent: Agent) -> None:
    answer = await agent.get("/docs")
    seen = Reader(answer.text)
    assert not seen.tags & {"script", "style", "iframe", "img"}
    assert not any(re.match(r"\w+:|/", target) for target in seen.targets), "addresses are relative"
    assert "style-src" not in answer.headers["content-security-policy"]
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "`a` & \"b\" 'c'"])
def test_text_is_escaped(cluster: FakeCluster, text: str) -> None:
    whole = document(create_app(cluster).routes)
    whole["info"]["title"] = whole["info"]["description"] = text
    shown = page(whole)
    Reader(shown)
    assert "<script" not in shown
