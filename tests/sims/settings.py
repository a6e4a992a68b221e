"""How many examples a property test runs."""

from __future__ import annotations

from typing import Any

from hypothesis import settings


def examples(count: int, **more: Any) -> settings:
    """So many in the usual run; with ``--deep`` as many as that profile says."""
    if settings.get_current_profile_name() == "deep":
        return settings(**more)
    return settings(max_examples=count, **more)
