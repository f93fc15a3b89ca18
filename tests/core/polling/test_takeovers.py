"""Tests of polls that meet others of their device, and of the device's goodbye."""

from twisted.internet.task import Clock

from pushd.core.polling.poll_registry import CONFLICT_DELAY, CONFLICT_WINDOW
from pushd.model.event import EventType
from tests.core.harness import CONTAINER, READER, CoreHarness, HeldPoll


def conflicts(harness: CoreHarness) -> int:
    """How often the feed has told that two devices may share one id."""
    return harness.event_types(READER).count(EventType.DEVICE_CONFLICT)


def take_turns(harness: CoreHarness, count: int) -> list[HeldPoll]:
    """Poll so many times without waiting for an answer."""
    return [harness.poll(READER) for _ in range(count)]


def test_a_newer_poll_takes_over(harness: CoreHarness) -> None:
    """The older poll of a device ends idle at once, and the newer one gets what comes."""
    older, newer = take_turns(harness, 2)
    assert older.idle
    command = harness.put(READER)
    assert newer.commands == [command]


def test_a_poll_takes_over_from_its_own_device_alone(harness: CoreHarness) -> None:
    """Polls of different devices do not disturb each other."""
    reader, container = harness.poll(READER), harness.poll(CONTAINER)
    assert (reader.held, container.held) == (True, True)


def test_two_polls_and_one_command_that_waits(harness: CoreHarness) -> None:
    """A command goes to one poll; the other is held."""
    command = harness.put(READER)
    first, second = take_turns(harness, 2)
    assert first.commands == [command]
    assert second.held


def test_an_older_poll_that_leaves_late_harms_nobody(harness: CoreHarness) -> None:
    """The end of a poll that was taken over from does not touch the newer one."""
    older, newer = take_turns(harness, 2)
    older.disconnect()
    assert harness.core.poll_registry.is_polling(READER)
    command = harness.put(READER)
    assert newer.commands == [command]


def test_a_device_that_polls_anew_when_its_older_poll_ends(harness: CoreHarness, clock: Clock) -> None:
    """A client that answers the end of its poll with another, while we are busy with the one between, confuses
    nobody.
    """
    older = harness.take(READER)
    newest: list[HeldPoll] = []
    older.answer.addCallback(lambda _: newest.append(harness.take(READER)))
    between = harness.take(READER)
    assert (older.idle, between.idle, newest[0].held) == (True, True, True)
    command = harness.put(READER)
    assert newest[0].commands == [command]
    assert not clock.getDelayedCalls()


def test_two_takeovers_in_a_row_are_no_storm(harness: CoreHarness) -> None:
    """A client that starts anew twice is answered at once, and nobody is alarmed."""
    polls = take_turns(harness, 3)
    assert [poll.idle for poll in polls] == [True, True, False]
    assert conflicts(harness) == 0


def test_the_third_takeover_within_ten_seconds_is_a_storm(harness: CoreHarness, clock: Clock) -> None:
    """Two devices that share one id are slowed down: from the third takeover on the older poll ends after five
    seconds.
    """
    polls = take_turns(harness, 4)
    assert [poll.held for poll in polls] == [False, False, True, True]
    clock.advance(CONFLICT_DELAY - 0.001)
    assert polls[2].held
    clock.advance(0.001)
    assert polls[2].idle
    assert polls[3].held


def test_a_storm_is_told_once(harness: CoreHarness) -> None:
    """The feed says that two devices may share one id when it begins, and not at each further takeover."""
    take_turns(harness, 8)
    assert conflicts(harness) == 1
    told = next(event for event in harness.events if event.type is EventType.DEVICE_CONFLICT)
    assert told.data == {"takeovers": 3}


def test_the_older_poll_in_a_storm_is_handed_nothing(harness: CoreHarness) -> None:
    """A poll that waits for its end hears no bell: what comes goes to the newest."""
    polls = take_turns(harness, 4)
    command = harness.put(READER)
    assert polls[2].held
    assert polls[3].commands == [command]


def test_a_device_that_leaves_in_a_storm_leaves_nothing(harness: CoreHarness, clock: Clock) -> None:
    """A poll that hangs up while it waits for its end takes its timer with it."""
    polls = take_turns(harness, 4)
    polls[2].disconnect()
    polls[3].disconnect()
    assert len(harness.core.poll_registry) == 0
    assert not clock.getDelayedCalls()


def test_takeovers_far_apart_are_no_storm(harness: CoreHarness, clock: Clock) -> None:
    """A device that now and then loses its connection may come back as often as it likes."""
    harness.poll(READER)
    for _ in range(6):
        clock.advance(CONFLICT_WINDOW / 2)
        harness.sweep()
        harness.poll(READER)
    assert conflicts(harness) == 0
    assert len(harness.core.poll_registry) == 1


def test_a_storm_passes(harness: CoreHarness, clock: Clock) -> None:
    """After ten quiet seconds a takeover is an ordinary one again, and another storm is told again."""
    take_turns(harness, 4)
    clock.advance(CONFLICT_WINDOW)
    harness.sweep()
    older, _newer = take_turns(harness, 2)
    assert older.idle
    take_turns(harness, 2)
    assert conflicts(harness) == 2


def test_a_drained_core_ends_polls_that_linger(harness: CoreHarness, clock: Clock) -> None:
    """A stop waits for no storm and no sign-off to pass."""
    polls = take_turns(harness, 4)
    container = harness.poll(CONTAINER)
    harness.sign_off(CONTAINER)
    harness.core.drain()
    assert all(poll.idle for poll in [*polls, container])
    assert not clock.getDelayedCalls()


def test_a_poll_that_ends_another_while_we_drain(harness: CoreHarness) -> None:
    """If answering one poll brings in another that takes over from a third, the stop still ends each of them once."""
    reader, container = harness.take(READER), harness.take(CONTAINER)
    reader.answer.addCallback(lambda _: harness.take(CONTAINER))
    harness.core.drain()
    assert (reader.idle, container.idle) == (True, True)
