"""All named scenarios, one file per kind of trouble. Importing this package registers them."""

from sims.scenarios import (
    basics,
    calibration,
    distances,
    hostile,
    keys,
    operators,
    papers_lifeguard,
    papers_rapid,
    papers_swim,
    partitions,
    restarts,
    scripted,
    slow,
    user_events,
)

__all__ = [
    "basics",
    "calibration",
    "distances",
    "hostile",
    "keys",
    "operators",
    "papers_lifeguard",
    "papers_rapid",
    "papers_swim",
    "partitions",
    "restarts",
    "scripted",
    "slow",
    "user_events",
]
