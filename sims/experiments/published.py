"""The papers' published figures as data, for comparison with our runs.

Each value names its source and how it was read: ``primary`` (in the text or a table of the paper), ``figure``
(from one of its figures, about 5 %), ``memory`` (recalled, not read again).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["LIFEGUARD_TABLE", "PUBLISHED", "ArmFigures", "Series", "published"]

_SWIM = "Das, Gupta, Motivala: SWIM, DSN 2002"
_LIFEGUARD = "Dadgar, Phillips, Currey: Lifeguard, DSN 2018 (arXiv 1707.00788v2)"
_RAPID = "Suresh et al.: Stable and Consistent Membership at Scale with Rapid, USENIX ATC 2018"

Reading = Literal["primary", "figure", "memory"]


@dataclass(frozen=True, slots=True)
class Series:
    """One published curve.

    Attributes:
        measure: the name of our measure.
        label: its name in a legend.
        points: x and y.
        source: paper and place.
        reading: how the values were read.
    """

    measure: str
    label: str
    points: tuple[tuple[float, float], ...]
    source: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One row of Lifeguard's tables, over all cells of its interval experiment.

    Attributes:
        false_failed: false positives at every observer.
        false_failed_at_healthy: those at healthy observers.
        messages: in millions.
        gibibytes: sent.
    """

    arm: str
    false_failed: int
    false_failed_at_healthy: int
    messages: float
    gibibytes: float


LIFEGUARD_TABLE = (
    ArmFigures("swim", 339_002, 1_326, 435.33, 149.15),
    ArmFigures("lha-probe", 229_574, 436, 428.62, 134.28),
    ArmFigures("lha-suspicion", 10_174, 89, 484.55, 158.87),
    ArmFigures("buddy", 318_935, 591, 435.62, 147.67),
    ArmFigures("lifeguard", 5_193, 25, 481.42, 146.13),
)
"""Tables of Lifeguard's section V, read in the primary source."""

PUBLISHED = (
    Series(
        "sent_per_period", "SWIM paper", ((8, 2.0), (28, 2.0), (55, 2.0)), f"{_SWIM}, figure 2", "primary"
    ),
    Series(
        "detection_periods",
        "detection, SWIM paper",
        ((8, 1.1), (13, 3.3), (18, 2.0), (24, 1.3), (29, 2.1), (34, 1.4), (40, 1.2)),
        f"{_SWIM}, figure 3a",
        "figure",
    ),
    Series(
        "detection_periods",
        "detection, theory: e/(e-1)",
        ((8, 1.58), (56, 1.58)),
        f"{_SWIM}, section 3",
        "primary",
    ),
    Series(
        "infection_periods",
        "median infection, SWIM paper",
        ((8, 1.0), (13, 1.3), (20, 3.0), (28, 3.0), (35, 2.0), (43, 2.5), (52, 1.5), (56, 2.3)),
        f"{_SWIM}, figure 3b",
        "figure",
    ),
    Series(
        "group_size", "SWIM paper", ((0, 2.0), (1, 4.0), (2, 12.0)), f"{_SWIM}, figure 4 at 175 s", "figure"
    ),
    Series(
        "false_failed.swim",
        "SWIM in the Lifeguard paper",
        (
            (1, 900),
            (4, 6_000),
            (8, 11_000),
            (12, 23_000),
            (16, 34_000),
            (20, 45_000),
            (24, 58_000),
            (28, 77_000),
            (32, 82_000),
        ),
        f"{_LIFEGUARD}, figure 2",
        "figure",
    ),
    Series(
        "false_failed.lifeguard",
        "Lifeguard in the Lifeguard paper",
        (
            (1, 18),
            (4, 140),
            (8, 110),
            (12, 220),
            (16, 570),
            (20, 750),
            (24, 840),
            (28, 1_300),
            (32, 1_200),
        ),
        f"{_LIFEGUARD}, figure 2",
        "figure",
    ),
    Series(
        "first_p50_seconds",
        "first, Lifeguard paper",
        ((128, 12.4),),
        f"{_LIFEGUARD}, section V: SWIM and Lifeguard alike",
        "memory",
    ),
    Series(
        "false_failed_cpu.swim",
        "SWIM in the Lifeguard paper",
        ((1, 10), (2, 45), (4, 365), (8, 955), (16, 1_780), (32, 3_315)),
        f"{_LIFEGUARD}, figure 1",
        "figure",
    ),
    Series(
        "false_failed_cpu.lifeguard",
        "Lifeguard in the Lifeguard paper",
        ((1, 0), (2, 0), (4, 0), (8, 0), (16, 100), (32, 1_270)),
        f"{_LIFEGUARD}, figure 1",
        "figure",
    ),
    Series(
        "all_seconds",
        "memberlist in the Rapid paper",
        ((1000, 45.6), (1500, 68.4), (2000, 97.7)),
        f"{_RAPID}, figure 5",
        "figure",
    ),
    Series(
        "all_seconds",
        "Rapid in the Rapid paper",
        ((1000, 29.7), (1500, 39.9), (2000, 53.6)),
        f"{_RAPID}, figure 5",
        "figure",
    ),
    Series(
        "unique_sizes",
        "memberlist in the Rapid paper",
        ((1000, 901), (1500, 1383), (2000, 1858)),
        f"{_RAPID}, table 1",
        "primary",
    ),
    Series(
        "unique_sizes",
        "Rapid in the Rapid paper",
        ((1000, 4), (1500, 8), (2000, 4)),
        f"{_RAPID}, table 1",
        "primary",
    ),
)


def published(measure: str) -> tuple[Series, ...]:
    """The published curves of one measure."""
    return tuple(series for series in PUBLISHED if series.measure == measure)
