"""Sharp tools: the node without I/O, its addresses, and looking at what a node sends and receives.

``Node`` is the protocol as a state machine: its module says what a caller owes it, in order. ``Taps`` and
``Accepted`` are for those who bring their own network or watch one.
"""

from swim.addresses import Endpoint as Endpoint
from swim.core.output import Output as Output
from swim.core.rng import Rng as Rng
from swim.net.taps import Tap as Tap
from swim.net.transport import Transport as Transport
from swim.node import Accepted as Accepted
from swim.node import Node as Node

__all__ = ["Accepted", "Endpoint", "Node", "Output", "Rng", "Tap", "Transport"]
