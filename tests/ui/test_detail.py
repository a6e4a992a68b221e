"""A member's reasons, the events, and what can be done: by mouse and by keys alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from swim import Detection, MemberStatus, ProbeCounts
from tests.ui.audit import violations
from tests.ui.conftest import PHONE, OpenPage
from tests.ui.site import Site
from tests.ui.waiting import copied, fits

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
    expect(reasons.nth(1)).to_contain_text("3 relays (3 nacks)")
    expect(reasons.nth(0), "the newest first").to_contain_text("claim by n4")
    site.suspect("n4", by="n5")
    site.accuse("n4", by="n3")
    reasons.nth(3).wait_for()
    expect(reasons.nth(0)).to_contain_text("n3 accuses it too")
    expect(reasons.nth(0)).to_contain_text("3.1 s sooner")
    expect(page, "a link opens the same sheet").to_have_url(re.compile("member=n4"))
    assert not violations(page)
    page.set_viewport_size(PHONE)
    page.locator(".card").first.wait_for(state="attached")
    assert not violations(page)
    fits(page)
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
    assert "member=" not in page.evaluate("location.hash"), "a tap that trembles is no swipe"
    swipe(page, ".card", -120)
    page.get_by_role("complementary", name="Member n2").wait_for()
    expect(page).to_have_url(re.compile("member=n2"))


def test_a_force_leave_says_first_what_it_will_do(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/members?member=n5")
    page.get_by_role("button", name="force-leave…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("it will refute this")
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
    site.join("late-0", "late-1", "late-2")
    page.get_by_text("3 members joined (push/pull with n1)").wait_for()
    page.keyboard.press(" ")
    page.get_by_role("button", name="0 new lines").wait_for()
    site.user_event("deploy", b"\x00\xff")
    page.get_by_role("button", name="1 new line").click()
    entry = page.locator(".entry.message", has_text="user event deploy")
    entry.wait_for()
    expect(page.get_by_text("00 ff"), "payloads are hidden until they are asked for").to_be_hidden()
    entry.get_by_text("payload").click()
    page.get_by_text("00 ff").wait_for()
    page.get_by_role("button", name="messages").click()
    page.locator(".entry", has_text="joined").wait_for(state="detached")
    expect(page).to_have_url(re.compile("kinds=messages"))
    assert not violations(page)
    lines = [json.loads(line) for line in copied(page, "copy as JSON lines").splitlines()]
    assert "deploy" in [line.get("name") for line in lines]
    for number in range(3):
        site.reap(f"late-{number}")


def test_keys_alone_are_enough(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/members")
    rows = page.locator("tr[data-row]")
    rows.nth(3).wait_for()
    names = page.locator("tbody .name").all_inner_texts()
    page.keyboard.press("j")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("complementary", name=f"Member {names[1]}").wait_for()
    page.keyboard.press("Escape")
    keys = {name: str(number) for number, name in enumerate(page.locator("nav span").all_inner_texts(), 1)}
    page.keyboard.press(keys["Events"])
    page.locator(".feed").wait_for()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Member, view or command")).to_be_focused()
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
    expect(page.locator("[data-filter]"), "an update does not move the focus").to_be_focused()


@pytest.mark.deep
def test_a_join_is_asked_for_in_the_palette(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/members")
    page.locator("tr[data-row]").nth(3).wait_for()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Member, view or command")).to_be_focused()
    page.keyboard.type("join")
    page.locator("[role=option][aria-selected=true]", has_text="join…").wait_for()
    page.keyboard.press("Enter")
    page.get_by_label("Addresses").fill("127.0.0.1:7946 10.0.0.9:1")
    page.get_by_role("dialog").locator("code", has_text="swim join 127.0.0.1:7946 10.0.0.9:1").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_text("connection refused").wait_for()
    assert site.cluster.local.status is MemberStatus.ALIVE
