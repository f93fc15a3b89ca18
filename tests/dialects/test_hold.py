"""Tests of held polls on the device port, in both dialects."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from pushd.rules.outcomes import Claim
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.connection import Connection
from tests.dialects.dialect_devices import DialectDevice
from tests.in_memory_server import BuildServer, InMemoryServer
from tests.store.clock import StoreClock


def is_idle(poll: Connection, device: DialectDevice) -> bool:
    """Whether a poll has got the idle response."""
    answer = poll.answer()
    return (answer.code, answer.body) == (200, device.idle)


def test_poll_is_held(server: InMemoryServer, device: DialectDevice) -> None:
    """A poll is held while nothing is queued, and then gets the idle response."""
    poll = server.device_request(device.poll())
    server.clock.advance(device.hold - 0.1)
    assert poll.answers() == []
    assert server.device(device.id)["polling"] is True
    server.clock.advance(0.1)
    assert is_idle(poll, device)
    assert server.device(device.id)["polling"] is False


def test_hold_is_configured(build_server: BuildServer, device: DialectDevice) -> None:
    """The hold of a dialect can be configured."""
    server = build_server(holds={device.id.partition(":")[0]: 3.0})
    poll = server.device_request(device.poll())
    server.clock.advance(3)
    assert is_idle(poll, device)


@pytest.mark.parametrize("random", [0.5, 1.0])
def test_jitter(build_server: BuildServer, device: DialectDevice, random: float) -> None:
    """A hold is shortened by up to a tenth, at random (jitter), so that devices do not all poll at the same time."""
    server = build_server(random=random)
    poll = server.device_request(device.poll())
    hold = device.hold * (1 - random / 10)
    server.clock.advance(hold - 0.01)
    assert poll.answers() == []
    server.clock.advance(0.02)
    assert is_idle(poll, device)


@pytest.mark.parametrize("hold", [20, 1])
def test_hold_of_a_device(server: InMemoryServer, device: DialectDevice, hold: float) -> None:
    """The hold that an operator set for a device overrides that of its dialect."""
    server.register(device.id, hold=hold)
    poll = server.device_request(device.poll())
    server.clock.advance(hold - 0.1)
    assert poll.answers() == []
    server.clock.advance(0.1)
    assert is_idle(poll, device)


@pytest.mark.parametrize("hold", [0, 0.9])
def test_hold_below_a_second(server: InMemoryServer, device: DialectDevice, hold: float) -> None:
    """With a hold of less than a second each poll is answered at once, with a command if one is queued."""
    server.register(device.id, hold=hold)
    assert is_idle(server.device_request(device.poll()), device)
    server.put(device.id, device.payload)
    assert server.device_request(device.poll()).answer().body not in (b"", device.idle)


def test_command_arrives_at_once(server: InMemoryServer, device: DialectDevice) -> None:
    """A command that is put while a poll is held is delivered at once; its state is sent."""
    poll = server.device_request(device.poll())
    server.clock.advance(3)
    command = server.put(device.id, device.payload)
    assert poll.answer().body not in (b"", device.idle)
    assert server.command(command)["state"] == "sent"
    assert server.command(command)["attempts"] == 1


def test_command_with_a_start_time(server: InMemoryServer, device: DialectDevice) -> None:
    """A command with ``not_before`` is delivered to a held poll at that time."""
    poll = server.device_request(device.poll())
    server.put(device.id, device.payload, not_before="2027-01-15T08:00:07Z")
    server.clock.advance(6.9)
    assert poll.answers() == []
    server.clock.advance(0.1)
    assert poll.answer().body not in (b"", device.idle)


def test_expired_command(server: InMemoryServer, device: DialectDevice) -> None:
    """A command is never sent after its TTL, not even before the sweep has marked it as expired."""
    server.register(device.id)
    command = server.put(device.id, device.payload, ttl=5)
    server.clock.advance(5)
    poll = server.device_request(device.poll())
    assert poll.answers() == []
    server.tick(1)
    assert server.command(command)["state"] == "expired"


def test_device_that_disconnects(server: InMemoryServer, device: DialectDevice) -> None:
    """If a device disconnects during a poll, nothing is left of the poll; a later command waits for the next one."""
    server.register(device.id)
    timers = len(server.clock.getDelayedCalls())
    poll = server.device_request(device.poll())
    server.clock.advance(2)
    poll.hang_up()
    assert len(server.clock.getDelayedCalls()) == timers
    assert len(server.core.poll_registry) == 0
    assert server.device(device.id)["polling"] is False
    command = server.put(device.id, device.payload)
    assert server.command(command)["state"] == "queued"
    assert server.device_request(device.poll()).answer().body not in (b"", device.idle)


class SlowStore(SqliteStore):
    """A store whose claims are committed at once, but whose results arrive only when a test says so."""

    claimed: Deferred[Claim]

    def claim(self, *args: Any, **options: Any) -> Deferred[Claim]:
        self.claimed = super().claim(*args, **options)
        self.claimed.pause()
        return self.claimed


def test_device_that_disconnects_during_a_claim(build_server: BuildServer, device: DialectDevice) -> None:
    """If a device disconnects while a command is being claimed for it, the command goes back to the queue."""
    store = SlowStore(MEMORY, now=StoreClock())
    server = build_server(store)
    server.register(device.id)
    command = server.put(device.id, device.payload)
    poll = server.device_request(device.poll())
    assert server.command(command)["state"] == "sent"
    poll.hang_up()
    store.claimed.unpause()
    found = server.command(command)
    assert (found["state"], found["attempts"], found["sent_at"]) == ("queued", 0, None)
    assert server.events(device.id)[-2:] == ["command.sent", "command.queued"]


def test_cancelled_during_a_claim_of_a_lost_poll(build_server: BuildServer, device: DialectDevice) -> None:
    """If the command is cancelled meanwhile, it does not go back to the queue, and no poll gets it."""
    store = SlowStore(MEMORY, now=StoreClock())
    server = build_server(store)
    server.register(device.id)
    command = server.put(device.id, device.payload, delivery="at_least_once")
    poll = server.device_request(device.poll())
    assert server.ask(f"POST /v1/commands/{command}/cancel").code == 202
    poll.hang_up()
    store.claimed.unpause()
    assert server.command(command)["state"] == "cancelled"
    again = server.device_request(device.poll())
    assert again.answers() == []
    again.hang_up()


def test_newer_poll_takes_over(server: InMemoryServer, device: DialectDevice) -> None:
    """A newer poll of the same device replaces the older one, which gets the idle response at once."""
    older = server.device_request(device.poll())
    server.clock.advance(3)
    newer = server.device_request(device.poll())
    assert is_idle(older, device)
    server.put(device.id, device.payload)
    assert newer.answer().body not in (b"", device.idle)


def test_takeover_storm(server: InMemoryServer, device: DialectDevice) -> None:
    """From the third takeover within 10 s the older poll ends after 5 s, and an event reports a shared id."""
    server.register(device.id, hold=30)
    polls = [server.device_request(device.poll()) for _ in range(4)]
    assert [len(poll.answers()) for poll in polls] == [1, 1, 0, 0]
    assert server.events(device.id)[-1] == "device.conflict"
    server.clock.advance(4.9)
    assert polls[2].answers() == []
    server.clock.advance(0.1)
    assert is_idle(polls[2], device)
    assert polls[3].answers() == []


def test_lingering_poll_gets_nothing(server: InMemoryServer, device: DialectDevice) -> None:
    """After such takeovers a command goes to the newest poll, not to one that ends later."""
    server.register(device.id, hold=30)
    polls = [server.device_request(device.poll()) for _ in range(4)]
    server.put(device.id, device.payload)
    assert polls[2].answers() == []
    assert polls[3].answer().body not in (b"", device.idle)


def test_polls_end_at_shutdown(server: InMemoryServer, device: DialectDevice) -> None:
    """At shutdown held polls get the idle response, and new polls are not held."""
    poll = server.device_request(device.poll())
    server.core.drain()
    assert is_idle(poll, device)
    assert is_idle(server.device_request(device.poll()), device)


def test_poll_gap(server: InMemoryServer, device: DialectDevice) -> None:
    """The time between an idle response and the next poll, when no command can be delivered, is measured."""
    for rest in (5, 60, 7):
        server.device_request(device.poll())
        server.clock.advance(device.hold)
        server.clock.advance(rest)
    server.device_request(device.poll())
    assert server.device(device.id)["poll_gap"] == 7


def test_idle_poll_is_free(server: InMemoryServer, device: DialectDevice) -> None:
    """An idle poll of a known device works while the store fails: it needs no store operation."""
    server.device_request(device.poll())
    server.clock.advance(device.hold)
    server.fail_store()
    poll = server.device_request(device.poll())
    server.clock.advance(device.hold)
    assert is_idle(poll, device)
