"""The overview: the ring, what is wrong now, and the map; at every size of cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from swim import Coordinate, Detection, OpenSuspicion, ProbePath
from tests.agent_api.fakes import make_member
from tests.ui.audit import violations
from tests.ui.conftest import DESKTOP, PHONE, OpenPage
from tests.ui.site import Site
from tests.ui.waiting import fits

if TYPE_CHECKING:
    from playwright.sync_api import Route

pytestmark = [pytest.mark.peers("chromium"), pytest.mark.slow]

NAMES = [f"n{number}" for number in range(2, 9)]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(NAMES) as site:
        yield site


def test_a_suspicion_is_an_arrow_and_the_first_thing_under_now(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/")
    page.locator(".node").nth(7).wait_for()
    page.get_by_text("Nothing is wrong in this view").wait_for()
    places = page.locator(".node .target").evaluate_all(
        "all => all.map(each => each.getAttribute('cx')).sort()"
    )
    site.suspect("n3", by="n5")
    expect(page.locator(".edge.accuses title")).to_contain_text("n5 suspects n3")
    expect(page.locator(".now")).to_contain_text("suspected by n5")
    assert not violations(page)
    site.fail("n3")
    page.locator(".edge.decided").wait_for(state="attached")
    page.locator(".now li[data-state=failed]", has_text="n3").wait_for()
    site.join("n9")
    page.locator(".node").nth(8).wait_for()
    after = page.locator(".node .target").evaluate_all(
        "all => all.map(each => each.getAttribute('cx')).sort()"
    )
    assert set(places) <= set(after), "a join moves no other member"
    site.reap("n9")


def test_the_arc_shrinks_each_accuser_has_an_arrow_and_acks_are_edges_too(open_page: OpenPage) -> None:
    with Site(["n2", "n3", "n4", "n5"]) as site:
        now = site.do(site.cluster.now)
        suspicion = OpenSuspicion(("n4", "n5"), now - 2, now + 98, 3)
        path = ProbePath(now - 2, False, {"n4": "nack", "n5": "silent"}, "refused")
        site.cluster.detections = {
            "n2": Detection(now - 9, None, now - 1, 0.0004),
            "n3": Detection(now, suspicion, now - 5, 0.0004, path),
            "n4": Detection(now - 9, None, now - 2, 0.0005),
            "n5": Detection(now - 99, None, now - 90, 0.0900),
        }
        site.suspect("n3", by="n4")
        page = open_page(f"{site.url}/ui/#/overview?edges=suspicion,acks")
        titles = page.locator(".edge.accuses title")
        expect(titles).to_have_text([re.compile("^n4 suspects n3:"), re.compile("^n5 suspects n3:")])
        now_panel = page.locator(".now")
        expect(now_panel).to_contain_text("suspected by n4, n5, 1 of 3 confirmations")
        expect(now_panel).to_contain_text(re.compile(r"\b\d\d s until it is failed"))
        expect(now_panel).to_contain_text(
            "direct no answer; relays n4 nack, n5 no answer; stream refused", use_inner_text=True
        )
        dashes = "Number(document.querySelector('.deadline').getAttribute('stroke-dasharray').split(' ')[0])"
        page.locator(".deadline").wait_for(state="attached")
        page.wait_for_function(f"before => {dashes} < before", arg=page.evaluate(dashes))
        acked = page.locator(".edge.acked")
        acked.nth(3).wait_for(state="attached")
        faded = acked.evaluate_all("all => all.map(each => Number(each.getAttribute('opacity'))).sort()")
        assert 0.1 <= faded[0] < faded[-1] <= 1, "an old ack is faint"
        page.get_by_role("checkbox", name="RTT").check()
        page.locator(".edge.far title", has_text="90.0 ms").wait_for(state="attached")
        expect(page.locator(".edge.far")).to_have_count(1)
        page.locator(".node[aria-label^='n2']").hover(force=True)
        page.locator(".tooltip", has_text="0.40 ms").wait_for()
        page.locator(".edge.accuses[opacity='0.12']").first.wait_for(state="attached")


@pytest.mark.deep
def test_keys_go_around_the_ring_and_open_a_member(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/")
    page.locator(".ring [tabindex='0']").focus()
    count = page.locator(".node").count()
    focused = "document.activeElement.getAttribute('aria-label').split(/[ :]/)[0]"
    seen = [page.evaluate(focused)]
    for _ in range(count - 1):
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"before => {focused} !== before", arg=seen[-1])
        seen.append(page.evaluate(focused))
    assert sorted(seen) == sorted(site.cluster.table)
    expect(page.locator(".ring [tabindex='0']"), "the ring is one stop of the tab key").to_have_count(1)
    page.keyboard.press("Enter")
    page.locator(".sheet").wait_for()
    expect(page.locator(".ring")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.get_by_role("columnheader", name="Suspected by").wait_for()
    assert not violations(page)


@pytest.mark.deep
@pytest.mark.parametrize(("members", "drawn"), [(100, "canvas.ring"), (600, ".arc")])
def test_larger_clusters_are_drawn_in_fewer_elements(members: int, drawn: str, open_page: OpenPage) -> None:
    with Site() as site:
        for number in range(members):
            name = f"m{number:03}"
            site.cluster.table[name] = make_member(name, gossip_port=7946, dc=f"dc{number % 3}")
        page = open_page(f"{site.url}/ui/")
        page.locator(drawn).first.wait_for()
        expect(page.locator(".node")).to_have_count(0)
        assert not violations(page)
        if drawn == ".arc":
            page.get_by_label("dc1:").focus()
            page.keyboard.press("Enter")
            page.get_by_text("200 of 601").wait_for()
        else:
            page.locator(drawn).focus()
            page.keyboard.press("ArrowRight")
            page.locator(".tooltip", has_text="m").wait_for()
            page.keyboard.press("Enter")
            page.locator(".sheet").wait_for()


@pytest.mark.deep
def test_the_map_is_as_far_as_the_round_trip_times(site: Site, open_page: OpenPage) -> None:
    near, far = Coordinate((0.001,), 0.1, 0.0, 0.0), Coordinate((0.05,), 0.1, 0.0, 0.0)
    site.cluster.coordinates = {"n1": Coordinate((0.0,), 0.1, 0.0, 0.0), "n2": near, "n4": far}
    page = open_page(f"{site.url}/ui/#/overview?layout=rtt")
    page.locator(".scale", has_text="20 ms").wait_for()
    found = page.locator(".node .target").evaluate_all(
        "all => all.map(each => Math.hypot(each.cx.baseVal.value, each.cy.baseVal.value))"
    )
    own, nearer, farther = sorted(found)
    assert own == 0 < nearer < farther / 2


@pytest.mark.deep
def test_a_node_that_is_alone_says_what_it_tries(open_page: OpenPage) -> None:
    with Site(seeds=["10.0.0.6:7946"]) as site:
        page = open_page(f"{site.url}/ui/")
        page.get_by_text("n1 is alone. It looks for 1 seed").wait_for()
        expect(page.locator(".alone")).to_contain_text("10.0.0.6:7946 connection refused")
        page.get_by_role("timer").get_by_text(re.compile(r"^The next attempt is in [\d.]+ s\.$")).wait_for()
        expect(page.get_by_text("Nothing is wrong")).to_have_count(0)
        expect(page.locator(".steps [data-done=true]")).to_have_text(["listening"])
        assert not violations(page)
        page.get_by_role("button", name="Join…").click()
        page.get_by_label("Addresses").wait_for()


@pytest.mark.deep
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_anyone_can_use_the_overview_and_the_health(site: Site, open_page: OpenPage, scheme: str) -> None:
    page = open_page(f"{site.url}/ui/", color_scheme=scheme)
    for view in ("overview", "health"):
        page.evaluate("view => location.hash = `#/${view}`", view)
        page.locator(f".{view}").wait_for()
        for size in (DESKTOP, PHONE):
            page.set_viewport_size(size)
            assert not violations(page)
            fits(page)


def test_each_setting_is_shown_with_its_origin(open_page: OpenPage) -> None:
    with Site(["n2"], origins={"bind": "agent.toml: bind"}) as site:
        page = open_page(f"{site.url}/ui/#/health")
        row = page.locator(".settings tr", has_text="agent.toml: bind")
        expect(row).to_contain_text(re.compile(r"^\s*bind\s*127\.0\.0\.1:7946"))
        page.get_by_text("settings have their default").click()
        page.locator(".settings tr", has_text="probe_interval").get_by_text("default").wait_for()
        assert not violations(page)


def test_each_limit_is_shown_with_its_value_and_how_often_it_was_hit(open_page: OpenPage) -> None:
    with Site(["n2"]) as site:
        for _ in range(3):
            site.do(site.cluster.metrics.dropped, "relay-limit")
        page = open_page(f"{site.url}/ui/#/health")
        hit = page.locator(".limits tr", has_text="relay-limit")
        expect(hit).to_have_text(
            "relay-limit max_relayed_pings 1,024 max_relayed_pings_per_host 64 3", use_inner_text=True
        )
        page.get_by_text("limits never hit").click()
        idle = page.locator("details .limits tbody tr")
        idle.first.wait_for()
        for reason, *limits, times in (row.split() for row in idle.all_inner_texts()):
            assert times == "0"
            assert limits, reason
            for name, value in zip(limits[::2], limits[1::2], strict=True):
                assert value == f"{getattr(site.cluster.config, name):,}"
        assert not violations(page)


def test_keys_that_not_all_members_have_queues_and_packets_that_no_key_decrypts(open_page: OpenPage) -> None:
    answer = {
        "members": 5, "responses": 3, "problem": "", "errors": {"n5": "it has no keyring"}, "messages": {},
        "missing": ["n4"], "failed": ["n6"],
        "keyrings": {"n1": ["aaaa", "bbbb"], "n2": ["aaaa"], "n3": ["bbbb", "aaaa"]},
    }  # fmt: skip
    with Site(["n2"]) as site:
        page = open_page("about:blank")
        page.route("**/v1/swim/keyring", lambda route: route.fulfill(json=answer))
        info: dict[str, Any] = {}

        def with_keys(route: Route) -> None:
            route.fulfill(json={**route.fetch().json(), "encrypted": True, "keys": ["aaaa"], **info})

        page.route("**/v1/swim/info", with_keys)
        page.goto(f"{site.url}/ui/#/health")
        page.get_by_role("button", name="Ask all members").click()
        panel = page.locator("section", has_text="Gossip keys")
        lines = [
            f"{key} {have} of 5 members have it, {have - 1} encrypt with it"
            for key, have in (("aaaa", 3), ("bbbb", 2))
        ]
        expect(panel.locator("li")).to_have_text(lines, use_inner_text=True)
        for text in ("no answer: n4", "failed, so not asked: n6", "n5: it has no keyring"):
            panel.get_by_text(text).wait_for()
        assert not violations(page)
        page.get_by_role("img", name=re.compile("queued for Serf: intents 0, events 0, queries 0")).wait_for()
        info["decrypt_failures"] = {"10.0.0.7": 31}
        for _ in range(31):
            site.do(site.cluster.metrics.dropped, "decrypt")
        panel.get_by_text("None of the keys decrypts what these hosts send").wait_for()
        expect(panel.locator("li").last).to_have_text("10.0.0.7 31 times", use_inner_text=True)
        page.get_by_role("img", name=re.compile(r"dropped: decrypt")).wait_for()


def test_the_pointer_shows_the_same_moment_in_all_charts_and_metrics_are_a_link_away(
    open_page: OpenPage,
) -> None:
    with Site(["n2"], prometheus_metrics=True) as site:
        page = open_page(f"{site.url}/ui/#/health")
        charts, cursors, moments = (page.locator(f".spark{part}") for part in ("", " .cursor", " .moment"))
        charts.nth(1).wait_for()
        expect(cursors).to_have_count(0)
        charts.nth(1).locator("svg").hover()
        expect(cursors).to_have_count(charts.count())
        assert len({*moments.all_inner_texts()}) == 1
        href = page.get_by_role("link", name="Prometheus").evaluate("link => link.href")
        assert "# TYPE " in page.request.get(href).text()
