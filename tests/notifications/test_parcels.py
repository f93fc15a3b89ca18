"""Tests of :mod:`pushd.notifications.webhooks.delivery_window`: how far delivery got, whatever the order of
arrival.
"""

from hypothesis import given
from hypothesis import strategies as st

from pushd.model.event import Event, EventType
from pushd.model.webhook import Failing
from pushd.notifications.webhooks.delivery_window import DeliveryWindow


def event(seq: int) -> Event:
    """Something that happened."""
    return Event(seq=seq, type=EventType.DEVICE_ONLINE, at=0)


@given(st.sets(st.integers(11, 40), min_size=1), st.randoms(use_true_random=False))
def test_the_cursor_never_passes_what_has_not_arrived(wanted: set[int], order: "object") -> None:
    """In whatever order events arrive, everything up to the cursor has, and it is as far as it can be."""
    parcels = DeliveryWindow(10)
    parcels.add([event(seq) for seq in sorted(wanted)], 50)
    begun = []
    while (parcel := parcels.begin()) is not None:
        begun.append(parcel)
    assert [parcel.event.seq for parcel in begun] == sorted(wanted)
    order.shuffle(begun)  # type: ignore[attr-defined]
    missing = set(wanted)
    for parcel in begun:
        assert parcels.cursor == min(missing) - 1
        parcels.delivered(parcel)
        missing.remove(parcel.event.seq)
    assert parcels.cursor == 50


def test_what_had_failed_before() -> None:
    """An event that had failed before the server was started again is known by its number."""
    known = Failing(seq=12, since=1, next_attempt_at=2)
    parcels = DeliveryWindow(10, known)
    parcels.add([event(11), event(12)], 12)
    assert parcels.failing == known


def test_the_longest_failure_counts() -> None:
    """Of several events that fail, the one that has for longest is told of."""
    parcels = DeliveryWindow(0)
    parcels.add([event(1), event(2)], 2)
    first, second = parcels.begin(), parcels.begin()
    assert first is not None
    assert second is not None
    assert parcels.failing is None
    first.since, second.since = 7, 5
    assert parcels.failing == Failing(seq=2, since=5, next_attempt_at=0)
