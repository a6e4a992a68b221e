"""Pages of other sites in a real browser: by another origin, another port, and DNS rebinding."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.processes import eventually
from tests.ui.conftest import WITHIN, launched
from tests.ui.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

pytestmark = [pytest.mark.peers("chromium"), pytest.mark.slow]

FOREIGN = "evil.example"
"""A name that the browser resolves to this machine, as the owner of a name can make it do."""

TRY = """async ({agent, write, read}) => {
    const outcomes = {};
    const attempt = async (name, action) => {
        try { outcomes[name] = await action(); } catch (error) { outcomes[name] = error.name; }
    };
    const loaded = (kind, address) => new Promise((resolve) => {
        const element = document.createElement(kind);
        element.onload = () => resolve('loaded');
        element.onerror = () => resolve('refused');
        element.src = address;
        document.body.append(element);
    });
    const seen = async (answer) => `${answer.status} ${(await answer.text()).slice(0, 4000)}`;
    await attempt('simple post', async () => {
        const answer = await fetch(agent + write, {method: 'POST', mode: 'no-cors'});
        return answer.type;
    });
    await attempt('put', async () => seen(await fetch(agent + write, {method: 'PUT'})));
    await attempt('post with a header', async () => seen(
        await fetch(agent + write, {method: 'POST', headers: {'X-Nomad-Token': 'x'}})));
    await attempt('beacon', async () => navigator.sendBeacon(agent + write, 'x'));
    await attempt('read', async () => seen(await fetch(agent + read)));
    await attempt('opaque read', async () => seen(await fetch(agent + read, {mode: 'no-cors'})));
    await attempt('image', () => loaded('img', agent + read));
    await attempt('script', () => loaded('script', agent + read));
    await attempt('frame', () => new Promise((resolve) => {
        const frame = document.createElement('iframe');
        frame.onload = () => { let inside; try { inside = frame.contentDocument?.body.innerText; } catch {}
            resolve(inside ?? 'closed'); };
        frame.src = agent + '/ui/';
        document.body.append(frame);
    }));
    await attempt('sandboxed form', () => new Promise((resolve) => {
        const frame = document.createElement('iframe');
        frame.sandbox = 'allow-forms allow-scripts';
        let loads = 0;
        frame.onload = () => { loads += 1; if (loads === 2) resolve('sent'); };
        frame.srcdoc = `<form method=post action="${agent + write}"></form>
            <script>onload = () => document.forms[0].submit()</script>`;
        document.body.append(frame);
    }));
    await attempt('socket', () => new Promise((resolve) => {
        const socket = new WebSocket(agent.replace('http', 'ws') + '/v1/swim/watch');
        socket.onopen = () => resolve('open');
        socket.onerror = () => resolve('refused');
    }));
    return outcomes;
}"""
WRITE, READ = "/v1/swim/leave", "/v1/agent/members"


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>page</title><body></body>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@contextmanager
def another_server(port: int = 0) -> Iterator[int]:
    """The port of a server that is no agent, with an empty page; waits until the port is free."""
    bound: list[ThreadingHTTPServer] = []

    def bind() -> bool:
        with suppress(OSError):
            bound.append(ThreadingHTTPServer(("127.0.0.1", port), _Empty))
        return bool(bound)

    eventually(bind)
    with bound[0] as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def rebinding(driver: Playwright) -> Iterator[Browser]:
    """A browser in which the foreign name is this machine."""
    with launched(driver, f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1") as browser:
        yield browser


@pytest.fixture
def page(rebinding: Browser) -> Iterator[Page]:
    context = rebinding.new_context()
    context.set_default_timeout(WITHIN)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("host", [FOREIGN, "127.0.0.1", "localhost"])
def test_a_page_of_another_origin_neither_writes_nor_reads(page: Page, host: str) -> None:
    with another_server() as foreign, Site(["n2"]) as site:
        page.goto(f"http://{host}:{foreign}/")
        found = page.evaluate(TRY, {"agent": site.url, "write": WRITE, "read": READ})
        # A browser sends a simple request, a form and a beacon, and shows the page no answer.
        eventually(lambda: site.cluster.metrics.counters["swim.dropped.http-origin"] >= 3)
        assert site.cluster.status == "running"
    assert found.pop("simple post") in ("opaque", "TypeError")
    assert found.pop("beacon") is True
    assert found.pop("sandboxed form") == "sent"
    assert found.pop("opaque read") in ("0 ", "TypeError")
    assert found.pop("frame") == "closed"
    assert set(found.values()) <= {"TypeError", "refused"}, found
    assert set(found) == {"put", "post with a header", "read", "image", "script", "socket"}


def rebound(page: Page, site: Site) -> Any:
    """What a page finds whose own name became the agent's address after it was loaded.

    Here the address stays, and the agent takes the other server's place: the same to the browser.
    """
    port = int(site.url.rpartition(":")[2])
    origin = f"http://{FOREIGN}:{port}"
    site.stop()
    with another_server(port):
        page.goto(origin)
    site.start()
    return page.evaluate(TRY, {"agent": origin, "write": WRITE, "read": READ})


def test_a_name_that_was_rebound_to_the_agent_neither_writes_nor_reads(page: Page) -> None:
    with Site(["n2"]) as site:
        found = rebound(page, site)
        assert site.cluster.status == "running"
        assert site.cluster.metrics.counters["swim.dropped.http-host"] >= 5
    for name in ("put", "post with a header", "read", "opaque read"):
        assert found[name].startswith("403 this agent does not accept that Host"), found
    assert (found["image"], found["script"], found["socket"]) == ("refused",) * 3
    assert "n2" not in str(found)


def test_the_attempt_is_one_that_works_where_any_name_is_allowed(page: Page) -> None:
    with Site(["n2"], http_hosts=["*"]) as site:
        found = rebound(page, site)
        assert site.cluster.status == "left"
    assert '"n2"' in found["read"]
