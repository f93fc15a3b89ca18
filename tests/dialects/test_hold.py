"""Tests of held polls on the device port, in both dialects."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from pushd.store.filters import Claim
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.connection import Connection
from tests.dialects.speakers import Speaker
from tests.in_memory_server import BuildHouse, InMemoryServer


def is_idle(poll: Connection, speaker: Speaker) -> bool:
    """Whether a poll was answered, with nothing."""
    answer = poll.answer()
    return (answer.code, answer.body) == (200, speaker.idle)


def test_poll_is_held(server: InMemoryServer, speaker: Speaker) -> None:
    """A poll for which there is nothing is held, and ends idle."""
    poll = server.device_request(speaker.poll())
    server.clock.advance(speaker.hold - 0.1)
    assert poll.answers() == []
    assert server.seen(speaker.device)["polling"] is True
    server.clock.advance(0.1)
    assert is_idle(poll, speaker)
    assert server.seen(speaker.device)["polling"] is False


def test_hold_is_configured(build_house: BuildHouse, speaker: Speaker) -> None:
    """The hold of a dialect can be set."""
    server = build_house(holds={speaker.device.partition(":")[0]: 3.0})
    poll = server.device_request(speaker.poll())
    server.clock.advance(3)
    assert is_idle(poll, speaker)


@pytest.mark.parametrize("random", [0.5, 1.0])
def test_jitter(build_house: BuildHouse, speaker: Speaker, random: float) -> None:
    """A hold is shortened by up to a tenth, at random, so that a fleet does not come back in one wave."""
    server = build_house(random=random)
    poll = server.device_request(speaker.poll())
    hold = speaker.hold * (1 - random / 10)
    server.clock.advance(hold - 0.01)
    assert poll.answers() == []
    server.clock.advance(0.02)
    assert is_idle(poll, speaker)


@pytest.mark.parametrize("hold", [20, 1])
def test_hold_of_a_device(server: InMemoryServer, speaker: Speaker, hold: float) -> None:
    """The hold that an operator gave a device wins."""
    server.register(speaker.device, hold=hold)
    poll = server.device_request(speaker.poll())
    server.clock.advance(hold - 0.1)
    assert poll.answers() == []
    server.clock.advance(0.1)
    assert is_idle(poll, speaker)


@pytest.mark.parametrize("hold", [0, 0.9])
def test_hold_below_a_second(server: InMemoryServer, speaker: Speaker, hold: float) -> None:
    """A device that waits for less than a second is answered at once; what is queued for it, too."""
    server.register(speaker.device, hold=hold)
    assert is_idle(server.device_request(speaker.poll()), speaker)
    server.put(speaker.device, speaker.payload)
    assert server.device_request(speaker.poll()).answer().body not in (b"", speaker.idle)


def test_command_arrives_at_once(server: InMemoryServer, speaker: Speaker) -> None:
    """A command that is put while a poll is held is delivered at once, and is sent from then on."""
    poll = server.device_request(speaker.poll())
    server.clock.advance(3)
    command = server.put(speaker.device, speaker.payload)
    assert poll.answer().body not in (b"", speaker.idle)
    assert server.command(command)["state"] == "sent"
    assert server.command(command)["attempts"] == 1


def test_command_for_later(server: InMemoryServer, speaker: Speaker) -> None:
    """A command that is not yet due comes to a held poll when it is."""
    poll = server.device_request(speaker.poll())
    server.put(speaker.device, speaker.payload, not_before="2027-01-15T08:00:07Z")
    server.clock.advance(6.9)
    assert poll.answers() == []
    server.clock.advance(0.1)
    assert poll.answer().body not in (b"", speaker.idle)


def test_command_that_is_too_old(server: InMemoryServer, speaker: Speaker) -> None:
    """A command whose time is over is never sent, not even in the second before it is swept."""
    server.register(speaker.device)
    command = server.put(speaker.device, speaker.payload, ttl=5)
    server.clock.advance(5)
    poll = server.device_request(speaker.poll())
    assert poll.answers() == []
    server.tick(1)
    assert server.command(command)["state"] == "expired"


def test_device_that_leaves(server: InMemoryServer, speaker: Speaker) -> None:
    """A device that leaves while it waits leaves nothing behind, and a later command waits for its next poll."""
    server.register(speaker.device)
    timers = len(server.clock.getDelayedCalls())
    poll = server.device_request(speaker.poll())
    server.clock.advance(2)
    poll.hang_up()
    assert len(server.clock.getDelayedCalls()) == timers
    assert len(server.core.poll_registry) == 0
    assert server.seen(speaker.device)["polling"] is False
    command = server.put(speaker.device, speaker.payload)
    assert server.command(command)["state"] == "queued"
    assert server.device_request(speaker.poll()).answer().body not in (b"", speaker.idle)


class SlowStore(SqliteStore):
    """A store whose claims are committed at once, but told only when a test says so."""

    claimed: Deferred[Claim]

    def claim(self, *args: Any, **options: Any) -> Deferred[Claim]:
        self.claimed = super().claim(*args, **options)
        self.claimed.pause()
        return self.claimed


def test_device_that_leaves_before_a_byte_was_written(build_house: BuildHouse, speaker: Speaker) -> None:
    """A command that was claimed for a device that has gone meanwhile goes back to the queue, as if nothing was."""
    store = SlowStore(MEMORY)
    server = build_house(store)
    server.register(speaker.device)
    command = server.put(speaker.device, speaker.payload)
    poll = server.device_request(speaker.poll())
    assert server.command(command)["state"] == "sent"
    poll.hang_up()
    store.claimed.unpause()
    found = server.command(command)
    assert (found["state"], found["attempts"], found["sent_at"]) == ("queued", 0, None)
    assert server.events(speaker.device)[-2:] == ["command.sent", "command.queued"]


def test_device_that_leaves_before_a_byte_of_what_was_cancelled(build_house: BuildHouse, speaker: Speaker) -> None:
    """A command that an operator cancelled, while it was claimed for a device that has gone, is handed to nobody."""
    store = SlowStore(MEMORY)
    server = build_house(store)
    server.register(speaker.device)
    command = server.put(speaker.device, speaker.payload, delivery="at_least_once")
    poll = server.device_request(speaker.poll())
    assert server.ask(f"POST /v1/commands/{command}/cancel").code == 202
    poll.hang_up()
    store.claimed.unpause()
    assert server.command(command)["state"] == "cancelled"
    again = server.device_request(speaker.poll())
    assert again.answers() == []
    again.hang_up()


def test_newer_poll_takes_over(server: InMemoryServer, speaker: Speaker) -> None:
    """The newer poll of a device is the live one; the older ends idle at once."""
    older = server.device_request(speaker.poll())
    server.clock.advance(3)
    newer = server.device_request(speaker.poll())
    assert is_idle(older, speaker)
    server.put(speaker.device, speaker.payload)
    assert newer.answer().body not in (b"", speaker.idle)


def test_takeover_storm(server: InMemoryServer, speaker: Speaker) -> None:
    """From the third takeover within 10 s the older poll ends only after 5 s, and an event tells of two devices."""
    server.register(speaker.device, hold=30)
    polls = [server.device_request(speaker.poll()) for _ in range(4)]
    assert [len(poll.answers()) for poll in polls] == [1, 1, 0, 0]
    assert server.events(speaker.device)[-1] == "device.conflict"
    server.clock.advance(4.9)
    assert polls[2].answers() == []
    server.clock.advance(0.1)
    assert is_idle(polls[2], speaker)
    assert polls[3].answers() == []


def test_lingering_poll_gets_nothing(server: InMemoryServer, speaker: Speaker) -> None:
    """In a storm a command goes to the newest poll, not to one that waits for its end."""
    server.register(speaker.device, hold=30)
    polls = [server.device_request(speaker.poll()) for _ in range(4)]
    server.put(speaker.device, speaker.payload)
    assert polls[2].answers() == []
    assert polls[3].answer().body not in (b"", speaker.idle)


def test_polls_end_when_we_stop(server: InMemoryServer, speaker: Speaker) -> None:
    """When we are about to stop, held polls end idle, and new ones are not held; what is queued is still handed
    over.
    """
    poll = server.device_request(speaker.poll())
    server.core.drain()
    assert is_idle(poll, speaker)
    assert is_idle(server.device_request(speaker.poll()), speaker)


def test_poll_gap(server: InMemoryServer, speaker: Speaker) -> None:
    """How long a device is deaf between an idle answer and its next poll is measured."""
    for rest in (5, 60, 7):
        server.device_request(speaker.poll())
        server.clock.advance(speaker.hold)
        server.clock.advance(rest)
    server.device_request(speaker.poll())
    assert server.seen(speaker.device)["poll_gap"] == 7


def test_idle_poll_is_free(server: InMemoryServer, speaker: Speaker) -> None:
    """Nothing on the way of an idle poll of a known device asks the database for anything."""
    server.device_request(speaker.poll())
    server.clock.advance(speaker.hold)
    server.fail_store()
    poll = server.device_request(speaker.poll())
    server.clock.advance(speaker.hold)
    assert is_idle(poll, speaker)
