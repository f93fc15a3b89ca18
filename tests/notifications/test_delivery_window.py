"""Tests of :mod:`pushd.notifications.webhooks.delivery_window`."""

from random import Random

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pushd.model.event import Event, EventType
from pushd.model.webhook import Failing, Progress, Subscription, Webhook
from pushd.notifications.webhooks.delivery_window import CAPACITY, DeliveryWindow


def event(seq: int) -> Event:
    """An event."""
    return Event(seq=seq, type=EventType.DEVICE_ONLINE, at=0)


def window(cursor: int = 0, failing: Failing | None = None) -> DeliveryWindow:
    """The window of a subscription that was read from the store."""
    webhook = Webhook(id="w", url="https://receiver.example/", created_at=0, cursor=cursor)
    subscription = Subscription(webhook=webhook, revision=3, secrets=())
    if failing is not None:
        webhook = evolve(webhook, failing_since=failing.since, next_attempt_at=failing.next_attempt_at)
        subscription = evolve(subscription, webhook=webhook, failing=failing.seq)
    return DeliveryWindow(subscription)


@given(st.sets(st.integers(11, 40), min_size=1), st.randoms(use_true_random=False))
def test_the_cursor_never_passes_an_undelivered_event(matching: set[int], order: Random) -> None:
    """In whatever order events are delivered, all up to the cursor are, and it is as far as it can be."""
    events = window(cursor=10)
    events.add([event(seq) for seq in sorted(matching)], 50)
    taken = list(events.pending)
    assert [in_flight.event.seq for in_flight in taken] == sorted(matching)
    order.shuffle(taken)
    missing = set(matching)
    for in_flight in taken:
        assert events.cursor == min(missing) - 1
        events.remove(in_flight)
        missing.remove(in_flight.event.seq)
    assert events.cursor == 50


def test_a_failing_event_goes_on_failing_over_a_restart() -> None:
    """An event that had failed before the server was restarted keeps its retry schedule."""
    failing = Failing(seq=12, since=1, next_attempt_at=2)
    events = window(10, failing)
    events.add([event(11), event(12)], 12)
    assert events.progress.failing == failing


def test_the_oldest_failure_is_saved() -> None:
    """Of several events that fail, the one that has failed for longest is saved with the progress."""
    events = window()
    events.add([event(1), event(2)], 2)
    first, second = events.pending
    assert events.progress.failing is None
    first.failing_since, second.failing_since = 7, 5
    failing = Failing(seq=2, since=5, next_attempt_at=0)
    assert events.progress == Progress(webhook="w", revision=3, cursor=0, failing=failing)


def test_only_progress_needs_saving() -> None:
    """A cursor that has moved is unsaved until it is in the store; an older one that is saved late changes nothing."""
    events = window(cursor=10)
    assert not events.unsaved
    events.add([], 12)
    earlier = events.progress
    events.add([], 14)
    events.saved(events.progress)
    assert not events.unsaved
    events.saved(earlier)
    assert not events.unsaved


def test_capacity() -> None:
    """The window is full at its capacity, whether deliveries have started or not, and takes more after one is done."""
    events = window()
    events.add([event(seq) for seq in range(1, CAPACITY + 1)], CAPACITY)
    assert (events.full, len(events)) == (True, CAPACITY)
    in_flight = events.pending.popleft()
    assert events.full
    events.remove(in_flight)
    assert not events.full
