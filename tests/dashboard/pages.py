"""The pages, each of which must hold what :mod:`tests.dashboard.test_pages` checks."""

PAGES = (
    "/",
    "/devices",
    "/devices/{online}",
    "/devices/{hostile}",
    "/devices/{online}/open",
    "/commands",
    "/commands/{unknown}",
    "/commands/{succeeded}",
    "/unknown",
    "/alerts",
    "/alerts/{alert}",
    "/webhooks",
    "/webhooks/{webhook}",
    "/tokens",
    "/people",
    "/audit",
    "/settings",
    "/nothing",
)
"""Paths; names in braces are attributes of :class:`tests.dashboard.fleet.Fleet`."""
