"""A member's reasons, the events, and what can be done: by mouse and by keys alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from swim import Detection, MemberStatus, ProbeCounts
from tests.ui.audit import violations
from tests.ui.conftest import PHONE, OpenPage
from tests.ui.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.peers("chromium"), pytest.mark.slow]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Of n2 to n5 two have a history."""
    with Site(["n2", "n3", "n4", "n5"]) as site:
        site.suspect("n4")
        site.refute("n4")
        yield site


def test_the_reasons_of_a_member_are_one_click_away(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/members")
    page.locator("tr[data-row]", has_text="n4").click()
    sheet = page.get_by_role("complementary", name="Member n4")
    reasons = sheet.locator(".reasons li")
    reasons.nth(1).wait_for()
    assert "claim by n4" in reasons.nth(0).inner_text(), "the newest first"
    assert "3 relays (3 nacks)" in reasons.nth(1).inner_text()
    site.suspect("n4", by="n5")
    site.accuse("n4", by="n3")
    reasons.nth(3).wait_for()
    assert "n3 accuses it too" in reasons.nth(0).inner_text()
    assert "3.1 s sooner" in reasons.nth(0).inner_text()
    assert "member=n4" in page.url, "a link opens the same sheet"
    assert not violations(page)
    page.set_viewport_size(PHONE)
    assert not violations(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    sheet.wait_for(state="detached")
    site.refute("n4")


def test_how_all_its_probes_ended_is_beside_the_last_one(site: Site, open_page: OpenPage) -> None:
    rtts = (*[0.0006] * 19, 0.0014)
    probes = ProbeCounts(41, 2, rtts)
    site.cluster.detections["n3"] = Detection(0.0, None, 1.0, rtts[-1], None, probes)
    page = open_page(f"{site.url}/ui/#/members?member=n3", viewport=PHONE, has_touch=True)
    facts = page.locator(".sheet .facts")
    facts.get_by_text("41 acked, 2 failed; p95 0.60 ms").wait_for()
    page.get_by_role("img", name="Its last 20 round trips: at most 1.40 ms").wait_for()
    facts.get_by_text("1.40 ms").wait_for()
    swipe(page, ".sheet", 200)
    page.locator(".sheet").wait_for(state="detached")


def swipe(page: Page, selector: str, by: int) -> None:
    """A finger goes to the side on an element."""
    page.locator(selector).first.evaluate(
        """(element, by) => {
            const at = (x) => [new Touch({ identifier: 1, target: element, clientX: x, clientY: 300 })];
            const send = (kind, touches, changedTouches) =>
                element.dispatchEvent(new TouchEvent(kind, { touches, changedTouches, bubbles: true }));
            send('touchstart', at(200), at(200));
            send('touchend', [], at(200 + by));
        }""",
        by,
    )


def test_a_swipe_opens_a_member(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/members?filter=n2", viewport=PHONE, has_touch=True)
    page.locator(".card").wait_for()
    swipe(page, ".card", 20)
    assert "member=" not in page.url, "a tap that trembles is no swipe"
    swipe(page, ".card", -120)
    page.get_by_role("complementary", name="Member n2").wait_for()
    assert "member=n2" in page.url


def test_a_force_leave_says_first_what_it_will_do(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/members?member=n5")
    page.get_by_role("button", name="force-leave…").click()
    dialog = page.get_by_role("dialog")
    assert "it will refute this" in dialog.inner_text()
    dialog.get_by_role("button", name="Close").click()
    site.fail("n5")
    page.locator("tr[data-state=failed]").wait_for()
    page.get_by_role("button", name="force-leave…").click()
    dialog.get_by_label("also forget").check()
    dialog.locator("code", has_text="swim force-leave n5 --prune").wait_for()
    dialog.get_by_role("button", name="force-leave", exact=True).click()
    dialog.get_by_text("n5 is forgotten").wait_for()
    assert not violations(page)
    assert "n5" not in site.cluster.table


def test_events_are_grouped_paused_and_filtered(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/events")
    page.locator(".entry.snapshot").wait_for()
    for number in range(3):
        site.join(f"late-{number}")
    page.get_by_text("3 members joined (push/pull with n1)").wait_for()
    page.keyboard.press(" ")
    page.get_by_role("button", name="0 new lines").wait_for()
    site.user_event("deploy", b"\x00\xff")
    page.get_by_role("button", name="1 new line").click()
    entry = page.locator(".entry.message", has_text="user event deploy")
    assert not page.get_by_text("00 ff").is_visible(), "payloads are hidden until they are asked for"
    entry.get_by_text("payload").click()
    page.get_by_text("00 ff").wait_for()
    page.get_by_role("button", name="messages").click()
    page.locator(".entry", has_text="joined").wait_for(state="detached")
    assert "kinds=messages" in page.url
    assert not violations(page)
    page.evaluate("navigator.clipboard.writeText = async text => { window.copied = text }")
    page.get_by_role("button", name="copy as JSON lines").click()
    lines = [json.loads(line) for line in page.evaluate("window.copied").splitlines()]
    assert "deploy" in [line.get("name") for line in lines]
    for number in range(3):
        site.reap(f"late-{number}")


def test_keys_alone_are_enough(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/members")
    page.locator("tr[data-row]").nth(3).wait_for()
    names = page.locator("tbody .name").all_inner_texts()
    page.keyboard.press("j")
    page.wait_for_function("document.activeElement.matches('tr')")  # loaded with the first key
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("complementary", name=f"Member {names[1]}").wait_for()
    page.keyboard.press("Escape")
    keys = {name: str(number) for number, name in enumerate(page.locator("nav span").all_inner_texts(), 1)}
    page.keyboard.press(keys["Events"])
    page.locator(".feed").wait_for()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Member, view or command").wait_for()
    page.keyboard.type("n4")
    page.locator("[role=option]", has_text="n4").wait_for()
    assert not violations(page)
    page.keyboard.press("Enter")
    page.get_by_role("complementary", name="Member n4").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press(keys["Members"])
    page.get_by_placeholder("filter: status").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("n2")
    page.locator(".toolbar [role=status]", has_text="1 of").wait_for()
    assert page.evaluate("document.activeElement.matches('[data-filter]')"), (
        "an update does not move the focus"
    )


@pytest.mark.deep
def test_a_join_is_asked_for_in_the_palette(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/members")
    page.locator("tr[data-row]").nth(3).wait_for()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Member, view or command").wait_for()
    page.keyboard.type("join")
    page.keyboard.press("Enter")
    page.get_by_label("Addresses").fill("127.0.0.1:7946 10.0.0.9:1")
    page.get_by_role("dialog").locator("code", has_text="swim join 127.0.0.1:7946 10.0.0.9:1").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_text("connection refused").wait_for()
    assert site.cluster.local.status is MemberStatus.ALIVE
