"""Webhooks: the URLs to which the server sends events."""

from collections.abc import Iterator
from typing import Unpack

from attrs import define

from pushd.client.api import Api, given, to_json
from pushd.client.fields import WebhookChanges, WebhookFields
from pushd.client.values import DeliveryAttempt, IssuedWebhook, ReceiverAnswer, Webhook, WebhookSecret
from pushd.lib.webhook_message import RECEIVER_TIMEOUT
from pushd.model.admin_api import decimal


@define(eq=False)
class Webhooks:
    """The webhooks of a server, as ``client.webhooks``; its calls need a token of an admin.

    Calls that add a webhook, send a test message, make a secret or delete are not repeated if the server may have
    received them. :func:`~pushd.client.webhook_message.read_webhook` verifies the messages.
    """

    _api: Api

    def list(self) -> Iterator[Webhook]:
        """All webhooks; of each URL, which is a secret, only its host and its last four characters."""
        return self._api.items(Webhook, "webhooks")

    def get(self, webhook: str) -> Webhook:
        """One webhook, by its id, with its whole URL."""
        return self._api.read(Webhook, "GET", "webhooks", webhook)

    def add(self, url: str, **fields: Unpack[WebhookFields]) -> IssuedWebhook:
        """Send events to a URL, from the next one on. The secret, which verifies messages, is shown only now."""
        return self._api.read(IssuedWebhook, "POST", "webhooks", body={"url": url, **given(fields)}, may_repeat=False)

    def change(self, webhook: str, **changes: Unpack[WebhookChanges]) -> Webhook:
        """Change a webhook; a list that is given replaces the earlier one."""
        return self._api.read(Webhook, "PATCH", "webhooks", webhook, body=to_json(changes))

    def delete(self, webhook: str) -> None:
        """Delete a webhook and its delivery log."""
        self._api.call("DELETE", "webhooks", webhook, may_repeat=False)

    def test(self, webhook: str) -> ReceiverAnswer:
        """Send a test message now; what its receiver answered."""
        path = ("webhooks", webhook, "test")
        return self._api.read(ReceiverAnswer, "POST", *path, body={}, wait=RECEIVER_TIMEOUT, may_repeat=False)

    def deliveries(self, webhook: str) -> Iterator[DeliveryAttempt]:
        """The latest 1000 attempts to deliver an event, newest first."""
        return self._api.items(DeliveryAttempt, "webhooks", webhook, "deliveries")

    def redeliver(self, webhook: str, *, after: str | None = None) -> Webhook:
        """Enable a webhook, and continue where it stopped, or behind the event with the ``seq`` ``after``; ``"0"`` is
        before the oldest that is kept. Events that failed are sent again at once.
        """
        return self._api.read(Webhook, "POST", "webhooks", webhook, "redeliver", body=given({"after": after}))

    def new_secret(self, webhook: str, *, overlap: float = 0) -> WebhookSecret:
        """Replace the secret; messages are signed with the old one, too, for ``overlap`` seconds."""
        query = [("overlap", decimal(overlap))]
        return self._api.read(WebhookSecret, "POST", "webhooks", webhook, "secret", query=query, may_repeat=False)
