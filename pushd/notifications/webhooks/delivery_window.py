"""The events of one webhook that are being delivered, and how far delivery has come. Pure."""

from collections import deque
from collections.abc import Iterable

from attrs import define, field

from pushd.model.event import Event
from pushd.model.webhook import Failing, Progress, Subscription

CAPACITY = 200
"""Undelivered events in memory beyond which no further page is read; a page may add as many again."""


@define(eq=False)
class InFlight:
    """An event to deliver: since when it has failed, if it has, and when it is due, in elapsed time."""

    event: Event
    failing_since: int | None = None
    due: int = 0


@define(eq=False)
class DeliveryWindow:
    """The undelivered events of one subscription, in order; every event up to ``top`` has been read."""

    subscription: Subscription
    top: int = field(init=False)
    _saved_cursor: int = field(init=False)
    _undelivered: dict[int, InFlight] = field(factory=dict, init=False)
    """By ``seq``, in ascending order."""
    pending: deque[InFlight] = field(factory=deque, init=False)
    """Those whose delivery was not started, or that were put back; the worker takes them from the left."""

    def __attrs_post_init__(self) -> None:
        self.top = self._saved_cursor = self.subscription.webhook.cursor

    @property
    def cursor(self) -> int:
        """The ``seq`` up to which everything is delivered."""
        return next(iter(self._undelivered), self.top + 1) - 1

    @property
    def progress(self) -> Progress:
        """What to save: the cursor, and the event that has failed for longest."""
        failing = [
            Failing(seq=seq, since=in_flight.failing_since, next_attempt_at=in_flight.due)
            for seq, in_flight in self._undelivered.items()
            if in_flight.failing_since is not None
        ]
        return Progress(
            webhook=self.subscription.webhook.id,
            revision=self.subscription.revision,
            cursor=self.cursor,
            failing=min(failing, key=lambda failure: failure.since, default=None),
        )

    @property
    def unsaved(self) -> bool:
        """Whether the cursor has moved since it was saved."""
        return self.cursor > self._saved_cursor

    @property
    def full(self) -> bool:
        """Whether no further page should be read."""
        return len(self._undelivered) >= CAPACITY

    def __len__(self) -> int:
        return len(self._undelivered)

    def add(self, events: Iterable[Event], top: int) -> None:
        """Add the events to deliver among those up to ``top``.

        The event that was failing when the subscription was read goes on with its retry schedule.
        """
        webhook = self.subscription.webhook
        for event in events:
            in_flight = InFlight(event)
            if event.seq == self.subscription.failing and webhook.failing_since is not None:
                in_flight.failing_since, in_flight.due = webhook.failing_since, webhook.next_attempt_at or 0
            self._undelivered[event.seq] = in_flight
            self.pending.append(in_flight)
        self.top = top

    def remove(self, delivered: InFlight) -> None:
        """Drop an event that has been delivered."""
        del self._undelivered[delivered.event.seq]

    def saved(self, progress: Progress) -> None:
        """The progress is in the store."""
        self._saved_cursor = max(self._saved_cursor, progress.cursor)
