"""An agent that is no member answers questions about members from a list of servers, as Nomad's clients."""
