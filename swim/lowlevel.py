"""Low-level tools: the sans-I/O node, its addresses, and observers of what a node sends and receives.

``Node`` is the protocol as a state machine; its module lists the caller's duties, in order. ``Tap`` and
``Accepted`` are for programs that supply their own network or observe one.
"""

from swim.addresses import Endpoint as Endpoint
from swim.core.output import Output as Output
from swim.core.rng import Rng as Rng
from swim.inspection import Inspection as Inspection
from swim.net.taps import StreamTap as StreamTap
from swim.net.taps import Tap as Tap
from swim.net.transport import Transport as Transport
from swim.node import Accepted as Accepted
from swim.node import Node as Node

__all__ = ["Accepted", "Endpoint", "Inspection", "Node", "Output", "Rng", "StreamTap", "Tap", "Transport"]
