"""Options of the whole test run."""

from __future__ import annotations

import signal

import pytest

# From these sources, not from an installed copy: pyproject.toml keeps pytest from loading that one.
pytest_plugins = ["sims.testing.pytest_plugin"]

DEEP_EXAMPLES = 20_000
SLOW_TIMEOUT = 600
"""Seconds for a slow test. Some take half a minute of processor time, and the machine may be busy."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="accept what golden traces say now")
    parser.addoption(
        "--deep", action="store_true", help="run for hours: deep tests too, and many more examples"
    )


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts background jobs with SIGINT ignored, and the programs of tests would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from hypothesis import Phase, settings

    quick = [phase for phase in Phase if phase is not Phase.explain]
    settings.register_profile(
        "usual", deadline=None, max_examples=50, derandomize=True, database=None, phases=quick
    )
    settings.register_profile("deep", deadline=None, max_examples=DEEP_EXAMPLES, print_blob=True)
    settings.load_profile("deep" if config.getoption("--deep") else "usual")
    if config.getoption("--deep"):
        config.option.timeout = 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))
    if config.getoption("--deep") or "deep" in config.getoption("-m"):
        return
    deep = [item for item in items if item.get_closest_marker("deep")]
    if deep:
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if item not in deep]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was fuzzed, as a table."""
    from tests.fuzzing import summary

    reports = [one for outcome in ("passed", "failed") for one in terminalreporter.getreports(outcome)]
    if lines := summary(reports):
        terminalreporter.section("fuzzed")
        terminalreporter.write_line("\n".join(lines))
