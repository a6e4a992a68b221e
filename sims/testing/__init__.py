"""For your own tests: applications on simulated nodes, Hypothesis strategies, the state machine, pytest."""
