"""What the harnesses share: server, simulated devices, operator, receiver, the admin API, the checks of commands."""
