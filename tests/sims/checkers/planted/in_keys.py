"""Planted in how keyrings change, and how they are used."""

from __future__ import annotations

from typing import Any

import pytest

from sims.checkers import MembersWithACommonKeyStayTogether
from sims.world.host import SimNode
from swim.wire import crypto
from swim.wire.keyring import Keyring
from tests.sims.checkers.planted import scripts
from tests.sims.checkers.planted.bug import bug


@bug("The key that encrypted is forgotten.", scripts.ROTATION, MembersWithACommonKeyStayTogether)
def forgets_the_former_key(patch: pytest.MonkeyPatch) -> None:
    use = Keyring.use

    def forget(self: Any, key: bytes) -> None:
        use(self, key)
        for other in self.keys[1:]:
            self.remove(other)

    patch.setattr(Keyring, "use", forget)


@bug("Only the key that encrypts decrypts.", scripts.ROTATION, MembersWithACommonKeyStayTogether)
def tries_one_key(patch: pytest.MonkeyPatch) -> None:
    opened = crypto.open_sealed

    def one(keyring: Any, *rest: Any) -> bytes:
        return opened(Keyring(keyring.keys[:1]), *rest)

    patch.setattr(crypto, "open_sealed", one)


@bug("The keyring is not stored.", scripts.ROTATION, MembersWithACommonKeyStayTogether)
def stores_no_keyring(patch: pytest.MonkeyPatch) -> None:
    reset = SimNode.reset

    def lose(self: Any) -> None:
        reset(self)
        self.keyring = ()

    patch.setattr(SimNode, "reset", lose)
