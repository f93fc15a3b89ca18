"""Manage webhooks, and notify subscribers of each change."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, evolve, field

from pushd.core.clocks import Clocks
from pushd.core.egress_policy import EgressPolicy
from pushd.lib.webhook_signature import make_signing_secret
from pushd.model.actor import Actor
from pushd.model.alert import AlertRules
from pushd.model.epochs import Epochs
from pushd.model.uuid7 import IdSource
from pushd.model.webhook import Subscription, Webhook
from pushd.store.interface import IStore

Listener = Callable[[str, Subscription | None], None]
"""Called with the id of a webhook that was changed, and its new state, or None if it was deleted."""


@define(eq=False)
class Webhooks:
    """Add, change and delete webhooks, rotate their secrets, redeliver events."""

    store: IStore
    clocks: Clocks
    ids: IdSource
    egress_policy: EgressPolicy
    rules: AlertRules
    epochs: Epochs
    failed_since: dict[str, float] = field(factory=dict, init=False)
    """Webhooks whose delivery failed unexpectedly and has not restarted yet; since when, in seconds of the clock."""
    _listeners: list[Listener] = field(factory=list, init=False)
    _foreign_listeners: list[Callable[[], None]] = field(factory=list, init=False)

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` after each change is durable, and before the method that made it returns."""
        self._listeners.append(listener)

    def subscribe_to_foreign_changes(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` when another process has changed webhooks."""
        self._foreign_listeners.append(listener)

    def note_foreign_change(self) -> None:
        """Another process has changed webhooks, or given some up."""
        for listener in self._foreign_listeners:
            listener()

    def new_webhook(self, **fields: Any) -> Webhook:
        """A webhook with these fields and defaults for the others; it is not added yet."""
        now = self.clocks.wall_now()
        return Webhook(id=self.ids.make(now), created_at=now, **fields)

    async def add(self, webhook: Webhook, by: Actor | None = None) -> tuple[Webhook, str]:
        """Deliver all events from the next one on; returns the webhook and its secret, which is not shown again.

        :raises InvalidFields: if the egress policy does not permit the URL.
        :raises TooManyWebhooks: if there are too many.
        """
        secret = make_signing_secret()
        checked = evolve(webhook, url=self.egress_policy.check_url(webhook.url))
        return self._changed(await self.store.by(by).add_webhook(checked, secret)), secret

    async def change(self, webhook: str, changes: Mapping[str, Any], by: Actor | None = None) -> Webhook:
        """Change fields of a webhook.

        :raises InvalidFields: if the egress policy does not permit the URL.
        :raises UnknownWebhook: if there is none.
        """
        checked = dict(changes)
        if "url" in checked:
            checked["url"] = self.egress_policy.check_url(checked["url"])
        return self._changed(await self.store.by(by).change_webhook(webhook, checked))

    async def delete(self, webhook: str, by: Actor | None = None) -> None:
        """Delete a webhook.

        :raises UnknownWebhook: if there is none.
        """
        await self.store.by(by).delete_webhook(webhook)
        self._notify(webhook, None)

    async def rotate(self, webhook: str, overlap: float, by: Actor | None = None) -> str:
        """Make a new secret for a webhook, and return it; the old one signs as well for ``overlap`` seconds.

        :raises UnknownWebhook: if there is none.
        """
        secret = make_signing_secret()
        self._changed(await self.store.by(by).rotate_secret(webhook, secret, overlap))
        return secret

    async def redeliver(self, webhook: str, after: int | None, by: Actor | None = None) -> Webhook:
        """Deliver again all events after the one with this ``seq``; if it is None, continue where delivery stopped.

        :raises UnknownWebhook: if there is none.
        :raises InvalidFields: if there is no such event yet.
        """
        return self._changed(await self.store.by(by).redeliver(webhook, after))

    def with_wall_times(self, webhook: Webhook) -> Webhook:
        """The webhook with the timestamps of its failures in wall milliseconds, to be shown."""
        since, due = webhook.failing_since, webhook.next_attempt_at
        to_wall = self.clocks.to_wall
        return evolve(
            webhook,
            failing_since=None if since is None else to_wall(since),
            next_attempt_at=None if due is None else to_wall(due),
        )

    def _changed(self, subscription: Subscription) -> Webhook:
        self._notify(subscription.webhook.id, subscription)
        return subscription.webhook

    def _notify(self, webhook: str, subscription: Subscription | None) -> None:
        for listener in self._listeners:
            listener(webhook, subscription)
