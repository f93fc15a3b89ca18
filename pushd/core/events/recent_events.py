"""The tail of the feed: its newest events, in memory."""

from collections import deque
from collections.abc import Sequence

from attrs import define, field

from pushd.model.event import Event
from pushd.store.filters import EventFilter

MAX_RECENT_EVENTS = 1024
"""An event is some hundred bytes, and has at most some thousand: what devices say is cut before it becomes one."""


@define(eq=False)
class RecentEvents:
    """What was heard last, in the order of commits, so that many can be told of it without asking the store."""

    most: int = MAX_RECENT_EVENTS
    _events: deque[Event] = field(factory=deque, init=False)
    _floor: int | None = field(default=None, init=False)
    """All events after the one with this ``seq`` are here; None: that is not known yet."""

    def hear(self, event: Event) -> None:
        """Keep an event that was just committed, and let the oldest go."""
        if self._floor is None:
            self._floor = event.seq - 1
        self._events.append(event)
        while len(self._events) > self.most:
            self._floor = self._events.popleft().seq

    def learn(self, newest: int) -> None:
        """Note which event was the newest by the store: whatever comes after it will be heard."""
        if self._floor is None:
            self._floor = newest

    def reaches(self, after: int) -> bool:
        """Whether all that came after the event with this ``seq`` is here."""
        return self._floor is not None and after >= self._floor

    def after(self, after: int) -> Sequence[Event]:
        """What is here and came after the event with this ``seq``."""
        found = []
        for event in reversed(self._events):
            if event.seq <= after:
                break
            found.append(event)
        found.reverse()
        return found


def passes(which: EventFilter, event: Event) -> bool:
    """Whether a filter lets an event through."""
    return which.device in (None, event.device) and (not which.types or event.type in which.types)
