"""The frame and the members in a real browser: live, deep-linked, and safe from the names of others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from agent_api.access.control import AccessControl
from agent_api.access.rules import AccessRules, Token, hash_of
from tests.ui.audit import violations
from tests.ui.conftest import DESKTOP, PHONE, OpenPage
from tests.ui.site import Site
from tests.ui.waiting import copied, fits

pytestmark = [pytest.mark.peers("chromium"), pytest.mark.slow]

HOSTILE = ("<img src=x onerror=document.title='owned'>", "\u202egnp.exe\u2066", "x" * 128, "a b\tc'\"`${1}")


def test_members_change_as_the_events_come(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/members")
    rows = page.locator("tbody tr[data-row]")
    rows.nth(4).wait_for()
    site.suspect("n3")
    page.locator("tr[data-state=suspect]", has_text="n3").wait_for()
    expect(rows.first, "the worst comes first").to_have_text(re.compile(r"^\s*n3\s*◐\s*suspect"))
    site.fail("n3")
    page.locator("tr[data-state=failed]", has_text="n3").wait_for()
    expect(page.locator(".count[data-state=failed]")).to_have_text("1 failed")
    site.join("n6", role="web")
    rows.nth(5).wait_for()
    site.reap("n6")
    rows.nth(5).wait_for(state="detached")


def test_a_link_makes_the_same_screen(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/members?filter=-n1&sort=name&desc=1&columns=delegate")
    expect(page.locator("tbody .name")).to_have_text(["n5", "n4", "n3", "n2"])
    expect(page.get_by_role("columnheader", name="Delegate")).to_be_visible()
    page.locator("[data-filter]").fill("n4")
    expect(page).to_have_url(re.compile("filter=n4"))
    page.get_by_role("button", name="Name").click()
    expect(page).not_to_have_url(re.compile("desc"))


def test_a_stream_that_breaks_is_stale_and_comes_back(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/members")
    page.locator("footer", has_text="live").wait_for()
    page.locator("tbody tr").nth(4).wait_for()  # the view is loaded, too
    site.stop()
    try:
        page.get_by_text("the agent does not answer").wait_for()
        expect(page.locator("footer")).to_contain_text("reconnecting")
        expect(page.locator("tbody tr").nth(4), "what was known is still shown").to_be_visible()
        assert not violations(page)
    finally:
        site.start()
    page.keyboard.press("R")
    page.get_by_text("the agent does not answer").wait_for(state="detached")


def test_a_view_that_cannot_be_loaded_says_so_and_can_be_tried_again(site: Site, open_page: OpenPage) -> None:
    page = open_page("about:blank", ignore="Failed to")
    page.route("**/views/health.js", lambda route: route.abort())
    page.goto(f"{site.url}/ui/#/members")
    page.locator("tr[data-row]").first.wait_for()
    page.goto(f"{site.url}/ui/#/health")
    failure = page.locator(".failure")
    failure.wait_for()
    assert not violations(page)
    page.unroute("**/views/health.js")
    failure.get_by_role("button", name="Try again").click()
    page.locator(".health").wait_for()


def test_a_page_that_stays_open_shows_all_views_also_without_the_agent(
    site: Site, open_page: OpenPage
) -> None:
    page = open_page("about:blank", ignore="Failed to")
    loaded: list[str] = []
    page.on("requestfinished", lambda request: loaded.append(request.url.rpartition("/")[2]))
    page.clock.install()
    page.goto(f"{site.url}/ui/")
    page.locator(".node").nth(2).wait_for()
    page.clock.fast_forward(11_000)
    while not {"members.js", "filter.js", "swipe.js", "lists.css"} <= set(loaded):
        page.wait_for_event("requestfinished")
    page.route("**/ui/**", lambda route: route.abort())
    page.goto(f"{site.url}/ui/#/members")
    page.locator("tr[data-row]").nth(2).wait_for()


def test_names_of_others_are_text(open_page: OpenPage) -> None:
    with Site() as site:
        for name in HOSTILE:
            site.join(name, **{name[:20]: name})
        page = open_page(f"{site.url}/ui/#/members")
        page.locator("tbody tr").nth(len(HOSTILE)).wait_for()
        shown = page.locator("tbody .name").evaluate_all("all => all.map(each => each.textContent)")
        assert set(HOSTILE) <= set(shown)
        expect(page.locator("img")).to_have_count(0)
        site.suspect(HOSTILE[1], by=HOSTILE[3])
        page.goto(f"{site.url}/ui/#/overview?layout=group")
        urgent = page.locator(".now li", has_text="suspected by")
        urgent.wait_for()
        order = "(of) => { const range = document.createRange(); range.selectNodeContents(of);"
        order += " return range.getBoundingClientRect().left }"
        name, words = urgent.locator(".name"), urgent.locator("a > span").last
        assert name.evaluate(order) < words.evaluate(order), "a name does not turn the words behind it round"
        inside = "all => all.every(each => each.getBoundingClientRect().right <= innerWidth)"
        assert page.locator(".now li a, .ring text").evaluate_all(inside)
        said = page.locator(".last li", has_text="suspected (probe by")
        expect(said).to_contain_text("\u2068gnp.exe\u2069 suspected")
        expect(said).not_to_contain_text("\u202e")
        page.goto(f"{site.url}/ui/#/members")
        page.set_viewport_size(PHONE)
        page.locator(".card").first.wait_for()
        fits(page)
        assert "owned" not in page.title()
        assert not violations(page)


def test_the_members_are_copied_as_a_table_as_json_and_as_a_command(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/ui/#/members?filter=n2")
    page.locator("tbody tr[data-row]").wait_for()
    assert copied(page, "table") == "n2\talive\t10.0.0.2:7946\t1\tbuild=0.2.0".replace(
        "10.0.0.2", site.cluster.table["n2"].address
    )
    [member] = json.loads(copied(page, "JSON"))["members"]
    assert (member["name"], member["status"], member["tags"]) == ("n2", "alive", {"build": "0.2.0"})
    assert copied(page, "CLI") == "swim members"
    said = page.locator("[aria-live]")
    expect(said).to_have_text("Copied: swim members")
    page.evaluate("() => { navigator.clipboard.writeText = async () => { throw new Error('not here'); }; }")
    page.get_by_role("button", name="CLI", exact=True).click()
    expect(said).to_have_text("Cannot be copied here: swim members")


def test_a_sentence_for_screen_readers_is_not_lost_to_an_event(site: Site, open_page: OpenPage) -> None:
    page = open_page("about:blank")
    page.clock.install()
    page.goto(f"{site.url}/ui/#/members")
    page.locator("tbody tr[data-row]").first.wait_for()
    page.clock.fast_forward(3000)  # sentences of events are seconds apart
    site.user_event("first", b"")
    said = page.locator("[aria-live]")
    expect(said).to_contain_text("first")
    page.clock.fast_forward(3000)
    page.evaluate("""async () => {
        const { state } = await import('./app.js');
        const { note } = await import('./store.js');
        const region = document.querySelector('[aria-live]');
        window.heard = [];
        new MutationObserver(() => heard.push(region.textContent)).observe(region, {
            subtree: true, characterData: true, childList: true,
        });
        state.say('Done: this');
        note(state.store, {kind: 'jump', at: 0, by: 9000});
    }""")
    page.wait_for_function("heard.includes('Done: this')")
    page.clock.fast_forward(3000)
    expect(said).to_contain_text("jumped")


@pytest.mark.deep
def test_ten_thousand_members_are_a_few_rows(open_page: OpenPage) -> None:
    with Site(f"member-{number:05}" for number in range(10_000)) as site:
        page = open_page(f"{site.url}/ui/#/members?sort=name")
        page.get_by_text("10,001 members").wait_for()
        assert page.locator("tbody tr").count() < 100
        page.locator(".scroll").evaluate("each => each.scrollTo(0, each.scrollHeight)")
        page.locator("tbody tr", has_text="n1").wait_for()
        assert not violations(page)
        page.goto(f"{site.url}/ui/#/overview")
        page.locator(".arc, .ring .total").first.wait_for()
        assert not violations(page)
        page.goto(f"{site.url}/ui/#/views")
        page.get_by_text("Only the view of n1 is known").wait_for()
        assert not violations(page)


@pytest.fixture
def guarded() -> Iterator[Site]:
    token = Token("0" * 8, "reader", ("node:read",), hash_of("a secret"))
    with Site(["n2"], access=AccessControl(AccessRules((token,)))) as site:
        yield site


def test_a_token_is_asked_for_and_kept_out_of_links(guarded: Site, open_page: OpenPage) -> None:
    page = open_page(f"{guarded.url}/ui/#/members", ignore="403")
    page.get_by_role("textbox", name="Token").fill("a secret")
    page.keyboard.press("Enter")
    page.locator("tbody tr").nth(1).wait_for()
    expect(page).not_to_have_url(re.compile("secret"))
    page.get_by_role("button", name="token").click()
    page.get_by_role("dialog", name="Token").wait_for()
    assert not violations(page)
    page.keyboard.press("Escape")
    assert page.evaluate("Object.values(sessionStorage)") == ["a secret"]
    page.reload()
    page.locator("tbody tr").nth(1).wait_for()


@pytest.mark.deep
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_anyone_can_use_it(site: Site, open_page: OpenPage, scheme: str) -> None:
    page = open_page(f"{site.url}/ui/#/members", color_scheme=scheme)
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        page.locator("tr[data-row]" if size == DESKTOP else ".card").first.wait_for()
        assert not violations(page)
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    assert not violations(page)
