"""Notes: what a courier writes down of its way."""

from attrs import define, field

from pushd.model.alert import AlertRules
from pushd.model.timestamps import Now
from pushd.model.webhook import Attempt, Progress, Subscription
from pushd.notifications.webhooks.delivery_window import DeliveryWindow
from pushd.store.interface import IStore


@define(eq=False)
class Notes:
    """How far one subscription got; each verb is False if the webhook was changed meanwhile, and nothing was
    written.
    """

    subscription: Subscription
    store: IStore
    parcels: DeliveryWindow
    rules: AlertRules
    _cursor: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._cursor = self.parcels.cursor

    @property
    def webhook(self) -> str:
        """The id of the webhook."""
        return self.subscription.webhook.id

    @property
    def behind(self) -> bool:
        """Whether we got further than is written."""
        return self.parcels.cursor > self._cursor

    async def note(self, attempt: Attempt | None = None) -> bool:
        """Write how far we got, and the latest attempt.

        :raises Unavailable: if that could not be done.
        """
        progress = self._progress()
        noted: bool = await self.store.save_progress(progress, attempt)
        self._cursor = progress.cursor
        return noted

    async def disable(self, attempt: Attempt, reason: str, now: Now) -> bool:
        """The same, and disable the webhook.

        :raises Unavailable: if that could not be done.
        """
        disabled: bool = await self.store.disable_webhook(self._progress(), attempt, reason, self.rules, now)
        return disabled

    def _progress(self) -> Progress:
        return Progress(
            webhook=self.webhook,
            revision=self.subscription.revision,
            cursor=self.parcels.cursor,
            failing=self.parcels.failing,
        )
