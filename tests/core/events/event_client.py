"""A client of the event stream that records what it receives."""

from collections.abc import Callable, Sequence

from attrs import Factory, define, field

from pushd.core.events.broadcaster import Subscriber
from pushd.model.event import Event
from pushd.store.filters import EventFilter
from tests.core.harness import CoreHarness

ALL = EventFilter()


def _nothing() -> None:
    pass


@define(eq=False)
class EventClient:
    """Subscribes at once; reconnects when the test says so."""

    harness: CoreHarness = field(repr=False)
    after: int
    event_filter: EventFilter = ALL
    pause_after: int | None = None
    """Number of events after which it pauses each time."""
    on_receive: Callable[[], object] = _nothing
    """Called each time that it receives events."""
    received: list[Event] = Factory(list)
    batches: list[int] = Factory(list)
    """The sizes of the batches since the last pause."""
    positions: list[int] = Factory(list)
    """The positions of the keep-alives."""
    ends: list[str] = Factory(list)
    """How its subscriptions were ended by the server."""
    subscriber: Subscriber = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.connect()

    def connect(self) -> None:
        """Subscribe behind the last event that was received."""
        self.subscriber = self.harness.core.feed.subscribe(
            self.event_filter,
            self.received[-1].seq if self.received else self.after,
            on_events=self._receive,
            on_keep_alive=self.positions.append,
            on_end=lambda: self.ends.append("end"),
            on_abort=lambda: self.ends.append("abort"),
        )
        self.subscriber.resume()

    def disconnect(self) -> None:
        """Close the connection."""
        self.subscriber.unsubscribe()

    @property
    def seqs(self) -> list[int]:
        """The ``seq`` of each event that was received."""
        return [event.seq for event in self.received]

    def _receive(self, events: Sequence[Event]) -> None:
        self.on_receive()
        self.received += events
        self.batches.append(len(events))
        if self.pause_after is not None and sum(self.batches) >= self.pause_after:
            self.batches.clear()
            self.subscriber.pause()
