"""Helpers without a domain, shared by the server, ``pushctl`` and the simulator."""
