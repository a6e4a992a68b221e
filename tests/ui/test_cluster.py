"""The page of a real five-node ``swim cluster``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import Processes, eventually
from tests.ui.conftest import OpenPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.peers("chromium"), pytest.mark.slow]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where the page of five nodes is, as the first command of the README prints it."""
    with Processes() as processes:
        process = processes.start("cluster", "--nodes", "5", "--bind-base", "0", "--http-base", "0")
        eventually(lambda: any(line.startswith("page: ") for line in process.err))
        yield next(line.split()[1] for line in process.err if line.startswith("page: "))


def do(page: Page, verb: str) -> None:
    """What the prompt would do."""
    status = page.evaluate(
        "async (verb) => (await fetch('../v1/cluster/command', {method: 'POST',"
        " body: JSON.stringify({verb})})).status",
        verb,
    )
    assert status == 200


def test_five_live_nodes_and_any_of_them_is_the_observer(url: str, open_page: OpenPage) -> None:
    page = open_page(f"{url}#/members", ignore="503")
    page.wait_for_selector(".count[data-state=alive] :text('5')")
    page.wait_for_selector(".badge[data-kind=agree]")
    page.select_option(".observer select", "node-3")
    page.wait_for_selector(":text('as node-3 sees them')")
    assert page.url.endswith("from=node-3")
    do(page, "kill 3")
    page.wait_for_selector(".banner")
    page.keyboard.press("]")
    page.wait_for_selector(":text('as node-4 sees them')")
    page.wait_for_selector("tr[data-state=failed] :text('node-3')")
    do(page, "restart 3")
    page.wait_for_selector(".count[data-state=alive] :text('5')")
