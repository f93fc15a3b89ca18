"""Parcels: the events that a courier has in hand. Pure."""

from collections import deque
from collections.abc import Iterable

from attrs import define, field

from pushd.model.event import Event
from pushd.model.webhook import Failing

ENOUGH = 200
"""Parcels in hand beyond which no more are read."""


@define(eq=False)
class InFlight:
    """An event to be delivered; if that has failed, since when, and when it is due again, in wall milliseconds."""

    event: Event
    since: int | None = None
    due: int = 0


@define(eq=False)
class DeliveryWindow:
    """Events in order; all up to ``top`` have been looked at."""

    top: int
    known: Failing | None = None
    """What had failed before we began."""
    _undelivered: dict[int, InFlight] = field(factory=dict, init=False)
    _unbegun: deque[InFlight] = field(factory=deque, init=False)

    @property
    def cursor(self) -> int:
        """The ``seq`` up to which all is delivered."""
        return next(iter(self._undelivered), self.top + 1) - 1

    @property
    def failing(self) -> Failing | None:
        """The event that has failed for longest."""
        failing = [
            Failing(seq=seq, since=parcel.since, next_attempt_at=parcel.due)
            for seq, parcel in self._undelivered.items()
            if parcel.since is not None
        ]
        return min(failing, key=lambda one: one.since, default=None)

    @property
    def waiting(self) -> bool:
        """Whether there are some that nobody has begun to deliver."""
        return bool(self._unbegun)

    @property
    def full(self) -> bool:
        """Whether there are enough."""
        return len(self._undelivered) >= ENOUGH

    def add(self, events: Iterable[Event], top: int) -> None:
        """Take more in hand."""
        for event in events:
            parcel = InFlight(event)
            if self.known is not None and self.known.seq == event.seq:
                parcel.since, parcel.due = self.known.since, self.known.next_attempt_at
            self._undelivered[event.seq] = parcel
            self._unbegun.append(parcel)
        self.top = top

    def begin(self) -> InFlight | None:
        """The first that nobody has begun to deliver."""
        return self._unbegun.popleft() if self._unbegun else None

    def delivered(self, parcel: InFlight) -> None:
        """Let one go."""
        del self._undelivered[parcel.event.seq]
