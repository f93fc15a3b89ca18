"""``make demo``: a server, ten simulated devices, and commands for them."""
