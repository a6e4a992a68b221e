"""Prometheus scrapes agents, evaluates the alert rules, and answers every query of the dashboard."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import trio

from agent_api import AgentSettings, serve
from agent_api.telemetry.prometheus import exposition
from swim import Config, open_cluster, run_cluster
from tests.agent_api.fakes import FakeCluster
from tests.interop.processes import Process, eventually, require

OPERATING = Path(__file__).parents[3] / "docs" / "operating"
RULES = OPERATING / "alerts.yml"
FAST = {"probe_interval": 0.2, "probe_timeout": 0.1, "suspicion_mult": 2, "gossip_interval": 0.05}
CONFIG = """\
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: swim
    metrics_path: /v1/metrics
    params: {{format: [prometheus]}}
    static_configs: [{{targets: ["{agent}"]}}]
"""


def panels() -> Iterator[tuple[str, str]]:
    """Title and query of each panel, with the dashboard's variables replaced."""
    dashboard = json.loads((OPERATING / "dashboard.json").read_text(encoding="utf-8"))
    values = {"$job": "swim", "$instance": ".*", "$__rate_interval": "5s"}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"]
            for name, value in values.items():
                query = query.replace(name, value)
            yield panel["title"], query


def expressions() -> list[str]:
    """The query of each alert rule."""
    text = RULES.read_text(encoding="utf-8")
    found = re.findall(r"^ +expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)", text, re.MULTILINE)
    return [several or one for several, one in found]


async def test_every_query_uses_names_and_labels_that_are_served(cluster: FakeCluster) -> None:
    families: dict[str, set[tuple[str, str]]] = {}
    for line in exposition(cluster).splitlines():
        if not line.startswith("#"):
            name, labels = re.fullmatch(r"(\w+)(?:{(.*)})? \S+", line).groups()  # type: ignore[union-attr]
            families.setdefault(name, set()).update(re.findall(r'(\w+)="([^"]*)"', labels or ""))
    families["swim_transitions_total"] = {("to", "failed"), ("cause", "claim")}
    queries = [*expressions(), *(query for _, query in panels())]
    assert len(queries) > 25
    used = set()
    for query in queries:
        for name, matchers in re.findall(r"\b(swim_\w+)(?:{([^}]*)})?", query):
            assert name in families, query
            used.add(name)
            for label, operator, wanted in re.findall(r'(\w+)(=~?)"([^"]*)"', matchers):
                values = {value for key, value in families[name] if key == label}
                parts = wanted.split("|") if operator == "=~" else [wanted]
                assert label in ("job", "instance") or set(parts) <= values, query
        for label in re.findall(r"by \(([^)]*)\)", query):
            keys = {key for name in used if name in query for key, _ in families[name]}
            assert set(label.split(", ")) <= {"job", "instance", *keys}, query
    own = {name for name in families if name.startswith("swim_")}
    assert own - used == set(), "the dashboard shows every family"


def promtool(*arguments: str, text: str | None = None) -> None:
    done = subprocess.run(["promtool", *arguments], input=text, text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.peers("prometheus")
async def test_promtool_accepts_names_rules_and_queries(cluster: FakeCluster, tmp_path: Path) -> None:
    require("prometheus")
    own = [line for line in exposition(cluster).splitlines() if re.match(r"(# \w+ )?swim_", line)]
    promtool("check", "metrics", text="".join(f"{line}\n" for line in own))
    promtool("check", "rules", str(RULES))
    promtool("test", "rules", str(Path(__file__).parent / "alerts_test.yml"))
    recorded = [{"record": "a:b", "expr": query, "labels": {"n": title}} for title, query in panels()]
    queries = tmp_path / "queries.yml"
    queries.write_text(json.dumps({"groups": [{"name": "panels", "rules": recorded}]}))
    promtool("check", "rules", str(queries))


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Prometheus:
    """A server on loopback that scrapes one agent."""

    def __init__(self, agent: str, folder: Path) -> None:
        config = folder / "prometheus.yml"
        config.write_text(CONFIG.format(rules=RULES, agent=agent))
        self.address = f"127.0.0.1:{free_port()}"
        self.process = Process(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self.address}",
            ],
            folder / "prometheus.log",
        )

    async def ask(self, path: str, **parameters: str) -> Any:
        """The data of one answer of its API; None before it answers."""

        def get() -> Any:
            with urlopen(
                f"http://{self.address}/api/v1/{path}?{urlencode(parameters)}", timeout=10
            ) as answer:
                return json.load(answer)["data"]

        try:
            return await trio.to_thread.run_sync(get)
        except HTTPError as unready:
            unready.close()
        except OSError:
            pass
        return None

    async def rules(self) -> dict[str, dict[str, Any]]:
        """Every rule by its name."""
        data = await self.ask("rules") or {"groups": []}
        return {rule["name"]: rule for group in data["groups"] for rule in group["rules"]}


@pytest.mark.slow
@pytest.mark.peers("prometheus")
async def test_prometheus_scrapes_an_agent_and_evaluates_the_rules(tmp_path: Path) -> None:
    require("prometheus")
    settings = AgentSettings(http="127.0.0.1:0", prometheus_metrics=True)
    async with (
        open_cluster(Config.local(name="a", bind="127.0.0.1:0", **FAST)) as cluster,
        trio.open_nursery() as nursery,
    ):
        agent = "{}:{}".format(*await nursery.start(serve, cluster, settings))
        async with trio.open_nursery() as other:
            seeds = ["{}:{}".format(*cluster.endpoint)]
            config = Config.local(name="b", bind="127.0.0.1:0", seeds=seeds, **FAST)
            await other.start(run_cluster, config)
            await eventually(lambda: len(cluster.alive()) == 2, within=10)
            prometheus = Prometheus(agent, tmp_path)
            try:
                await eventually(lambda: is_up(prometheus), within=30, describe=prometheus.process.log)
                other.cancel_scope.cancel()  # without a leave: it fails
                await eventually(lambda: sees_the_failure(prometheus), within=30)
                for title, query in panels():
                    found = await prometheus.ask("query", query=query)
                    assert found["result"], f"{title}: {query}"
            finally:
                prometheus.process.kill()
        nursery.cancel_scope.cancel()


async def is_up(prometheus: Prometheus) -> bool:
    found = await prometheus.ask(
        "query", query='up{job="swim"} == 1 and on () swim_members{status="alive"} == 2'
    )
    return bool(found and found["result"])


async def sees_the_failure(prometheus: Prometheus) -> bool:
    """Every rule was evaluated, and the two that should be are pending."""
    rules = await prometheus.rules()
    assert all(rule["health"] in ("ok", "unknown") for rule in rules.values()), rules
    pending = {name for name, rule in rules.items() if rule["state"] == "pending"}
    return pending >= {"SwimMembersFailed", "SwimNodeAlone"} and all(
        rule["health"] == "ok" for rule in rules.values()
    )
