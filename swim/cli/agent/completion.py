"""Names of members on the command line, completed by the shell: the agent is asked, shortly and silently."""

from __future__ import annotations

import re

import click
from click.shell_completion import CompletionItem

from swim.cli.agent.remote import client_of
from swim.cli.common import globals_of
from swim.errors import SwimError

__all__ = ["MEMBER"]

_SECONDS = 0.5
"""How long a shell waits for the agent."""
_PLAIN = re.compile(r"(?!-)[\w@%+=:./-]+")
"""Names that every shell takes as they are. Of others, bash runs a ``$(...)``, and fish ends at a comma."""


class _MemberName(click.types.StringParamType):
    """Any text; the shell completes it to the members that the agent lists."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Plain names that begin so, with their status; none without an agent."""
        try:
            wanted = globals_of(ctx)
            members = client_of(wanted._replace(timeout=min(wanted.timeout, _SECONDS))).members()
        except (SwimError, click.ClickException):
            return []
        given = ctx.params.get(param.name or "") or ()
        return [
            CompletionItem(member["name"], help=member["status"])
            for member in members
            if member["name"].startswith(incomplete)
            and _PLAIN.fullmatch(member["name"])
            and not (isinstance(given, tuple) and member["name"] in given)
        ]


MEMBER = _MemberName()
