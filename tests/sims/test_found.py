"""What simulated runs found in the core, each as small as it became."""

from __future__ import annotations

import pytest

from swim.config import Config
from swim.errors import ConfigError


def test_settings_with_which_no_two_nodes_can_talk_are_refused() -> None:
    keys = (b"0123456789abcdef",)
    with pytest.raises(ConfigError, match="^accept_encryption_v0: "):
        Config.lan(name="a", protocol_version=1, keys=keys)
    Config.lan(name="a", protocol_version=1, keys=keys, accept_encryption_v0=True)
