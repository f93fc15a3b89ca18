"""Webhooks: an operator's verbs on them, and who is told of each change."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from secrets import token_bytes
from typing import Any

from attrs import define, evolve, field

from pushd.core.clocks import Clocks
from pushd.core.credentials import SECRET_BYTES
from pushd.core.egress_policy import EgressPolicy
from pushd.model.alert import AlertRules
from pushd.model.uuid7 import IdSource
from pushd.model.webhook import SECRET_PREFIX, Subscription, Webhook
from pushd.store.interface import IStore

Listener = Callable[[str, Subscription | None], None]
"""Called with the id of a webhook that was changed, and what it is now, or None if it was deleted."""


def make_signing_secret() -> str:
    """A new secret in the form of the Standard Webhooks specification, section "Signature scheme"."""
    return SECRET_PREFIX + b64encode(token_bytes(SECRET_BYTES)).decode("ascii")


@define(eq=False)
class Webhooks:
    """Subscribe, change, delete, redeliver; rotate secrets."""

    store: IStore
    clocks: Clocks
    ids: IdSource
    egress_policy: EgressPolicy
    rules: AlertRules
    _listeners: list[Listener] = field(factory=list, init=False)

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` after each change is durable, and before its verb returns."""
        self._listeners.append(listener)

    def new_webhook(self, **fields: Any) -> Webhook:
        """A new webhook with defaults for what is not said."""
        return Webhook(id=self.ids.make(), created_at=self.clocks.wall_now(), **fields)

    async def add(self, webhook: Webhook) -> tuple[Webhook, str]:
        """Subscribe from the next event on; the secret is shown only here.

        :raises InvalidFields: if the URL is none that we may send to.
        :raises TooManyWebhooks: if there are too many.
        """
        secret = make_signing_secret()
        checked = evolve(webhook, url=self.egress_policy.check_url(webhook.url))
        return self._changed(await self.store.add_webhook(checked, secret)), secret

    async def change(self, webhook: str, changes: Mapping[str, Any]) -> Webhook:
        """Change fields of a webhook.

        :raises InvalidFields: if the URL is none that we may send to.
        :raises UnknownWebhook: if there is none.
        """
        checked = dict(changes)
        if "url" in checked:
            checked["url"] = self.egress_policy.check_url(checked["url"])
        return self._changed(await self.store.change_webhook(webhook, checked))

    async def delete(self, webhook: str) -> None:
        """Forget a webhook.

        :raises UnknownWebhook: if there is none.
        """
        await self.store.delete_webhook(webhook, self.clocks.now())
        self._tell(webhook, None)

    async def rotate(self, webhook: str, overlap: float) -> str:
        """Give a webhook a new secret, shown only here; the old one signs along for ``overlap`` seconds.

        :raises UnknownWebhook: if there is none.
        """
        secret = make_signing_secret()
        self._changed(await self.store.rotate_secret(webhook, secret, overlap, self.clocks.now()))
        return secret

    async def redeliver(self, webhook: str, after: int | None) -> Webhook:
        """Deliver again what comes after an event, or go on where it stopped.

        :raises UnknownWebhook: if there is none.
        :raises InvalidFields: if there is no such event yet.
        """
        return self._changed(await self.store.redeliver(webhook, after, self.clocks.now()))

    def _changed(self, subscription: Subscription) -> Webhook:
        self._tell(subscription.webhook.id, subscription)
        return subscription.webhook

    def _tell(self, webhook: str, subscription: Subscription | None) -> None:
        for listener in self._listeners:
            listener(webhook, subscription)
