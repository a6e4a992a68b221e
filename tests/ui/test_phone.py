"""Every view on the narrow screen of a phone: what a finger hits, and that nothing is beside the screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.ui.audit import violations
from tests.ui.conftest import DESKTOP, PHONE, OpenPage
from tests.ui.site import Site
from tests.ui.waiting import fits

pytestmark = [pytest.mark.peers("chromium"), pytest.mark.slow]

VIEWS = {
    "overview": ".now-list a",
    "overview?table=1": "td a",
    "views": ".headline",
    "members": ".card",
    "members?member=n3": ".reasons a",
    "events": ".entry a",
    "health": ".settings",
    "replay": ".empty",
    "explain": ".plot .model",
}
"""Every view, and what it has once it is complete."""

SMALL = """() => {
    const fields = "select, label:has([type]), input:not([type=checkbox], [type=radio])";
    const controls = `a, button, summary, .ring .node, .board .node, ${fields}`;
    const others = ".hidden, .skip, .what a, p a, .empty a";
    const isShown = (each) => each.checkVisibility() && !each.matches(others);
    return [...document.querySelectorAll(controls)].filter(isShown).flatMap((each) => {
        const { width, height } = each.getBoundingClientRect();
        const words = `${each.tagName} ${each.className} ${each.textContent.trim()} ${width} x ${height}`;
        return Math.min(width, height) < 43.5 ? [words] : [];
    });
}"""
"""Controls that are smaller than 44 px; a link inside a sentence is no control."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(["n2", "n3", "n4"]) as site:
        site.suspect("n3")
        site.fail("n4")
        yield site


def test_a_finger_hits_every_control_and_nothing_is_beside_the_screen(
    site: Site, open_page: OpenPage
) -> None:
    page = open_page("about:blank", viewport=PHONE)
    small = {}
    for view, complete in VIEWS.items():
        page.goto("about:blank")  # no sheet of another view
        page.goto(f"{site.url}/ui/#/{view}")
        page.locator("footer", has_text="live").wait_for()
        site.refute("n3")
        site.suspect("n3")
        page.locator(complete).first.wait_for()
        fits(page)
        fits(page, "main")
        small[view] = page.evaluate(SMALL)
    assert small == {view: [] for view in VIEWS}


def test_the_bar_of_a_phone_has_five_places_and_the_last_one_opens_the_other_views(
    site: Site, open_page: OpenPage
) -> None:
    page = open_page(f"{site.url}/ui/", viewport=PHONE)
    bar = page.locator("nav.side a")
    expect(bar).to_have_text(["Overview", "Views", "Members", "Events", "More"])
    sizes = [bar.nth(index).bounding_box() for index in range(5)]
    assert all(box and box["width"] >= 44 and box["height"] >= 44 for box in sizes)
    bar.nth(4).click()
    dialog = page.get_by_role("dialog", name="Views")
    expect(dialog.get_by_role("link")).to_have_text(["Health", "Replay", "Explain"])
    assert not violations(page)
    dialog.get_by_role("link", name="Health").click()
    page.locator(".health").wait_for()
    dialog.wait_for(state="detached")
    expect(bar.nth(4)).to_have_attribute("aria-current", "true")
    page.set_viewport_size(DESKTOP)
    page.locator("nav.side a", has_text="Explain").wait_for()
    expect(bar).to_have_count(7)
