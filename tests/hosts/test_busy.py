"""Hosts that compute for eight seconds at a stretch: no member declares theirs failed meanwhile.

They run at the same time, since all they do is wait.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from sims.bench.ports import free_port
from tests.hosts.recipes import RECIPES, write_recipes
from tests.hosts.watching import Program, Watcher, fetch, watching
from tests.interop.processes import eventually

pytestmark = pytest.mark.slow

NOTEBOOK = """
import sys

import nbformat
from nbclient import NotebookClient

with open("cells") as cells:
    code = cells.read().split("# next cell\\n")
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in code])
NotebookClient(notebook, timeout=60).execute()
"""


async def flask_on_gunicorn(directory: Path, watcher: Watcher) -> None:
    port = free_port()
    write_recipes(directory, "shop.py", "gunicorn.conf.py")
    words = ("gunicorn", "--workers", "2", "--preload", "--bind", f"127.0.0.1:{port}", "shop:app")
    with Program(directory, watcher, *words) as program:
        names = await watcher.joined("shop", 2, program)
        assert await fetch(f"http://127.0.0.1:{port}/slow") == (200, b"done")
        _, body = await fetch(f"http://127.0.0.1:{port}/peers")
        assert names < set(json.loads(body))
        assert await program.stop() == 0
        await watcher.left(names, program)


async def celery_prefork(directory: Path, watcher: Watcher) -> None:
    write_recipes(directory, "jobs.py")
    (directory / "queue").mkdir()
    words = (
        "celery",
        "--app",
        "jobs",
        "worker",
        "--pool",
        "prefork",
        "--concurrency",
        "2",
        "--loglevel",
        "info",
    )
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    with Program(directory, watcher, *words, *quiet, BROKER="filesystem://") as program:
        names = await watcher.joined("jobs", 2, program)
        call = [sys.executable, "-m", "celery", "--app", "jobs", "call", "jobs.slow"]
        await trio.run_process(call, cwd=directory, env=program.environment, capture_stdout=True)
        await eventually(lambda: "succeeded in" in program.log(), 60, describe=program.log)
        assert await program.stop() == 0
        await watcher.left(names, program)


async def notebook(directory: Path, watcher: Watcher) -> None:
    cells = (RECIPES[name] for name in ("first cell", "busy cell", "last cell"))
    (directory / "cells").write_text("# next cell\n".join(cells))
    (directory / "run_notebook.py").write_text(NOTEBOOK)
    with Program(directory, watcher, "run_notebook") as program:
        names = await watcher.joined("notebook", 1, program)
        assert await program.ended() == 0, program.log()
        await watcher.left(names, program)


HOSTS: dict[str, tuple[Callable[[Path, Watcher], Awaitable[None]], str]] = {
    "gunicorn": (flask_on_gunicorn, "flask gunicorn"),
    "celery": (celery_prefork, "celery"),
    "notebook": (notebook, "nbclient ipykernel"),
}


async def test_hosts_that_are_busy_for_eight_seconds(tmp_path: Path) -> None:
    for _, modules in HOSTS.values():
        for module in modules.split():
            pytest.importorskip(module)
    async with watching() as watcher, trio.open_nursery() as nursery:
        for name, (host, _) in HOSTS.items():
            (tmp_path / name).mkdir()
            nursery.start_soon(host, tmp_path / name, watcher)
