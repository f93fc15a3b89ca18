"""The operator's door: the API below ``/v1``, over the verbs of the core.

This room has no SQL and no rule of its own about commands or devices.
"""
