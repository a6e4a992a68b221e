"""Every named scenario, one file per kind of trouble. Importing this package registers them all."""

from sims.scenarios import (
    basics,
    calibration,
    hostile,
    operators,
    papers_lifeguard,
    papers_rapid,
    papers_swim,
    partitions,
    restarts,
    scripted,
    slow,
)

__all__ = [
    "basics",
    "calibration",
    "hostile",
    "operators",
    "papers_lifeguard",
    "papers_rapid",
    "papers_swim",
    "partitions",
    "restarts",
    "scripted",
    "slow",
]
