"""Tests of the limit on events that a device itself can cause: 60 a minute of each type."""

from twisted.internet.task import Clock

from pushd.model.event import EventType
from pushd.store.event_limiter import MAX_PER_MINUTE
from tests.core.harness import CONTAINER, READER, CoreHarness


def alternate(harness: CoreHarness, times: int) -> None:
    """Let a container poll and sign off in turn; it has polled last."""
    for _ in range(times):
        harness.sign_off(CONTAINER)
        harness.poll(CONTAINER)


def test_a_device_cannot_fill_the_event_log(harness: CoreHarness, clock: Clock) -> None:
    """A device that polls and signs off in turn has 60 events of each type a minute; a later one counts the rest."""
    harness.poll(CONTAINER)
    before = len(harness.events)
    alternate(harness, 200)
    written = [event.type for event in harness.events[before:] if event.device == CONTAINER]
    assert written.count(EventType.DEVICE_SIGNED_OFF) == MAX_PER_MINUTE
    assert written.count(EventType.DEVICE_ONLINE) in (MAX_PER_MINUTE - 1, MAX_PER_MINUTE)
    clock.advance(61)
    harness.result(harness.core.sweep())
    last = harness.events[-1]
    assert (last.type, last.device) == (EventType.DEVICE_ONLINE, CONTAINER)
    assert last.data["suppressed"] == 400 - len(written)
    clock.advance(61)
    harness.result(harness.core.sweep())
    assert harness.events[-1] == last
    alternate(harness, 1)
    assert [event.type for event in harness.events[-2:]] == [EventType.DEVICE_SIGNED_OFF, EventType.DEVICE_ONLINE]


def test_a_device_that_is_limited_does_not_limit_others(harness: CoreHarness) -> None:
    """The limit is per device."""
    harness.poll(CONTAINER)
    alternate(harness, 100)
    harness.sign_off(READER)
    assert harness.events[-1].type == EventType.DEVICE_SIGNED_OFF
    assert harness.events[-1].device == READER
