"""The part of the store's interface about offline devices and alerts."""

from collections.abc import Mapping

from twisted.internet.defer import Deferred
from zope.interface import Interface

from pushd.model.alert import Alert, AlertRules
from pushd.model.timestamps import Now


class IAlertStore(Interface):
    """Offline devices and alerts; :class:`pushd.store.interface.IStore` says what holds of each operation."""

    def mark_offline(devices: Mapping[str, str | None], rules: AlertRules, now: Now) -> Deferred[None]:
        """Mark these devices offline, but for those that are not online; start the grace period of approved ones.

        With each device comes the address from which it was last seen, which may not be stored yet; None: as stored.
        """

    def raise_alerts(rules: AlertRules, limit: int, now: Now) -> Deferred[int]:
        """Raise the alerts of up to ``limit`` devices whose grace period is over, and clear up to ``limit`` alerts of
        devices that no longer flap; the greater of both counts: if it is ``limit``, more may be due.
        """

    def acknowledge_alert(alert: int, by: str, now: Now) -> Deferred[Alert]:
        """Record who takes care of an alert; an alert that was acknowledged before stays as it is.

        :raises UnknownAlert: if there is none.
        """

    def alerts(is_open: bool | None, before: int | None, limit: int) -> Deferred[list[Alert]]:
        """Alerts, newest first, from the one before the id ``before`` on; ``is_open`` None: open and cleared ones."""

    def due_mails(limit: int, now: Now) -> Deferred[list[Alert]]:
        """Up to ``limit`` alerts about which a mail is due, oldest first."""

    def save_mailed(alert: int, error: str | None, rules: AlertRules, now: Now) -> Deferred[None]:
        """Save that a mail about an alert was sent, and when the next one is due, if ever; ``error`` says which
        recipients did not get it.
        """

    def save_mail_error(alert: int, error: str) -> Deferred[None]:
        """Save why no recipient has the mail about an alert; it stays due."""
