"""Ownership: each webhook is delivered, and alerts are mailed, by one of the processes that share a database."""

from collections.abc import Collection, Sequence

from attrs import frozen

from pushd.model.webhook import Subscription

OWNED_SECONDS = 30.0
"""Seconds of steady time for which a process owns something, unless it renews that."""

RENEW_SECONDS = 10.0
"""Seconds between two renewals."""


@frozen(kw_only=True)
class OwnedWebhooks:
    """The webhooks that this process owns."""

    ids: Collection[str]
    changed: Sequence[Subscription]
    """Those of them of which the process does not have the current revision."""
    share: int | None = None
    """How many it should own, so that all processes own as many; None: there is no other."""
