"""Every named scenario, one file per kind of trouble. Importing this package registers them all."""

from sims.scenarios import basics, partitions, restarts

__all__ = ["basics", "partitions", "restarts"]
