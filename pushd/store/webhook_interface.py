"""The part of the store's interface about webhooks."""

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from pushd.model.alert import AlertRules
from pushd.model.timestamps import Now
from pushd.model.webhook import Attempt, LoggedAttempt, Progress, Subscription, Webhook


class IWebhookStore(Interface):
    """Webhooks and their delivery log; :class:`pushd.store.interface.IStore` says what holds of each operation."""

    def add_webhook(webhook: Webhook, secret: str) -> Deferred[Subscription]:
        """Add a webhook; it receives events from the next one on.

        :raises TooManyWebhooks: if there are :data:`pushd.model.webhook.MAX_WEBHOOKS`.
        """

    def change_webhook(webhook: str, changes: Mapping[str, Any]) -> Deferred[Subscription]:
        """Change fields by name; after a change of the URL, failed deliveries are retried at once.

        :raises UnknownWebhook: if there is none.
        """

    def delete_webhook(webhook: str, now: Now) -> Deferred[None]:
        """Delete a webhook, its secrets and its delivery log.

        :raises UnknownWebhook: if there is none.
        """

    def rotate_secret(webhook: str, secret: str, overlap: float, now: Now) -> Deferred[Subscription]:
        """Sign with a new secret; for ``overlap`` seconds messages are signed with the old one, too.

        :raises UnknownWebhook: if there is none.
        """

    def redeliver(webhook: str, after: int | None, now: Now) -> Deferred[Subscription]:
        """Enable a webhook, and deliver all events after the ``seq`` ``after`` again; None: continue where it stopped.

        :raises UnknownWebhook: if there is none.
        :raises InvalidFields: if ``after`` is beyond the newest event.
        """

    def save_progress(progress: Progress, attempt: Attempt | None) -> Deferred[bool]:
        """Save how far delivery got, and its latest attempt; False, and nothing was saved, if an operator changed the
        webhook meanwhile.
        """

    def disable_webhook(
        progress: Progress, attempt: Attempt, reason: str, rules: AlertRules, now: Now
    ) -> Deferred[bool]:
        """Save progress as :meth:`save_progress` does, and disable the webhook, with an event and an alert."""

    def webhook(webhook: str) -> Deferred[Webhook]:
        """One webhook.

        :raises UnknownWebhook: if there is none.
        """

    def webhooks(after: str | None, limit: int) -> Deferred[list[Webhook]]:
        """Up to ``limit`` webhooks, by id, from the one after the id ``after`` on."""

    def subscriptions() -> Deferred[list[Subscription]]:
        """All webhooks, with what is needed to deliver to them."""

    def deliveries(webhook: str, before: int | None, limit: int) -> Deferred[list[LoggedAttempt]]:
        """The delivery log of a webhook, newest first, from the entry before the id ``before`` on.

        :raises UnknownWebhook: if there is none.
        """
