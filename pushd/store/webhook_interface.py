"""The part of the seam that is about webhooks."""

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from pushd.model.alert import AlertRules
from pushd.model.timestamps import Now
from pushd.model.webhook import Attempt, Delivery, Progress, Subscription, Webhook


class IWebhookStore(Interface):
    """What is durable of webhooks; see :class:`pushd.store.interface.IStore` for what holds of each verb."""

    def add_webhook(webhook: Webhook, secret: str) -> Deferred[Subscription]:
        """Subscribe; it begins with the next event.

        :raises TooManyWebhooks: if there are :data:`pushd.model.webhook.MAX_WEBHOOKS`.
        """

    def change_webhook(webhook: str, changes: Mapping[str, Any]) -> Deferred[Subscription]:
        """Change fields, by their names; at another URL, what has failed is tried again at once.

        :raises UnknownWebhook: if there is none.
        """

    def delete_webhook(webhook: str, now: Now) -> Deferred[None]:
        """Forget a webhook, its secrets and its log.

        :raises UnknownWebhook: if there is none.
        """

    def rotate_secret(webhook: str, secret: str, overlap: float, now: Now) -> Deferred[Subscription]:
        """Sign with a new secret; the old one signs along for ``overlap`` seconds.

        :raises UnknownWebhook: if there is none.
        """

    def redeliver(webhook: str, after: int | None, now: Now) -> Deferred[Subscription]:
        """Deliver again what comes after an event, or go on where it stopped; enables a webhook that was disabled.

        :raises UnknownWebhook: if there is none.
        :raises InvalidFields: if ``after`` is beyond the newest event.
        """

    def save_progress(progress: Progress, attempt: Attempt | None) -> Deferred[bool]:
        """Write how far a courier got, and its latest attempt; False if the webhook has changed since, and it
        was not.
        """

    def disable_webhook(
        progress: Progress, attempt: Attempt, reason: str, rules: AlertRules, now: Now
    ) -> Deferred[bool]:
        """The same, and deliver no more until an operator says so: an event and an alert tell of it."""

    def webhook(webhook: str) -> Deferred[Webhook]:
        """One webhook.

        :raises UnknownWebhook: if there is none.
        """

    def webhooks(after: str | None, limit: int) -> Deferred[list[Webhook]]:
        """Webhooks by id, from the one after ``after`` on."""

    def subscriptions() -> Deferred[list[Subscription]]:
        """All webhooks, with what their couriers need."""

    def deliveries(webhook: str, before: int | None, limit: int) -> Deferred[list[Delivery]]:
        """The log of a webhook, newest first, from the entry before ``before`` on.

        :raises UnknownWebhook: if there is none.
        """
