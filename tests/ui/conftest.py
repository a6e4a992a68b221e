"""A browser, and pages in it: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.interop.processes import require
from tests.ui.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
SLOWDOWN = float(os.environ.get("SWIM_PAGE_SLOWDOWN", "1"))
"""How many times slower than the machine pages are: a test must hold on a crowded one, too."""
WITHIN = int(30_000 * SLOWDOWN)
"""Milliseconds that a page may take on a machine that does other things too."""
LATE = 3 * WITHIN
"""Milliseconds in which nodes have started, or a failure has been noticed by all of them and shown."""

OpenPage = Callable[..., "Page"]


@pytest.fixture(scope="package")
def driver() -> Iterator[Playwright]:
    """One for all tests of this folder: it keeps an asyncio loop running, and there can be no other."""
    require("chromium")
    expect.set_options(timeout=WITHIN)
    with sync_playwright() as driver:
        yield driver


def launched(driver: Playwright, *arguments: str) -> Browser:
    """A new browser."""
    return driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", *arguments])


@pytest.fixture(scope="package")
def browser(driver: Playwright) -> Iterator[Browser]:
    """One for all tests of this folder."""
    with launched(driver) as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens an address in a window of its own; errors of the page and of its policy fail the test.

    Connections that break are not among them; ``ignore`` is a part of the errors that the test is about.
    """
    contexts: list[Any] = []
    errors: list[str] = []

    def open_(url: str, *, ignore: str = "\0", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, "color_scheme": "light", **options})
        context.set_default_timeout(WITHIN)
        contexts.append(context)
        page = context.new_page()
        if SLOWDOWN > 1:
            context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})

        def note(text: str) -> None:
            if ignore not in text and "net::ERR_" not in text:
                errors.append(text)

        page.on("pageerror", lambda error: note(str(error)))
        page.on("console", lambda line: note(line.text) if line.type in ("error", "warning") else None)
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not errors, errors


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """An agent that lists four other members; what a test adds, the next one finds."""
    with Site(["n2", "n3", "n4", "n5"]) as site:
        yield site
