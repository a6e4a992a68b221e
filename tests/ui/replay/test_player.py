"""The player in a real browser: what it shows at a moment is what the trace says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from agent_api.ui.files import static_files
from agent_api.ui.single import player_document
from tests.cli.processes import eventually
from tests.ui.audit import violations
from tests.ui.conftest import DESKTOP, PHONE, OpenPage
from tests.ui.waiting import fits

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.peers("chromium"), pytest.mark.slow]

HOSTILE = "<img src=x onerror=document.title='owned'>‮" + "x" * 100
TRACE = static_files()["replay/tour.jsonl"].body.decode()
RECORDS = [json.loads(line) for line in TRACE.splitlines()[1:]]
CRASH = next(index for index, record in enumerate(RECORDS) if record.get("fault") == "crash")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traces")
    (folder / "run.jsonl").write_text(TRACE)
    lines = TRACE.splitlines(keepends=True)
    (folder / "other.jsonl").write_text("".join(lines[: CRASH + 1]))
    hostile = TRACE.replace('"n3"', json.dumps(HOSTILE)).replace(
        '"name":"a crash"', f'"name":{json.dumps(HOSTILE)}'
    )
    (folder / "hostile.jsonl").write_text(hostile)
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """``swim sim play`` with one trace; prints its address as the first line."""
    command = [sys.executable, "-m", "swim", "sim", "play", str(folder / "run.jsonl"), "--plain"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def press(page: Page, *keys: str) -> None:
    """Presses keys one after another; what they do is on the screen a little later."""
    for key in keys:
        page.keyboard.press(key)


def words(record: dict[str, Any]) -> str:
    """A transition as the page writes it."""
    return "{node}: {member}@{incarnation} {before} -> {after}".format_map(record)


def shown(page: Page) -> dict[str, tuple[str, int]]:
    """Status and incarnation of each member in the table on the screen."""
    rows = page.locator(".table-at tbody tr").evaluate_all(
        "rows => rows.map(row => [row.dataset.member, row.dataset.state, Number(row.cells[2].textContent)])"
    )
    return {member: (state, incarnation) for member, state, incarnation in rows}


def table(node: str, count: int) -> dict[str, tuple[str, int]]:
    """What the trace says of the table of a node that never stopped, after some records."""
    return {
        record["member"]: (record["after"], record["incarnation"])
        for record in RECORDS[:count]
        if record["kind"] == "event" and record["node"] == node
    }


def test_it_shows_the_tables_that_the_trace_says_at_three_moments(url: str, open_page: OpenPage) -> None:
    page = open_page(url)
    axis = page.get_by_role("slider", name="Time")
    box = axis.bounding_box()
    assert box is not None
    seen = set()
    at = 0.0
    for share in (0.3, 0.7, 0.98):
        page.mouse.click(box["x"] + share * box["width"], box["y"] + 40)
        expect(page.locator(".now b")).not_to_have_text(f"{at:.3f}")
        at = float(axis.get_attribute("aria-valuenow") or "nan")
        expect(page.locator(".now b")).to_have_text(f"{at:.3f}")
        count = sum(record["at"] <= at for record in RECORDS)
        for node in ("n1", "n2"):
            page.get_by_label("Observer").select_option(node)
            wanted = table(node, count)
            eventually(lambda wanted=wanted: shown(page) == wanted)  # type: ignore[misc]
        seen.add(wanted["n3"][0])
    assert seen == {"alive", "suspect", "failed"}
    page.get_by_label("Observer").select_option("n3")
    page.get_by_text("n3 has no table: its process is crashed").wait_for()


@pytest.mark.deep
def test_a_moment_is_in_the_address_and_a_link_leads_there(url: str, open_page: OpenPage) -> None:
    page = open_page(f"{url}ui/#/replay?t=2.5&node=n2&beside=n4")
    page.locator("tr[data-differs]", has_text="n3").wait_for(state="detached")
    page.get_by_role("button", name="Next transition").click()
    page.locator("tr[data-differs]", has_text="n3").wait_for()
    page.wait_for_url(re.compile("record="))
    link = page.url
    again = open_page(link)
    again.locator("tr[data-differs]", has_text="n3").wait_for()
    wanted = shown(page)
    eventually(lambda: shown(again) == wanted)
    expect(again).to_have_url(link)


def test_every_step_has_a_key(url: str, open_page: OpenPage) -> None:
    page = open_page(url)
    current = page.locator(".around li[aria-current=true] .link")
    mark = page.get_by_role("button", name="mark")
    page.locator(".table-at").wait_for()
    transitions = [index for index, record in enumerate(RECORDS) if record["kind"] == "event"]
    first = next(index for index in transitions if index > CRASH)
    later = next(index for index in transitions if index > first + 2)
    press(page, "Alt+ArrowRight")
    expect(current).to_contain_text("crash n3")
    press(page, "Shift+ArrowRight")
    expect(current).to_contain_text(words(RECORDS[first]))
    assert "n3@1 alive -> suspect" in words(RECORDS[first])
    expect(page.locator(".chain li").last).to_contain_text("crash n3")
    press(page, "m")
    expect(mark).to_have_attribute("aria-pressed", "true")
    press(page, *["ArrowRight"] * 3, "ArrowLeft")
    expect(page).to_have_url(re.compile(rf"record={first + 3}\b"))
    press(page, "Shift+ArrowRight")
    expect(current).to_contain_text(words(RECORDS[later]))
    expect(mark).to_have_attribute("aria-pressed", "false")
    press(page, "p")
    expect(mark).to_have_attribute("aria-pressed", "true")
    press(page, "]")
    expect(page.get_by_label("Observer")).to_have_value("n2")
    press(page, " ")
    page.get_by_role("button", name="Pause", exact=True).wait_for()
    press(page, " ")
    page.get_by_role("button", name="Play", exact=True).wait_for()
    press(page, "End")
    page.locator(".now b", has_text=f"{RECORDS[-1]['at']:.3f}").wait_for()
    press(page, "Home")
    # Without a mouse, the chain is links that the tabulator reaches.
    press(page, "Alt+ArrowRight", "Shift+ArrowRight")
    expect(current).to_contain_text(words(RECORDS[first]))
    cause = page.locator(".chain li").last.get_by_text("crash n3 (fault)")
    cause.wait_for()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").endswith("crash n3 (fault)"):
            break
    press(page, "Enter")
    expect(current).to_contain_text("crash n3")


def test_the_first_key_has_no_other_meaning_for_the_browser(url: str, open_page: OpenPage) -> None:
    """Alt and an arrow would leave the page."""
    page = open_page(f"{url}ui/#/replay?t=2.5")
    page.locator(".table-at").wait_for()
    page.evaluate("addEventListener('keydown', (event) => { window.isPrevented = event.defaultPrevented; })")
    press(page, "Alt+ArrowLeft")
    expect(page.locator(".now b")).not_to_have_text("2.500")
    assert page.evaluate("isPrevented")


@pytest.mark.deep
def test_it_plays_to_the_end_and_step_by_step_where_nothing_may_move(url: str, open_page: OpenPage) -> None:
    page = open_page(f"{url}ui/#/replay?t=6.9")
    page.get_by_role("button", name="Play", exact=True).click()
    page.locator(".now b", has_text=f"{RECORDS[-1]['at']:.3f}").wait_for()
    page.get_by_role("button", name="Play", exact=True).wait_for()
    still = open_page(f"{url}ui/#/replay?record={len(RECORDS) - 2}", reduced_motion="reduce")
    still.locator(".now b", has_text=f"{RECORDS[-3]['at']:.3f}").wait_for()
    still.get_by_role("button", name="Play", exact=True).click()
    still.locator(".now b", has_text=f"{RECORDS[-1]['at']:.3f}").wait_for()
    expect(still.locator(".flight:not(.current)")).to_have_count(0)


@pytest.mark.deep
def test_a_crash_is_explained_in_six_steps(url: str, open_page: OpenPage) -> None:
    page = open_page(url)
    page.get_by_role("button", name="Tour").click()
    seen = []
    for step in range(1, 7):
        page.get_by_text(f"A crash in six steps: {step} of 6").wait_for()
        seen.append((page.locator("#tour").inner_text(), shown(page)["n3"][0]))
        page.locator(".tour .primary").click()
    assert seen == [
        ("Five nodes, all alive", "alive"),
        ("n3 crashes", "alive"),
        ("A ping without an ack", "alive"),
        ("Suspected", "suspect"),
        ("Failed", "failed"),
        ("All know", "failed"),
    ]
    page.locator(".tour").wait_for(state="detached")


@pytest.mark.deep
def test_two_traces_over_one_axis(url: str, folder: Path, open_page: OpenPage) -> None:
    page = open_page(url)
    page.get_by_label("Compare…").set_input_files(folder / "other.jsonl")
    panel = page.locator(".compare")
    for text in (
        f"The runs diverge at line {CRASH + 2}",
        "crash n3",
        "ends here",
        "n1 has n3: failed | alive",
    ):
        expect(panel).to_contain_text(text, use_inner_text=True)
    expect(page.locator(".difference")).to_have_count(1)


def test_names_and_files_of_others_are_text(url: str, folder: Path, open_page: OpenPage) -> None:
    page = open_page(url, viewport=PHONE)
    page.get_by_label("Open…").set_input_files(folder / "hostile.jsonl")
    page.locator("h2", has_text="<img").wait_for()
    press(page, *["Shift+ArrowRight"] * 3, "End")
    page.locator("tr[data-state=failed]").wait_for()
    expect(page.locator("main img")).to_have_count(0)
    fits(page, "main")
    assert "owned" not in page.title()


@pytest.mark.deep
def test_what_is_no_trace_is_one_sentence(url: str, folder: Path, open_page: OpenPage) -> None:
    (folder / "cut.jsonl").write_text(TRACE[: len(TRACE) // 2])
    (folder / "newer.jsonl").write_text(TRACE.replace('"format":1', '"format":2', 1))
    page = open_page(url)
    page.get_by_label("Open…").set_input_files(folder / "cut.jsonl")
    page.get_by_text("The file ends in the middle of line").wait_for()
    page.get_by_label("Open…").set_input_files(folder / "newer.jsonl")
    page.get_by_role("alert").get_by_text("newer.jsonl: trace format 2; this version reads 1.").wait_for()
    expect(page.locator(".timeline"), "what was shown is still shown").to_have_count(1)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"viewport": DESKTOP}, marks=pytest.mark.deep),
        pytest.param({"viewport": DESKTOP, "color_scheme": "dark"}, marks=pytest.mark.deep),
        pytest.param({"viewport": PHONE}, marks=pytest.mark.deep),
        {"viewport": PHONE, "color_scheme": "dark"},
    ],
    ids=["light", "dark", "phone-light", "phone-dark"],
)
def test_it_is_accessible(url: str, open_page: OpenPage, options: dict[str, Any]) -> None:
    page = open_page(f"{url}ui/#/replay?t=2.51&node=n2&beside=n3", **options)
    page.locator(".table-at").wait_for()
    assert violations(page) == []
    fits(page)


@pytest.mark.deep
def test_what_checkers_found_is_marked_with_its_sentence(url: str, folder: Path, open_page: OpenPage) -> None:
    lines = TRACE.splitlines(keepends=True)
    found = {"at": RECORDS[300]["at"], "checker": "NeverSo", "kind": "violation", "problem": "it was so"}
    (folder / "violated.jsonl").write_text("".join([*lines[:302], json.dumps(found) + "\n", *lines[302:]]))
    page = open_page(url)
    page.get_by_label("Open…").set_input_files(folder / "violated.jsonl")
    page.locator(".violations .link").click()
    expect(page.locator(".around li[aria-current=true]")).to_contain_text("NeverSo: it was so")
    expect(page.locator("rect.violation")).to_have_count(1)


@pytest.mark.deep
def test_the_same_packets_are_a_diagram(url: str, open_page: OpenPage) -> None:
    page = open_page(f"{url}ui/#/replay?t=2.51")
    page.get_by_role("button", name="diagram").click()
    page.locator(".diagram .flight").first.wait_for()
    expect(page.locator(".diagram .life")).to_have_count(5)
    page.locator(".diagram .transition[data-state=suspect]").first.wait_for()
    expect(page).to_have_url(re.compile("as=diagram"))
    assert violations(page) == []


@pytest.mark.deep
def test_the_curves_follow_the_sliders(url: str, open_page: OpenPage) -> None:
    page = open_page(f"{url}ui/#/explain?loss=0.25")
    page.locator(".plot .model").first.wait_for()
    half = page.locator(".numbers dd").first
    before = half.inner_text()
    page.locator(".slider input").first.focus()
    press(page, "ArrowRight", "ArrowRight", "ArrowRight")
    expect(page).to_have_url(re.compile("nodes=500"))
    expect(half).not_to_have_text(before)
    page.get_by_text("the nearest cluster that was simulated: 300 members").wait_for()
    page.locator(".figures summary").click()
    expect(page.locator(".figures tbody tr")).to_have_count(5)
    assert violations(page) == []
    page.set_viewport_size(PHONE)
    fits(page, "main")
    assert violations(page) == []


def test_one_file_holds_the_player_and_the_trace(tmp_path: Path, open_page: OpenPage) -> None:
    path = tmp_path / "run.html"
    path.write_text(player_document(TRACE.encode(), HOSTILE))
    requests: list[str] = []
    page = open_page(f"{path.as_uri()}#/replay?t=2.51&node=n2", ignore="example.com")
    page.on("request", lambda request: requests.append(request.url))
    page.locator("tr[data-state=suspect]").wait_for()
    page.get_by_role("button", name="Tour").click()
    page.get_by_text("A crash in six steps: 1 of 6").wait_for()
    assert not [url for url in requests if not url.startswith(("file:", "blob:", "data:"))]
    expect(page.locator("main img")).to_have_count(0)
    assert page.evaluate("fetch('https://example.com/').then(() => 'sent', () => 'refused')") == "refused"


@pytest.mark.deep
def test_the_printed_command_makes_the_same_run_up_to_the_moment_that_is_shown(
    open_page: OpenPage, tmp_path: Path
) -> None:
    run = [sys.executable, "-m", "swim", "sim", "run"]
    whole, part = tmp_path / "it's whole.jsonl", tmp_path / "part.jsonl"
    given = ["kill-k", "--seed", "3", "--nodes", "5", "--set", "suspicion_mult=3", "--trace", str(whole)]
    subprocess.run([*run, *given], check=True, stdout=subprocess.DEVNULL)
    document = tmp_path / "run.html"
    document.write_text(player_document(whole.read_bytes(), whole.name))
    page = open_page(document.as_uri())
    page.locator(".transport").wait_for()
    press(page, "Alt+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight")
    records = [json.loads(line) for line in whole.read_text().splitlines()[1:]]
    fault = next(i for i, record in enumerate(records) if record["kind"] == "fault" and record["at"] > 0)
    moved = [index for index, record in enumerate(records) if record["kind"] == "event" and index > fault][1]
    expect(page).to_have_url(re.compile(rf"record={moved + 1}\b"))
    at = float(page.locator(".transport output b").inner_text())
    printed = page.locator("[data-cli^='swim sim run']").get_attribute("data-cli") or ""
    replayed = page.locator("[data-cli^='swim sim replay']").get_attribute("data-cli") or ""
    assert shlex.split(replayed) == ["swim", "sim", "replay", whole.name]
    words = shlex.split(printed)
    assert words[:3] == ["swim", "sim", "run"]
    assert words[-1] == "--play"
    pasted = [*run, *words[3:-1], "--trace", str(part)]
    subprocess.run(pasted, check=True, stdout=subprocess.DEVNULL)
    lines = whole.read_text().splitlines()
    kept = part.read_text().splitlines()
    assert kept == lines[: len(kept)]
    last, next_ = (json.loads(line)["at"] for line in lines[len(kept) - 1 : len(kept) + 1])
    assert last <= at + 0.001
    assert next_ >= at
    assert 1 < len(kept) < len(lines)
