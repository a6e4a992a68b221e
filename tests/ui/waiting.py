"""What a page comes to show: it is drawn a moment after what has changed it, so every look waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def fits(page: Page, selector: str = "html") -> None:
    """Waits until nothing has to be scrolled sideways, in the window or in an element."""
    page.wait_for_function(
        "(selector) => document.querySelector(selector).scrollWidth <= document.documentElement.clientWidth",
        arg=selector,
    )


def copied(page: Page, button: str) -> str:
    """What a button copies; the clipboard is the test's own."""
    page.evaluate("""() => {
        window.copied = '';
        navigator.clipboard.writeText = async (text) => { window.copied = text; };
    }""")
    page.get_by_role("button", name=button, exact=True).click()
    text: str = page.wait_for_function("window.copied").json_value()
    return text
