"""Web servers: each worker is a member, which leaves when the server is stopped by a signal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from sims.bench.ports import free_port
from tests.hosts.recipes import write_recipes
from tests.hosts.watching import Program, fetch, watching

pytestmark = pytest.mark.slow

SETTINGS = """
SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "site_urls"
INSTALLED_APPS = [{}]
DEBUG = True
"""
URLS = """
from django.apps import apps
from django.http import JsonResponse
from django.urls import path


def peers(request):
    if apps.is_installed("members"):
        cluster = apps.get_app_config("members").cluster
    else:
        cluster = request.scope["state"]["cluster"]
    return JsonResponse([member.name for member in cluster.alive()], safe=False)


urlpatterns = [path("peers", peers)]
"""


def uvicorn(application: str, port: int, *options: str) -> tuple[str, ...]:
    return "uvicorn", application, "--host", "127.0.0.1", "--port", str(port), *options


async def peers(port: int) -> set[str]:
    status, body = await fetch(f"http://127.0.0.1:{port}/peers")
    assert status == 200
    return set(json.loads(body))


async def all_workers_list(port: int, names: set[str]) -> None:
    """Waits for it: a worker hears of another one a little later than the watcher does."""
    in_a_row = 0
    with trio.fail_after(20):
        while in_a_row < 5:  # any worker answers
            in_a_row = in_a_row + 1 if await peers(port) == names else 0
            await trio.sleep(0.02)


async def test_fastapi_on_uvicorn_with_two_workers(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    port = free_port()
    write_recipes(tmp_path, "web.py")
    async with watching() as watcher:
        with Program(tmp_path, watcher, *uvicorn("web:app", port, "--workers", "2")) as program:
            names = await watcher.joined("web", 2, program)
            await all_workers_list(port, {"watcher", *names})
            _, body = await fetch(f"http://127.0.0.1:{port}/cluster/members")
            assert {member["name"] for member in json.loads(body)["members"]} == {"watcher", *names}
            status, body = await fetch(f"http://127.0.0.1:{port}/cluster/health")
            health = json.loads(body)
            assert (status, health["ok"], health["status"], health["alive"]) == (200, True, "running", 3)
            assert health["name"] in names
            _, body = await fetch(f"http://127.0.0.1:{port}/cluster/metrics")
            assert json.loads(body)["counters"]["memberlist.udp.received"] > 0
            assert await program.stop() == 0
            await watcher.left(names, program)


async def test_starlette(tmp_path: Path) -> None:
    port = free_port()
    write_recipes(tmp_path, "star.py")
    async with watching() as watcher:
        with Program(tmp_path, watcher, *uvicorn("star:app", port)) as program:
            names = await watcher.joined("star", 1, program)
            assert await peers(port) == {"watcher", *names}
            await program.stop()
            await watcher.left(names, program)


async def test_django_under_asgi(tmp_path: Path) -> None:
    port = free_port()
    write_recipes(tmp_path, "asgi.py")
    (tmp_path / "site_settings.py").write_text(SETTINGS.format(""))
    (tmp_path / "site_urls.py").write_text(URLS)
    async with watching() as watcher:
        with Program(tmp_path, watcher, *uvicorn("asgi:application", port)) as program:
            names = await watcher.joined("asgi", 1, program)
            assert await peers(port) == {"watcher", *names}
            await program.stop()
            await watcher.left(names, program)


async def test_django_runserver(tmp_path: Path) -> None:
    port = free_port()
    write_recipes(tmp_path, "members.py")
    (tmp_path / "site_settings.py").write_text(SETTINGS.format("'members.Members'"))
    (tmp_path / "site_urls.py").write_text(URLS)
    words = ("django", "runserver", f"127.0.0.1:{port}", "--settings", "site_settings")
    async with watching() as watcher:
        with Program(tmp_path, watcher, *words) as program:
            names = await watcher.joined("django", 1, program)
            assert await peers(port) == {"watcher", *names}
            await program.interrupt()
            await watcher.left(names, program)
