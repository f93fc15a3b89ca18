"""Tests of several polls of one device, and of conflicts between two devices with one id."""

from twisted.internet.task import Clock

from pushd.core.polling.poll_registry import CONFLICT_DELAY, CONFLICT_WINDOW
from pushd.model.event import EventType
from tests.core.harness import CONTAINER, READER, CoreHarness, HeldPoll


def conflicts(harness: CoreHarness) -> int:
    """How many events say that two devices may share one id."""
    return harness.event_types(READER).count(EventType.DEVICE_CONFLICT)


def poll_repeatedly(harness: CoreHarness, count: int) -> list[HeldPoll]:
    """Poll so many times without waiting for an answer."""
    return [harness.poll(READER) for _ in range(count)]


def test_a_newer_poll_takes_over(harness: CoreHarness) -> None:
    """The older poll of a device ends idle at once, and the newer one gets the next command."""
    older, newer = poll_repeatedly(harness, 2)
    assert older.idle
    command = harness.put(READER)
    assert newer.commands == [command]


def test_a_poll_takes_over_from_its_own_device_alone(harness: CoreHarness) -> None:
    """Polls of different devices do not affect each other."""
    reader, container = harness.poll(READER), harness.poll(CONTAINER)
    assert (reader.held, container.held) == (True, True)


def test_two_polls_and_one_command_that_waits(harness: CoreHarness) -> None:
    """A queued command goes to one poll; the other is held."""
    command = harness.put(READER)
    first, second = poll_repeatedly(harness, 2)
    assert first.commands == [command]
    assert second.held


def test_the_end_of_an_older_poll_leaves_the_newer(harness: CoreHarness) -> None:
    """The end of a poll that was taken over does not affect the newer one."""
    older, newer = poll_repeatedly(harness, 2)
    older.disconnect()
    assert harness.core.poll_registry.is_polling(READER)
    command = harness.put(READER)
    assert newer.commands == [command]


def test_a_device_that_polls_again_when_its_older_poll_ends(harness: CoreHarness, clock: Clock) -> None:
    """A client may answer the end of its older poll with a third one, before the second is registered."""
    older = harness.take(READER)
    newest: list[HeldPoll] = []
    older.answer.addCallback(lambda _: newest.append(harness.take(READER)))
    between = harness.take(READER)
    assert (older.idle, between.idle, newest[0].held) == (True, True, True)
    command = harness.put(READER)
    assert newest[0].commands == [command]
    assert not clock.getDelayedCalls()


def test_two_takeovers_are_no_conflict(harness: CoreHarness) -> None:
    """A client that restarts twice is answered at once, without a conflict event."""
    polls = poll_repeatedly(harness, 3)
    assert [poll.idle for poll in polls] == [True, True, False]
    assert conflicts(harness) == 0


def test_the_third_takeover_within_ten_seconds_is_a_conflict(harness: CoreHarness, clock: Clock) -> None:
    """Two devices that share one id are slowed down: from the third takeover on the older poll ends after five
    seconds.
    """
    polls = poll_repeatedly(harness, 4)
    assert [poll.held for poll in polls] == [False, False, True, True]
    clock.advance(CONFLICT_DELAY - 0.001)
    assert polls[2].held
    clock.advance(0.001)
    assert polls[2].idle
    assert polls[3].held


def test_a_conflict_causes_one_event(harness: CoreHarness) -> None:
    """The event is written when the conflict begins, not at each further takeover."""
    poll_repeatedly(harness, 8)
    assert conflicts(harness) == 1
    conflict = next(event for event in harness.events if event.type is EventType.DEVICE_CONFLICT)
    assert conflict.data["takeovers"] == 3


def test_the_older_poll_in_a_conflict_gets_nothing(harness: CoreHarness) -> None:
    """A new command goes to the newest poll, not to an older one that is about to end."""
    polls = poll_repeatedly(harness, 4)
    command = harness.put(READER)
    assert polls[2].held
    assert polls[3].commands == [command]


def test_a_device_that_disconnects_in_a_conflict(harness: CoreHarness, clock: Clock) -> None:
    """A poll that disconnects while it is about to end leaves no timer."""
    polls = poll_repeatedly(harness, 4)
    polls[2].disconnect()
    polls[3].disconnect()
    assert len(harness.core.poll_registry) == 0
    assert not clock.getDelayedCalls()


def test_takeovers_far_apart_are_no_conflict(harness: CoreHarness, clock: Clock) -> None:
    """A device that sometimes loses its connection may return as often as it likes."""
    harness.poll(READER)
    for _ in range(6):
        clock.advance(CONFLICT_WINDOW / 2)
        harness.sweep()
        harness.poll(READER)
    assert conflicts(harness) == 0
    assert len(harness.core.poll_registry) == 1


def test_a_conflict_ends(harness: CoreHarness, clock: Clock) -> None:
    """After ten seconds without a takeover the next one is normal, and another conflict causes another event."""
    poll_repeatedly(harness, 4)
    clock.advance(CONFLICT_WINDOW)
    harness.sweep()
    older, _newer = poll_repeatedly(harness, 2)
    assert older.idle
    poll_repeatedly(harness, 2)
    assert conflicts(harness) == 2


def test_a_drained_core_ends_delayed_polls(harness: CoreHarness, clock: Clock) -> None:
    """A stop does not wait for the delays of conflicts and sign-offs."""
    polls = poll_repeatedly(harness, 4)
    container = harness.poll(CONTAINER)
    harness.sign_off(CONTAINER)
    harness.core.drain()
    assert all(poll.idle for poll in [*polls, container])
    assert not clock.getDelayedCalls()


def test_a_takeover_while_the_core_drains(harness: CoreHarness) -> None:
    """If the answer to one poll brings in another that takes over a third, each of them ends once."""
    reader, container = harness.take(READER), harness.take(CONTAINER)
    reader.answer.addCallback(lambda _: harness.take(CONTAINER))
    harness.core.drain()
    assert (reader.idle, container.idle) == (True, True)
