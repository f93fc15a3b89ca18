"""``make demo``: a server and ten simulated devices."""
