"""The part of the seam that is about silence and alerts."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import Interface

from pushd.model.alert import Alert, AlertRules
from pushd.model.timestamps import Now


class IAlertStore(Interface):
    """Who fell silent, and what somebody must be told of. See :class:`pushd.store.interface.IStore`."""

    def mark_offline(devices: Sequence[str], rules: AlertRules, now: Now) -> Deferred[None]:
        """Those of these devices that were online are offline; the approved among them begin to wait for an alert."""

    def raise_alerts(rules: AlertRules, limit: int, now: Now) -> Deferred[int]:
        """Raise the alerts of up to ``limit`` silences that waited for long enough, and clear up to ``limit`` alerts
        of devices that no longer flap; how many of the more numerous.
        """

    def acknowledge_alert(alert: int, by: str, now: Now) -> Deferred[Alert]:
        """Somebody takes care of an alert.

        :raises UnknownAlert: if there is none.
        """

    def alerts(is_open: bool | None, before: int | None, limit: int) -> Deferred[list[Alert]]:
        """Alerts, newest first, from the one before ``before`` on; None is both, open or not."""

    def due_mails(limit: int, now: Now) -> Deferred[list[Alert]]:
        """Up to ``limit`` alerts of which a mail is due, oldest first."""

    def save_mailed(alert: int, rules: AlertRules, now: Now) -> Deferred[None]:
        """A mail about an alert was sent; the reminder is due when the rules say so, while the alert is open."""
