"""A courier: takes the events of one webhook to its receiver."""

from collections.abc import Callable

from attrs import define, field

from pushd.core.clocks import Clocks
from pushd.model.alert import AlertRules
from pushd.model.event import Event
from pushd.model.webhook import Failing, Subscription
from pushd.notifications.webhooks.bearing import Bearers
from pushd.notifications.webhooks.delivery_window import DeliveryWindow
from pushd.notifications.webhooks.event_filter import SubscriptionFilter
from pushd.notifications.webhooks.notes import Notes
from pushd.notifications.webhooks.reading import Reader
from pushd.notifications.webhooks.sender import WebhookSender
from pushd.store.interface import IStore


@define(eq=False)
class WebhookWorker:
    """One subscription on its way: reads, carries, and notes how far it got."""

    subscription: Subscription
    store: IStore
    clocks: Clocks
    poster: WebhookSender
    wants: SubscriptionFilter
    chance: Callable[[], float]
    rules: AlertRules
    _parcels: DeliveryWindow = field(init=False)
    _notes: Notes = field(init=False)
    _reader: Reader = field(init=False)
    _bearers: Bearers = field(init=False)

    def __attrs_post_init__(self) -> None:
        webhook = self.subscription.webhook
        self._parcels = DeliveryWindow(webhook.cursor, _known(self.subscription))
        self._notes = Notes(self.subscription, self.store, self._parcels, self.rules)
        self._bearers = Bearers(
            subscription=self.subscription,
            clocks=self.clocks,
            poster=self.poster,
            parcels=self._parcels,
            notes=self._notes,
            chance=self.chance,
            room=self._room,
            over=self._end,
        )
        self._reader = Reader(
            webhook=webhook,
            store=self.store,
            clocks=self.clocks,
            wants=self.wants,
            parcels=self._parcels,
            notes=self._notes,
            arrived=self._bearers.hire,
        )

    def begin(self) -> None:
        """Look for what was not delivered yet."""
        self._reader.ring()

    def heard(self, event: Event) -> None:
        """Something happened, which may be wanted."""
        self._reader.hear(event)

    async def glance(self, last: int) -> None:
        """Pass over what was not wanted, up to the newest event, and write that down.

        :raises Unavailable: if that could not be done.
        """
        if last > self._parcels.top:
            self._reader.ring(last)
        if self._notes.behind and not self._bearers.busy and not await self._notes.note():
            self._end()

    def stuck(self, seconds: float) -> bool:
        """Whether something has been due for longer than that, and was not even tried."""
        return max(self._reader.waits(), self._bearers.overdue()) > seconds

    def drop(self) -> None:
        """End at once; what is on its way may arrive, and will be sent again."""
        self._reader.end()
        self._bearers.drop()

    async def finish(self, seconds: float) -> None:
        """End; what is on its way has so many seconds to arrive."""
        self._reader.end()
        await self._bearers.finish(seconds)

    def _room(self) -> None:
        self._reader.room()

    def _end(self) -> None:
        self._reader.end()
        self._bearers.end()


def _known(subscription: Subscription) -> Failing | None:
    """What had failed when somebody else carried."""
    webhook = subscription.webhook
    if subscription.failing is None or webhook.failing_since is None:
        return None
    return Failing(seq=subscription.failing, since=webhook.failing_since, next_attempt_at=webhook.next_attempt_at or 0)
