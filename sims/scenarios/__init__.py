"""All named scenarios, one file per kind of trouble. Importing this package registers them."""

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
