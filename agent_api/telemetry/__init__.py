"""``/v1/metrics``: what a node counts, in Nomad's JSON and in Prometheus's text format."""
