"""
Alerts: listeners that tell the outside of what happened, webhooks first.

This room stands beside the doors: it may import the core, the store's interface, the model, and HTTP clients; not web,
not the admin port, not a dialect.
"""
