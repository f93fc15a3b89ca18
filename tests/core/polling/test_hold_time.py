"""Tests of the hold: how long a poll is held, and what is learned about a device's timeout."""

from collections.abc import Sequence

import pytest
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.devices.admission import AdmissionMode
from pushd.core.timers import GRANULARITY
from tests.core.conftest import HarnessBuilder
from tests.core.harness import CONTAINER, READER, CoreHarness, HeldPoll

NEW = "controlid:99"


def held_for(poll: HeldPoll, clock: Clock, seconds: float) -> bool:
    """Whether a poll ends idle after so many seconds, or by the next shared timer, and not before."""
    clock.advance(seconds - 0.001)
    before = poll.held
    clock.advance(0.001 + GRANULARITY)
    return before and poll.idle


@pytest.mark.parametrize(("device", "seconds"), [(READER, 10.0), (CONTAINER, 45.0)])
def test_each_dialect_has_its_hold(harness: CoreHarness, clock: Clock, device: str, seconds: float) -> None:
    """Without a configured or learned hold, that of the dialect applies."""
    assert held_for(harness.poll(device), clock, seconds)


def test_the_hold_of_a_dialect_can_be_chosen(builder: HarnessBuilder, clock: Clock) -> None:
    """An operator can set the hold of a dialect."""
    harness = builder.build(Config(holds={"servereye": 20.0}))
    assert held_for(harness.poll(CONTAINER), clock, 20)
    assert held_for(harness.poll(READER), clock, 10)


def test_a_learned_hold_wins_over_the_dialects(harness: CoreHarness, clock: Clock) -> None:
    """A learned hold takes precedence over that of the dialect."""
    harness.register(NEW, learned_hold=4.0)
    assert held_for(harness.poll(NEW), clock, 4)


def test_an_operators_hold_wins(harness: CoreHarness, clock: Clock) -> None:
    """A configured hold takes precedence over a learned one."""
    harness.register(NEW, hold=20.0, learned_hold=4.0)
    assert held_for(harness.poll(NEW), clock, 20)


def test_a_change_counts_from_the_next_poll_on(harness: CoreHarness, clock: Clock) -> None:
    """Setting and removing a hold needs no restart."""
    harness.result(harness.core.registry.change(READER, {"hold": 3.0}))
    assert held_for(harness.poll(READER), clock, 3)
    harness.result(harness.core.registry.change(READER, {"hold": None}))
    assert held_for(harness.poll(READER), clock, 10)


def test_an_unknown_device_is_held_by_its_dialect(builder: HarnessBuilder, clock: Clock) -> None:
    """An unknown device that is not stored is held, so that it does not poll all the time."""
    harness = builder.build(Config(admission=AdmissionMode.APPROVE, max_pending=0))
    assert held_for(harness.poll(NEW), clock, 10)


@pytest.mark.parametrize("hold", [0.0, 0.999])
def test_a_hold_below_a_second_is_zero(harness: CoreHarness, clock: Clock, hold: float) -> None:
    """A device with a hold below a second is answered at once."""
    harness.register(NEW, hold=hold)
    assert harness.poll(NEW).idle
    assert not clock.getDelayedCalls()


def test_a_device_that_is_answered_at_once_still_gets_its_commands(harness: CoreHarness) -> None:
    """Without a hold a command is sent with the next poll."""
    harness.register(NEW, hold=0.0)
    command = harness.put(NEW)
    assert harness.poll(NEW).commands == [command]


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 45.0), (0.5, 42.75), (1.0, 40.5)])
def test_jitter_shortens_by_a_tenth_at_most(
    builder: HarnessBuilder, clock: Clock, jitter: float, seconds: float
) -> None:
    """Jitter spreads devices that came at once, and no device is held for longer than its hold."""
    harness = builder.build(jitter=jitter)
    assert held_for(harness.poll(CONTAINER), clock, seconds)


def give_up(harness: CoreHarness, clock: Clock, durations: Sequence[float], device: str = READER) -> float | None:
    """Poll, and disconnect after each of these times; returns the learned hold."""
    for seconds in durations:
        poll = harness.poll(device)
        clock.advance(seconds)
        poll.disconnect()
    return harness.stored(device).learned_hold


@pytest.mark.parametrize(
    ("durations", "learned"),
    [
        ((4.0, 4.0), 3.2),  # four fifths
        ((4.0, 4.8), 3.2),  # of the shorter
        ((4.8, 4.0), 3.2),
        ((2.0, 2.0), 1.5),  # half a second less
        ((1.4, 1.8), 0.0),  # below a second
        ((1.0, 1.0), 0.0),
    ],
)
def test_two_similar_disconnects_shorten_the_hold(
    harness: CoreHarness, clock: Clock, durations: Sequence[float], learned: float
) -> None:
    """Two polls in a row that were given up after a similar time show the device's timeout."""
    assert give_up(harness, clock, durations) == learned
    assert held_for(harness.poll(READER), clock, learned) if learned else harness.poll(READER).idle


@pytest.mark.parametrize("durations", [(4.0,), (2.0, 4.0), (4.0, 2.0, 4.0)])
def test_different_disconnects_teach_nothing(harness: CoreHarness, clock: Clock, durations: Sequence[float]) -> None:
    """One disconnect, or several after different times, may have any reason."""
    assert give_up(harness, clock, durations) is None


def test_an_answer_between_two_disconnects_teaches_nothing(harness: CoreHarness, clock: Clock) -> None:
    """Only disconnects in a row count."""
    give_up(harness, clock, [4.0])
    harness.put(READER)
    assert harness.poll(READER).commands
    assert give_up(harness, clock, [4.0]) is None


def test_a_replaced_poll_counts_as_given_up(harness: CoreHarness, clock: Clock) -> None:
    """Behind a proxy that hides disconnects, a device that polls again has given up the older poll."""
    harness.poll(READER)
    for _ in range(2):
        clock.advance(5)
        harness.poll(READER)
    assert harness.stored(READER).learned_hold == 4.0


def test_a_learned_hold_never_grows(harness: CoreHarness, clock: Clock) -> None:
    """A learned hold stays until the device shows an even shorter timeout."""
    assert give_up(harness, clock, [4.0, 4.0]) == 3.2
    assert give_up(harness, clock, [8.0, 8.0]) == 3.2
    assert give_up(harness, clock, [3.0, 3.0]) == 2.4


def test_a_client_that_restarts_teaches_nothing(harness: CoreHarness, clock: Clock) -> None:
    """Polls that were given up at once say nothing about a timeout."""
    assert give_up(harness, clock, [0.0, 0.0, 0.4, 0.4]) is None


def test_two_devices_with_one_id_teach_nothing(harness: CoreHarness, clock: Clock) -> None:
    """A poll that ends because another device uses the same id does not shorten the hold."""
    for _ in range(6):
        harness.poll(READER)
    clock.advance(5)
    assert harness.stored(READER).learned_hold is None


def test_a_sign_off_teaches_nothing(harness: CoreHarness, clock: Clock) -> None:
    """A poll that ends because of a sign-off was not given up."""
    for _ in range(2):
        poll = harness.poll(CONTAINER)
        clock.advance(5)
        harness.sign_off(CONTAINER)
        clock.advance(1)
        assert poll.idle
    assert harness.stored(CONTAINER).learned_hold is None


def test_nothing_is_learned_while_others_are_not_heard(
    harness: CoreHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A balancer closes the connections of a process that is not ready: its devices have not given up their polls."""
    monkeypatch.setattr(type(harness.core.membership), "hears", lambda _: False)
    assert give_up(harness, clock, (4.0, 4.0)) is None
