"""Tests of polls that meet others of their device, and of the device's goodbye."""

from twisted.internet.task import Clock

from pushd.core.polling.poll_registry import CONFLICT_DELAY, CONFLICT_WINDOW
from pushd.model.event import EventType
from tests.core.harness import CONTAINER, READER, HeldPoll, Rooms


def conflicts(rooms: Rooms) -> int:
    """How often the feed has told that two devices may share one id."""
    return rooms.words(READER).count(EventType.DEVICE_CONFLICT)


def take_turns(rooms: Rooms, count: int) -> list[HeldPoll]:
    """Poll so many times without waiting for an answer."""
    return [rooms.poll(READER) for _ in range(count)]


def test_a_newer_poll_takes_over(rooms: Rooms) -> None:
    """The older poll of a device ends idle at once, and the newer one gets what comes."""
    older, newer = take_turns(rooms, 2)
    assert older.idle
    command = rooms.put(READER)
    assert newer.commands == [command]


def test_a_poll_takes_over_from_its_own_device_alone(rooms: Rooms) -> None:
    """Polls of different devices do not disturb each other."""
    reader, container = rooms.poll(READER), rooms.poll(CONTAINER)
    assert (reader.held, container.held) == (True, True)


def test_two_polls_and_one_command_that_waits(rooms: Rooms) -> None:
    """A command goes to one poll; the other is held."""
    command = rooms.put(READER)
    first, second = take_turns(rooms, 2)
    assert first.commands == [command]
    assert second.held


def test_an_older_poll_that_leaves_late_harms_nobody(rooms: Rooms) -> None:
    """The end of a poll that was taken over from does not touch the newer one."""
    older, newer = take_turns(rooms, 2)
    older.leave()
    assert rooms.core.poll_registry.is_polling(READER)
    command = rooms.put(READER)
    assert newer.commands == [command]


def test_a_device_that_polls_anew_when_its_older_poll_ends(rooms: Rooms, clock: Clock) -> None:
    """A client that answers the end of its poll with another, while we are busy with the one between, confuses
    nobody.
    """
    older = rooms.take(READER)
    newest: list[HeldPoll] = []
    older.answer.addCallback(lambda _: newest.append(rooms.take(READER)))
    between = rooms.take(READER)
    assert (older.idle, between.idle, newest[0].held) == (True, True, True)
    command = rooms.put(READER)
    assert newest[0].commands == [command]
    assert not clock.getDelayedCalls()


def test_two_takeovers_in_a_row_are_no_storm(rooms: Rooms) -> None:
    """A client that starts anew twice is answered at once, and nobody is alarmed."""
    polls = take_turns(rooms, 3)
    assert [poll.idle for poll in polls] == [True, True, False]
    assert conflicts(rooms) == 0


def test_the_third_takeover_within_ten_seconds_is_a_storm(rooms: Rooms, clock: Clock) -> None:
    """Two devices that share one id are slowed down: from the third takeover on the older poll ends after five
    seconds.
    """
    polls = take_turns(rooms, 4)
    assert [poll.held for poll in polls] == [False, False, True, True]
    clock.advance(CONFLICT_DELAY - 0.001)
    assert polls[2].held
    clock.advance(0.001)
    assert polls[2].idle
    assert polls[3].held


def test_a_storm_is_told_once(rooms: Rooms) -> None:
    """The feed says that two devices may share one id when it begins, and not at each further takeover."""
    take_turns(rooms, 8)
    assert conflicts(rooms) == 1
    told = next(event for event in rooms.told if event.type is EventType.DEVICE_CONFLICT)
    assert told.data == {"takeovers": 3}


def test_the_older_poll_in_a_storm_is_handed_nothing(rooms: Rooms) -> None:
    """A poll that waits for its end hears no bell: what comes goes to the newest."""
    polls = take_turns(rooms, 4)
    command = rooms.put(READER)
    assert polls[2].held
    assert polls[3].commands == [command]


def test_a_device_that_leaves_in_a_storm_leaves_nothing(rooms: Rooms, clock: Clock) -> None:
    """A poll that hangs up while it waits for its end takes its timer with it."""
    polls = take_turns(rooms, 4)
    polls[2].leave()
    polls[3].leave()
    assert len(rooms.core.poll_registry) == 0
    assert not clock.getDelayedCalls()


def test_takeovers_far_apart_are_no_storm(rooms: Rooms, clock: Clock) -> None:
    """A device that now and then loses its connection may come back as often as it likes."""
    rooms.poll(READER)
    for _ in range(6):
        clock.advance(CONFLICT_WINDOW / 2)
        rooms.sweep()
        rooms.poll(READER)
    assert conflicts(rooms) == 0
    assert len(rooms.core.poll_registry) == 1


def test_a_storm_passes(rooms: Rooms, clock: Clock) -> None:
    """After ten quiet seconds a takeover is an ordinary one again, and another storm is told again."""
    take_turns(rooms, 4)
    clock.advance(CONFLICT_WINDOW)
    rooms.sweep()
    older, _newer = take_turns(rooms, 2)
    assert older.idle
    take_turns(rooms, 2)
    assert conflicts(rooms) == 2


def test_a_drained_core_ends_polls_that_linger(rooms: Rooms, clock: Clock) -> None:
    """A stop waits for no storm and no sign-off to pass."""
    polls = take_turns(rooms, 4)
    container = rooms.poll(CONTAINER)
    rooms.sign_off(CONTAINER)
    rooms.core.drain()
    assert all(poll.idle for poll in [*polls, container])
    assert not clock.getDelayedCalls()


def test_a_poll_that_ends_another_while_we_drain(rooms: Rooms) -> None:
    """If answering one poll brings in another that takes over from a third, the stop still ends each of them once."""
    reader, container = rooms.take(READER), rooms.take(CONTAINER)
    reader.answer.addCallback(lambda _: rooms.take(CONTAINER))
    rooms.core.drain()
    assert (reader.idle, container.idle) == (True, True)
