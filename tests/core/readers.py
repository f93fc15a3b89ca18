"""Somebody who follows the feed, and what it was told."""

from collections.abc import Callable, Sequence

from attrs import Factory, define, field

from pushd.core.events.follower import Subscriber
from pushd.model.event import Event
from pushd.store.filters import EventFilter
from tests.core.harness import Rooms

ALL = EventFilter()


def _nothing() -> None:
    pass


@define(eq=False)
class Reader:
    """See :class:`pushd.core.events.follower.IReader`; it comes back when it is told to."""

    rooms: Rooms = field(repr=False)
    after: int
    which: EventFilter = ALL
    full_after: int | None = None
    """Events after which it pauses each time."""
    note: Callable[[], object] = _nothing
    """Called each time that it is told something."""
    told: list[Event] = Factory(list)
    batches: list[int] = Factory(list)
    places: list[int] = Factory(list)
    """Where it was told to be when nothing happened."""
    ends: list[str] = Factory(list)
    follower: Subscriber = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Follow from behind what was told last."""
        after = self.told[-1].seq if self.told else self.after
        self.follower = self.rooms.core.feed.follow(self.which, after, self)
        self.follower.resume()

    def leave(self) -> None:
        """Hang up."""
        self.follower.leave()

    def take(self, events: Sequence[Event]) -> None:
        self.note()
        self.told += events
        self.batches.append(len(events))
        if self.full_after is not None and sum(self.batches) >= self.full_after:
            self.batches.clear()
            self.follower.pause()

    def keep_alive(self, position: int) -> None:
        self.places.append(position)

    def end(self) -> None:
        self.ends.append("end")

    def cut(self) -> None:
        self.ends.append("cut")

    @property
    def seqs(self) -> list[int]:
        """What it was told of."""
        return [event.seq for event in self.told]
