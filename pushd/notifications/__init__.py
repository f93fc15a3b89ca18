"""Alerts: listeners that tell the outside of what happened.

This room stands beside the doors: it may import the core, the store's interface, the model, and clients of other
protocols; not web, not the admin port, not a dialect.
"""
