"""A ring buffer of the newest events, so that many subscribers can be served without asking the store."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import takewhile

from attrs import define, field

from pushd.model.event import Event
from pushd.store.filters import EventFilter

MAX_RECENT_EVENTS = 1024
"""An event is some hundred bytes, and at most some thousand: what devices send is cut before it becomes an event."""


@define(eq=False)
class RecentEvents:
    """The newest events, in the order of their commits."""

    capacity: int = MAX_RECENT_EVENTS
    _events: deque[Event] = field(factory=deque, init=False)
    _floor: int | None = field(default=None, init=False)
    """All events after the one with this ``seq`` are here; None: not known yet."""

    def append(self, event: Event) -> None:
        """Add an event that was just committed, and drop the oldest if there are too many."""
        if self._floor is None:
            self._floor = event.seq - 1
        self._events.append(event)
        while len(self._events) > self.capacity:
            self._floor = self._events.popleft().seq

    def set_newest(self, seq: int) -> None:
        """The store says that its newest event is ``seq``: all later ones will be appended."""
        if self._floor is None:
            self._floor = seq

    @property
    def newest(self) -> int | None:
        """The ``seq`` of the newest event that was appended."""
        return self._events[-1].seq if self._events else None

    def covers(self, after: int) -> bool:
        """Whether all events after the one with this ``seq`` are here."""
        return self._floor is not None and after >= self._floor

    def after(self, after: int) -> Sequence[Event]:
        """The events after the one with this ``seq``, as far as they are here."""
        newest_first = list(takewhile(lambda event: event.seq > after, reversed(self._events)))
        return newest_first[::-1]


def select(event_filter: EventFilter, events: Iterable[Event]) -> list[Event]:
    """The events that pass a filter, as far as the client may see them."""
    found = [event for event in events if matches(event_filter, event)]
    view = event_filter.view
    if view is None:
        return found
    return [event for event in map(view.narrow, found) if event is not None]


def matches(event_filter: EventFilter, event: Event) -> bool:
    """Whether an event passes a filter; not whether the client may see it."""
    devices, types, since = event_filter.devices, event_filter.types, event_filter.since
    return (
        (not devices or event.device in devices)
        and (not types or event.type in types)
        and (since is None or event.at >= since)
    )
