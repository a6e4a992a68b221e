"""What can go wrong with a request, by what a caller can do about it."""

from __future__ import annotations

from swim.errors import SwimError

__all__ = [
    "AgentConnectionRefused",
    "AgentError",
    "AgentTimeout",
    "AgentTlsError",
    "AgentUnreachable",
    "NotAnAgent",
]

_UNKNOWN_MEMBER = "no member named"


class AgentError(SwimError):
    """The agent refused. No state of the client is affected.

    Attributes:
        status: HTTP status, 300..599.
        text: the agent's message.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status: int = status
        self.text: str = text

    def __str__(self) -> str:
        return self.text or f"the agent answered {self.status}"

    @property
    def is_foreign(self) -> bool:
        """Whether the answer is not from a swim agent, which has every path under ``/v1/swim``."""
        return self.status < 400 or (self.status == 404 and not self.text.startswith(_UNKNOWN_MEMBER))


class AgentUnreachable(SwimError):  # noqa: N818  a state, like trio.TooSlow would be
    """No agent could be reached, or the connection broke. No state of the client is affected."""

    exit_code = 4


class AgentConnectionRefused(AgentUnreachable):
    """Nothing listens at the address. No state of the client is affected."""


class AgentTimeout(AgentUnreachable):
    """The agent didn't answer in time; a command that was sent may still take effect."""

    exit_code = 5


class AgentTlsError(AgentUnreachable):
    """TLS failed: a certificate that is not trusted, expired, of another name, or wanted and not sent.

    Nothing was sent. No state of the client is affected.
    """


class NotAnAgent(AgentUnreachable):
    """What answered is no swim agent. No state of the client is affected."""
