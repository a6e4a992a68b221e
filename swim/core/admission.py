"""Whether a member may be listed at all: its address, name, versions and network, and the merge policy."""

from __future__ import annotations

from swim.core.context import Context
from swim.core.member import Record, endpoint_of
from swim.core.versions import incompatibility
from swim.text import shown
from swim.wire.messages import Alive

__all__ = ["Admission"]


class Admission:
    """One rule for gossip and push/pulls; what it refuses is counted."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def admits(self, now: float, claim: Alive, record: Record | None) -> bool:
        """Whether an alive claim may be considered; ``record`` is what is listed under its name."""
        if (
            record is not None
            and record.addr == claim.addr
            and record.vsn == claim.vsn
            and (record.is_live or record.meta == claim.meta)
        ):
            return True  # it was considered when the member was listed
        context, local = self._context, self._context.local
        host = endpoint_of(claim.addr, claim.port)[0]
        if (record is None or record.addr != claim.addr) and context.why_unusable(host):
            context.metrics.dropped("address")
        elif not context.delegate.allow_alive(claim):
            context.metrics.dropped("vetoed-alive")
        elif why := record is not local and incompatibility(local.vsn, claim.vsn):
            context.metrics.dropped("versions")
            context.warn(now, "member %s refused: it speaks %s", shown(claim.node), why)
        elif not context.allows(host):
            context.metrics.dropped("cidr")
        elif why := self.objection(claim.node, claim.meta, claim.vsn, record):
            context.metrics.dropped("merge-policy")
            context.warn(now, "%s", why)
        else:
            return True
        return False

    def objection(self, name: str, meta: bytes | None, vsn: bytes, record: Record | None) -> str:
        """Why a member may not join, or "". ``record`` is what is listed under its name; it may be alive."""
        if record is not None and record.is_live:
            return ""
        return self._context.delegate.objection(name, meta, vsn)
