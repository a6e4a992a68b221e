"""What the page knows is what the agent says, whatever happens to the stream, the clock or an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import expect

from swim import Detection
from tests.cli.processes import eventually
from tests.ui.audit import violations
from tests.ui.conftest import WITHIN, OpenPage
from tests.ui.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Route

pytestmark = [pytest.mark.peers("chromium"), pytest.mark.slow]

FOLD = """async (lines) => {
    const { fold, newStore, stateOf, FEED_MAX } = await import('./store.js');
    const store = newStore();
    for (const line of lines) fold(store, line, 0);
    const members = [...store.members.values()].map((m) => [m.name, stateOf(m)]);
    return { members, feed: store.feed.length, limit: FEED_MAX };
}"""
KINDS = ("MemberJoined", "MemberSuspected", "MemberRefuted", "MemberFailed", "MemberLeft", "MemberReaped")
STATES = {"MemberSuspected": "suspect", "MemberFailed": "failed", "MemberLeft": "left"}
NAMES = st.sampled_from(["a", "b", "__proto__", "constructor", "\u202ex"])


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(["n2", "n3"]) as site:
        yield site


@pytest.fixture(scope="module")
def blank(site: Site, browser: Browser) -> Iterator[Page]:
    """A page that a property asks again and again."""
    page = browser.new_page()
    page.goto(f"{site.url}/ui/")
    yield page
    page.close()


AT = "2026-01-01T00:00:00.000Z"


def line(kind: str, name: str, sequence: int) -> dict[str, Any]:
    state = STATES.get(kind, "alive")
    is_suspect = state == "suspect"
    member = {
        "name": name, "address": "127.0.0.1", "port": 1, "tags": {}, "incarnation": 1,
        "status": "alive" if is_suspect else state, "is_suspect": is_suspect,
        "protocol": [1, 5, 2], "delegate": [2, 5, 5],
    }  # fmt: skip
    return {"event": kind, "at": AT, "sequence": sequence, "member": member, "cause": "claim"}


def snapshot(members: list[dict[str, Any]], sequence: int = 0) -> dict[str, Any]:
    inner = {"name": "n1", "members": members}
    return {"event": "Snapshot", "at": AT, "sequence": sequence, "snapshot": inner}


@given(steps=st.lists(st.tuples(st.sampled_from(KINDS), NAMES), max_size=40), again=st.integers(0, 40))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_page_folds_events_as_the_library_does(
    blank: Page, steps: list[tuple[str, str]], again: int
) -> None:
    """Also when a snapshot comes in between, and events before it come once more."""
    lines, expected = [snapshot([])], {}
    for number, (kind, name) in enumerate(steps, 1):
        lines.append(line(kind, name, number))
        if kind == "MemberReaped":
            expected.pop(name, None)
        else:
            expected[name] = lines[-1]["member"]
        if number == again:
            lines += [snapshot(list(expected.values()), number), *lines[1 : number + 1]]
    states = {name: "suspect" if m["is_suspect"] else m["status"] for name, m in expected.items()}
    found = blank.evaluate(FOLD, lines)
    assert dict(found["members"]) == states
    assert found["feed"] <= found["limit"]


def served(*lines: dict[str, Any]) -> Any:
    """Answers a request with these lines."""
    body = "".join(json.dumps(each) + "\n" for each in lines)

    def answer(route: Route) -> None:
        route.fulfill(status=200, content_type="application/json", body=body)

    return answer


def test_a_clock_that_jumps_is_said_and_makes_no_age_negative(site: Site, open_page: OpenPage) -> None:
    page = open_page("about:blank")
    later, earlier = "2026-01-01T05:00:00.000Z", "2026-01-01T02:00:00.000Z"
    beats = [{"event": "Heartbeat", "at": at, "health_score": 0} for at in (later, earlier)]
    member = {**line("MemberJoined", "n1", 1)["member"], "since": "2026-01-01T04:59:00.000Z"}
    page.route("**/v1/swim/watch", served(snapshot([member]), *beats))
    page.goto(f"{site.url}/ui/#/events")
    page.get_by_text("the agent's clock jumped by +5 h").first.wait_for()  # again with each connection
    page.get_by_text("the agent's clock jumped by \u22123 h").first.wait_for()
    page.goto(f"{site.url}/ui/#/members")
    expect(page.locator("tbody time").first).to_have_text("0.0 s")


FRAME_MS = 20


def stop_clock(page: Page) -> None:
    """From now on, time passes on the page only as the test moves it."""
    page.clock.install(time=0)
    page.clock.pause_at(1000)


def frames_until(page: Page, condition: Callable[[], bool]) -> None:
    """Moves a clock that stands still, frame by frame."""

    def is_so() -> bool:
        page.clock.run_for(FRAME_MS)
        return condition()

    eventually(is_so, within=WITHIN / 1000)


def until_drawn(page: Page, wanted: Locator) -> None:
    """The same until something is on the page."""
    frames_until(page, lambda: wanted.count() > 0)


def test_a_stream_that_breaks_is_opened_again_with_growing_pauses_and_nothing_is_polled(
    site: Site, open_page: OpenPage
) -> None:
    page = open_page("about:blank", ignore="Failed to load")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("/v1/")[2]))
    page.route("**/v1/swim/watch", lambda route: route.abort())
    stop_clock(page)
    page.goto(f"{site.url}/ui/#/members")
    for attempt, pause in enumerate((500, 1000, 2000, 4000, 8000, 10_000, 10_000), 1):
        footer = page.locator("footer", has_text=f"(attempt {attempt})")
        until_drawn(page, footer)
        left = re.search(r"reconnecting in ([\d.]+) s", footer.inner_text().replace("\n", " "))
        assert left
        assert pause - 300 < float(left[1]) * 1000 <= pause
        page.clock.run_for(max(0, float(left[1]) * 1000 - 300))
        assert asked.count("swim/watch") == attempt
        frames_until(page, lambda attempt=attempt: asked.count("swim/watch") > attempt)  # type: ignore[misc]
    with page.expect_response("**/v1/swim/metrics/history"):
        page.unroute("**/v1/swim/watch")
        page.clock.resume()
        page.keyboard.press("R")
    page.locator("tr[data-row]").nth(2).wait_for()
    asked.clear()
    page.clock.run_for(3000)
    assert [path for path in asked if path and not path.startswith("swim/views")] == []


def test_a_stream_without_a_line_is_dead_after_twelve_seconds(site: Site, open_page: OpenPage) -> None:
    page = open_page("about:blank", ignore="Failed to load")
    stop_clock(page)
    page.goto(f"{site.url}/ui/#/members")
    until_drawn(page, page.locator("tr[data-row]").nth(2))
    page.route("**/v1/swim/watch", lambda route: route.abort())  # the next one; this one stays open
    dead = page.get_by_text("the agent does not answer")
    with site.silent():
        ages: list[float] = []

        def is_dead() -> bool:
            age = re.search(r"live, ([\d.]+) s ago", page.locator("footer").inner_text())
            ages.extend([float(age[1])] if age else [])
            page.clock.run_for(500)
            return dead.count() > 0

        eventually(is_dead, within=WITHIN / 1000)
        assert 10 <= ages[-1] < 14, ages  # as it was drawn last, at most a second before
    page.unroute("**/v1/swim/watch")
    page.clock.resume()
    page.keyboard.press("R")
    page.locator("footer", has_text="live").wait_for()


@pytest.mark.deep
def test_an_error_is_the_sentence_of_the_api_with_its_request(site: Site, open_page: OpenPage) -> None:
    page = open_page("about:blank", ignore="500")
    headers = {"X-Request-Id": "r-17"}
    page.route("**/v1/swim/why?*", lambda route: route.fulfill(status=500, body="it broke", headers=headers))
    page.goto(f"{site.url}/ui/#/members?member=n2")
    failure = page.locator(".failure")
    expect(failure).to_contain_text("it broke")
    expect(failure).to_contain_text("r-17")
    assert not violations(page)
    page.unroute("**/v1/swim/why?*")
    failure.get_by_role("button", name="Try again").click()
    failure.wait_for(state="detached")


@pytest.mark.deep
def test_events_that_were_lost_are_a_line(site: Site, open_page: OpenPage) -> None:
    page = open_page("about:blank")
    lost = {"event": "EventsLost", "at": "2026-01-01T00:00:01.000Z", "count": 12}
    page.route(
        "**/v1/swim/watch", served(snapshot([]), lost, snapshot([line("MemberJoined", "z", 1)["member"]], 13))
    )
    page.goto(f"{site.url}/ui/#/events")
    page.locator(".entry.gap", has_text="12 events lost").wait_for()
    page.get_by_text("connected again").wait_for()


@pytest.mark.deep
def test_without_motion_nothing_moves(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/", reduced_motion="reduce")
    page.locator(".node").first.wait_for()
    site.suspect("n3")
    page.locator(".edge.accuses").wait_for(state="attached")
    assert page.evaluate("document.getAnimations().length") == 0
    site.refute("n3")


def test_another_agent_is_asked_for_its_view(open_page: OpenPage) -> None:
    with Site(["n1", "n3"], own="n2") as other, Site(["n3"]) as site:
        site.join("n2", http=other.url.removeprefix("http://"))
        for name in ("n1", "n2", "n3"):
            assert name in other.cluster.table
        page = open_page(f"{site.url}/ui/#/members")
        page.locator(".badge", has_text="2 of 3 answer").wait_for()
        other.fail("n3")
        site.join("n4")
        page.locator(".badge[data-kind=differ]", has_text="2 views").wait_for()
        page.locator(".badge").click()
        page.get_by_role("gridcell", name="n2 believes n3 failed").wait_for()
        page.get_by_role("gridcell", name="n4 gives no view: it advertises no HTTP address").first.wait_for()
        page.get_by_text("n2 alone believes n3").or_(page.get_by_text("n1 alone believes n3")).wait_for()
        assert not violations(page)
        page.get_by_role("gridcell", name="n2 believes n3 failed").click()
        page.get_by_role("complementary", name="Member n3").get_by_text("failed").first.wait_for()
        expect(page).to_have_url(re.compile("from=n2"))
        page.goto(f"{site.url}/ui/#/members")
        page.locator(".observer select").select_option("n2")
        page.locator("tr[data-state=failed]", has_text="n3").wait_for()
        expect(page).to_have_url(re.compile("from=n2"))
        assert not violations(page)
        page.keyboard.press("[")
        expect(page).not_to_have_url(re.compile("from="))
        page.keyboard.press("]")
        expect(page).to_have_url(re.compile("from=n2"))


def test_an_agents_matrix_has_five_values_and_old_acks_are_hatched(open_page: OpenPage) -> None:
    with Site(["n1", "n3"], own="n2") as other, Site(["n3"]) as site:
        http = other.url.removeprefix("http://")
        site.join("n2", http=http)
        for at in (site, other):
            now = at.do(at.cluster.now)
            fresh = Detection(now - 60, None, now - 1, 0.0004)
            at.cluster.detections |= {"n1": fresh, "n2": fresh, "n3": fresh}
        other.cluster.detections["n3"] = Detection(now - 900, None, now - 600, 0.0031)
        other.fail("n3")
        page = open_page(f"{site.url}/ui/#/views")
        cell = page.get_by_role("gridcell", name="n2 believes n3 failed")
        expect(cell).to_have_attribute("aria-label", re.compile(r"since 1\d min: suspicion expired"))
        values = page.get_by_role("group", name="What a cell shows").get_by_role("button")
        expect(values).to_have_text(["status", "incarnation", "tags", "last ack", "RTT ms"])
        values.nth(2).click()
        boxes = page.locator("tr[data-observer] [role=gridcell] .box")

        def have_two_digests() -> bool:
            digests = boxes.all_inner_texts()
            columns = {tuple(digests[index::4]) for index in range(4)}
            return len(columns - {("", "")}) >= 2 and {"●", "✕"}.isdisjoint(digests)

        eventually(have_two_digests)
        values.nth(3).click()
        stale = page.locator("[role=gridcell][data-stale=true]")
        expect(stale).to_have_text(re.compile(r"^no ack\s*1\d min$"))
        expect(stale).to_have_attribute("aria-label", re.compile(r"; no ack for 1\d min"))
        values.nth(4).click()
        page.locator(".rtt", has_text="0.40").first.wait_for()
        expect(stale).to_have_count(1)
        stale.hover()
        page.locator(".inspector", has_text=re.compile(r"no ack for 1\d min")).wait_for()
        assert not violations(page)
