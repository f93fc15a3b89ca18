"""The event log: reading it, and pushing it to subscribers."""
