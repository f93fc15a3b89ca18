"""Operations about webhooks."""

from collections.abc import Mapping
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred

from pushd.model.alert import AlertRules
from pushd.model.timestamps import Now
from pushd.model.webhook import Attempt, LoggedAttempt, Progress, Subscription, Webhook
from pushd.store.operation_base import OperationBase
from pushd.store.transactions import webhooks


@define(eq=False)
class WebhookOperations(OperationBase):
    """The operations of :class:`pushd.store.webhook_interface.IWebhookStore`."""

    def add_webhook(self, webhook: Webhook, secret: str) -> Deferred[Subscription]:
        return self._writer.submit(webhooks.add_webhook, webhook, secret)

    def change_webhook(self, webhook: str, changes: Mapping[str, Any]) -> Deferred[Subscription]:
        return self._writer.submit(webhooks.change_webhook, webhook, changes)

    def delete_webhook(self, webhook: str, now: Now) -> Deferred[None]:
        return self._writer.submit(webhooks.delete_webhook, webhook, now)

    def rotate_secret(self, webhook: str, secret: str, overlap: float, now: Now) -> Deferred[Subscription]:
        return self._writer.submit(webhooks.rotate_secret, webhook, secret, overlap, now)

    def redeliver(self, webhook: str, after: int | None, now: Now) -> Deferred[Subscription]:
        return self._writer.submit(webhooks.redeliver, webhook, after, now)

    def save_progress(self, progress: Progress, attempt: Attempt | None) -> Deferred[bool]:
        return self._writer.submit(webhooks.save_progress, progress, attempt)

    def disable_webhook(
        self, progress: Progress, attempt: Attempt, reason: str, rules: AlertRules, now: Now
    ) -> Deferred[bool]:
        return self._writer.submit(webhooks.disable_webhook, progress, attempt, reason, rules, now)

    def webhook(self, webhook: str) -> Deferred[Webhook]:
        return self._reader.submit(webhooks.get_webhook, webhook)

    def webhooks(self, after: str | None, limit: int) -> Deferred[list[Webhook]]:
        return self._reader.submit(webhooks.list_webhooks, after, limit)

    def subscriptions(self) -> Deferred[list[Subscription]]:
        return self._reader.submit(webhooks.list_subscriptions)

    def deliveries(self, webhook: str, before: int | None, limit: int) -> Deferred[list[LoggedAttempt]]:
        return self._reader.submit(webhooks.list_deliveries, webhook, before, limit)
