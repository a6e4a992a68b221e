"""Where each of the seventy acceptance checks of the HTTP API is tested: by number, over real sockets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent

CONTRACT, ROLES, REAL = "test_contract", "test_roles", "test_real_clusters"
ROUTES, KEYRING, STATUS = "access/test_routes", "test_keyring", "test_status"
MONITOR, FRAMES, METRICS = "streams/test_monitor", "streams/test_frames", "telemetry/test_metrics"

NUMBERED = {
    CONTRACT: [*range(1, 24), *range(24, 29), *range(30, 36), 37, 38],
    ROLES: range(39, 53),
    REAL: [17, 18, 19, 20, 21, 22, 23, 24, 28, 31, 33, 34, 35, 36, 37, 39, 48],
}
"""Files whose tests have the numbers in their names, ``test_17_to_25_...`` or ``test_33_34_...``."""

OTHERS = {
    29: [(ROUTES, "test_joins")],
    53: [(ROUTES, "test_every_path_with_every_kind_of_token")],
    54: [
        (ROUTES, "test_every_path_with_every_kind_of_token"),
        (ROUTES, "test_where_the_token_is_looked_for"),
        (ROUTES, "test_never_in_the_query_or_the_body"),
    ],
    55: [(ROUTES, "test_where_the_token_is_looked_for")],
    56: [
        (ROUTES, "test_every_path_with_every_kind_of_token"),
        (ROUTES, "test_nomads_order_of_checks"),
    ],
    57: [(KEYRING, "test_without_encryption_every_operation_fails")],
    58: [
        (KEYRING, "test_a_rotation_as_nomads_client_does_it"),
        (KEYRING, "test_other_operations_there_are_none"),
        (ROUTES, "test_every_path_with_every_kind_of_token"),
    ],
    59: [(KEYRING, "test_a_rotation_as_nomads_client_does_it")],
    60: [(KEYRING, "test_a_bad_body_is_named")],
    61: [
        (MONITOR, "test_lines_come_in_frames_at_the_level_asked_for_and_nowhere_else"),
        (MONITOR, "test_over_a_socket_the_head_comes_at_once_and_nothing_stays"),
    ],
    62: [(MONITOR, "test_nomads_refusals"), (MONITOR, "test_nomads_targets")],
    63: [(MONITOR, "test_over_a_socket_the_head_comes_at_once_and_nothing_stays")],
    64: [(STATUS, "test_leader_peers_and_regions"), (STATUS, "test_refusals")],
    65: [(STATUS, "test_leader_peers_and_regions")],
    66: [
        (METRICS, "test_json_has_nomads_five_lists"),
        (METRICS, "test_prometheus_takes_a_setting"),
        (METRICS, "test_the_exposition_has_a_type_for_each_name_and_one_value_a_line"),
    ],
    67: [
        (FRAMES, "test_over_a_socket_every_line_is_an_object_and_the_first_is_empty"),
        (FRAMES, "test_nomads_refusals"),
    ],
    68: [(STATUS, "test_reload"), (ROUTES, "test_every_path_with_every_kind_of_token")],
    69: [
        ("test_python_nomad", name) for name in ("test_agent", "test_status", "test_regions", "test_metrics")
    ],
    70: [
        (MONITOR, "test_over_a_socket_the_head_comes_at_once_and_nothing_stays"),
        ("streams/test_lines", "test_the_client_going_ends_the_source_at_once"),
        ("test_swim_api", "test_a_reader_of_events_that_goes_away_is_forgotten"),
    ],
}
"""The other checks, and the tests that make them."""


def names_in(file: str) -> list[str]:
    """The tests of a file."""
    return re.findall(r"^(?:async )?def (test_\w+)\(", (HERE / f"{file}.py").read_text(), re.MULTILINE)


def numbers_of(name: str) -> set[int]:
    """The checks that a test has in its name."""
    head = re.match(r"test((?:_\d\d|_to)+)(?:_|$)", name)
    words = head[1].split("_")[1:] if head else []
    found = {int(word) for word in words if word != "to"}
    for at, word in enumerate(words):
        if word == "to":
            found |= set(range(int(words[at - 1]), int(words[at + 1]) + 1))
    return found


@pytest.mark.parametrize("file", NUMBERED)
def test_the_numbers_in_the_names_are_these(file: str) -> None:
    found = set().union(*map(numbers_of, names_in(file)))
    assert found >= set(NUMBERED[file]), sorted(set(NUMBERED[file]) - found)


def test_every_check_has_a_test() -> None:
    for number, tests in OTHERS.items():
        for file, name in tests:
            assert name in names_in(file), f"check {number}: {file}.py has no {name}"
    covered = set(OTHERS).union(*NUMBERED.values())
    assert covered == set(range(1, 71)), sorted(set(range(1, 71)) - covered)
