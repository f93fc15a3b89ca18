"""Reading: when a courier looks for what to carry, and what it finds."""

from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field
from automat import TypeMachine, TypeMachineBuilder
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pushd.core.clocks import Clocks
from pushd.lib.background import in_background
from pushd.model.errors import EventsPurged, PushdError
from pushd.model.event import Event
from pushd.model.webhook import Attempt, Webhook
from pushd.notifications.webhooks.delivery_window import DeliveryWindow
from pushd.notifications.webhooks.event_filter import SubscriptionFilter
from pushd.notifications.webhooks.notes import Notes
from pushd.store.filters import EventFilter, EventPage
from pushd.store.interface import IStore

PAGE = 200
"""Events that are read at once."""

SELDOM = 0.1
"""Seconds between two looks while events come faster."""

AGAIN = 1.0
"""Seconds after which a store that did not answer is asked again."""

_LOST = "What happened before this event was no longer kept, and is not delivered."

_log = Logger()


class Reading(Protocol):
    """What happens to a courier's reading."""

    def ring(self) -> None:
        """There may be something to read."""

    def woken(self) -> None:
        """It has paused for long enough."""

    def caught_up(self) -> None:
        """All has been read."""

    def goes_on(self) -> None:
        """There is more, or it could not be read."""

    def filled(self) -> None:
        """There is enough in hand."""

    def room(self) -> None:
        """There is room for more."""

    def end(self) -> None:
        """Read no more."""


@define(eq=False, kw_only=True)
class Reader:
    """Takes events of one subscription in hand, and calls ``arrived`` each time."""

    webhook: Webhook
    store: IStore
    clocks: Clocks
    wants: SubscriptionFilter
    parcels: DeliveryWindow
    notes: Notes
    arrived: Callable[[], None]
    clock: IReactorTime = field(init=False)
    _reading: Reading = field(init=False)
    _heard: int = field(default=0, init=False)
    _waits_since: float | None = field(init=False)
    _not_before: float = field(default=0.0, init=False)
    _ended: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.clock = self.clocks.clock
        self._waits_since = self.clock.seconds()
        self._reading = _machine(self)

    def hear(self, event: Event) -> None:
        """Take in hand what just happened, if all before it was; else look for it, soon, if it may be wanted.

        So who keeps up reads nothing, however many webhooks there are.
        """
        if self._ended or event.seq <= self.parcels.top:  # a page may be ahead of what is told of
            return
        wanted = self.wants.at_once(self.webhook, event)
        keeps_up = self._waits_since is None and event.seq == self.parcels.top + 1 and not self.parcels.full
        if keeps_up and wanted is not None:
            self.parcels.add((event,) if wanted else (), event.seq)
            self.arrived()
        elif wanted is not False:
            self.ring(event.seq)

    def ring(self, seq: int = 0) -> None:
        """Look, soon, for events up to this one, or for whatever there is."""
        self._heard = max(self._heard, seq)
        if self._waits_since is None:
            self._waits_since = self.clock.seconds()
        self._reading.ring()

    def room(self) -> None:
        """Go on, if there was too much in hand."""
        self._reading.room()

    def end(self) -> None:
        """Read no more."""
        self._ended, self._waits_since = True, None
        self._reading.end()

    def waits(self) -> float:
        """For how many seconds something has waited to be read though there is room for it."""
        if self._waits_since is None or self.parcels.full:
            return 0.0
        return self.clock.seconds() - self._waits_since

    def delay(self) -> float:
        """Seconds until it may look again."""
        return max(self._not_before - self.clock.seconds(), 0.0)

    async def look(self) -> None:
        """Take the next events in hand, and tell the machine whether there are more."""
        await deferLater(self.clock, 0)  # what the machine is told counts from its next state on
        try:
            more = await self._take()
        except PushdError as error:
            _log.warn("Webhook {id} cannot be looked after: {error}", id=self.webhook.id, error=str(error))
            self._not_before = self.clock.seconds() + AGAIN
            self._reading.goes_on()
            return
        full = self.parcels.full
        self._waits_since = self.clock.seconds() if more or full else None
        self.arrived()
        if full:
            self._reading.filled()
        elif more:
            self._reading.goes_on()
        else:
            self._reading.caught_up()

    async def _take(self) -> bool:
        """Take a page in hand; whether there is more."""
        page = await self._page()
        whole = len(page.items) == PAGE
        self._not_before = self.clock.seconds() + (0 if whole else SELDOM)
        wanted = [event for event in page.items if await self.wants(self.webhook, event)]
        self.parcels.add(wanted, page.next)
        return whole or page.next < self._heard

    async def _page(self) -> EventPage:
        which = EventFilter(types=self.webhook.types)
        try:
            page: EventPage = await self.store.events(which, self.parcels.top, PAGE)
        except EventsPurged as purged:
            oldest = purged.oldest or self.parcels.top + 1
            self.parcels.add((), oldest - 1)
            await self.notes.note(Attempt(seq=oldest, at=self.clocks.wall_now(), error=_LOST))
            page = await self.store.events(which, self.parcels.top, PAGE)
        return page


def _pausing(reading: Reading, reader: Reader) -> IDelayedCall:
    return reader.clock.callLater(reader.delay(), reading.woken)


def _looking(_reading: Reading, reader: Reader) -> Deferred[None]:
    return in_background(reader.look())


def _build() -> TypeMachine[Reading, Reader]:
    machine = TypeMachineBuilder(Reading, Reader)
    quiet = machine.state("quiet")
    pausing = machine.state("pausing", _pausing)
    looking = machine.state("looking", _looking)
    sated = machine.state("sated")
    ended = machine.state("ended")

    quiet.upon(Reading.ring).to(pausing).returns(None)
    pausing.upon(Reading.woken).to(looking).returns(None)
    looking.upon(Reading.goes_on).to(pausing).returns(None)
    looking.upon(Reading.caught_up).to(quiet).returns(None)
    looking.upon(Reading.filled).to(sated).returns(None)
    sated.upon(Reading.room).to(pausing).returns(None)

    @pausing.upon(Reading.end).to(ended)
    def wait_no_more(_reading: Reading, _reader: Reader, pause: IDelayedCall) -> None:
        pause.cancel()

    @looking.upon(Reading.end).to(ended)
    def look_no_more(_reading: Reading, _reader: Reader, look: Deferred[None]) -> None:
        look.cancel()

    quiet.upon(Reading.end).to(ended).returns(None)
    sated.upon(Reading.end).to(ended).returns(None)
    # what comes while it looks anyway, or looks no more
    busy: tuple[Any, ...] = (pausing, looking, ended)
    for state in (*busy, sated):
        state.upon(Reading.ring).loop().returns(None)
    for state in (*busy, quiet):
        state.upon(Reading.room).loop().returns(None)
    for happens in (Reading.goes_on, Reading.caught_up, Reading.filled, Reading.end):
        ended.upon(happens).loop().returns(None)
    return machine.build()


_machine = _build()
