"""Tests of the hold: for how long a poll waits, and what a device teaches us about its patience."""

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
    """Whether a poll ends idle after so many seconds, or by the next tick, and not before."""
    clock.advance(seconds - 0.001)
    before = poll.held
    clock.advance(0.001 + GRANULARITY)
    return before and poll.idle


@pytest.mark.parametrize(("device", "seconds"), [(READER, 10.0), (CONTAINER, 45.0)])
def test_each_dialect_has_its_hold(harness: CoreHarness, clock: Clock, device: str, seconds: float) -> None:
    """Until a device has taught us better, it is held for as long as its kind usually waits."""
    assert held_for(harness.poll(device), clock, seconds)


def test_the_hold_of_a_dialect_can_be_chosen(builder: HarnessBuilder, clock: Clock) -> None:
    """An operator sets it for a whole dialect."""
    harness = builder.build(Config(holds={"servereye": 20.0}))
    assert held_for(harness.poll(CONTAINER), clock, 20)
    assert held_for(harness.poll(READER), clock, 10)


def test_a_learned_hold_wins_over_the_dialects(harness: CoreHarness, clock: Clock) -> None:
    """What a device has taught us counts for more than what its kind usually does."""
    harness.register(NEW, learned_hold=4.0)
    assert held_for(harness.poll(NEW), clock, 4)


def test_an_operators_hold_wins(harness: CoreHarness, clock: Clock) -> None:
    """Whatever a device has taught us, an operator knows better."""
    harness.register(NEW, hold=20.0, learned_hold=4.0)
    assert held_for(harness.poll(NEW), clock, 20)


def test_a_change_counts_from_the_next_poll_on(harness: CoreHarness, clock: Clock) -> None:
    """Setting and forgetting a hold needs no restart."""
    harness.result(harness.core.registry.change(READER, {"hold": 3.0}))
    assert held_for(harness.poll(READER), clock, 3)
    harness.result(harness.core.registry.change(READER, {"hold": None}))
    assert held_for(harness.poll(READER), clock, 10)


def test_a_stranger_is_held_as_its_kind_is(builder: HarnessBuilder, clock: Clock) -> None:
    """A device that nobody knows is not let hammer."""
    harness = builder.build(Config(admission=AdmissionMode.APPROVE, max_pending=0))
    assert held_for(harness.poll(NEW), clock, 10)


@pytest.mark.parametrize("hold", [0.0, 0.999])
def test_a_hold_below_a_second_is_none(harness: CoreHarness, clock: Clock, hold: float) -> None:
    """A device that waits for less than a second is answered at once."""
    harness.register(NEW, hold=hold)
    assert harness.poll(NEW).idle
    assert not clock.getDelayedCalls()


def test_a_device_that_is_answered_at_once_still_gets_its_commands(harness: CoreHarness) -> None:
    """Without a hold a command goes with the poll that comes after it."""
    harness.register(NEW, hold=0.0)
    command = harness.put(NEW)
    assert harness.poll(NEW).commands == [command]


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 45.0), (0.5, 42.75), (1.0, 40.5)])
def test_jitter_shortens_by_a_tenth_at_most(
    builder: HarnessBuilder, clock: Clock, jitter: float, seconds: float
) -> None:
    """A fleet that came in one wave goes in many, and no device is held for longer than it was said to be."""
    harness = builder.build(jitter=jitter)
    assert held_for(harness.poll(CONTAINER), clock, seconds)


def hang_up(harness: CoreHarness, clock: Clock, patience: Sequence[float], device: str = READER) -> float | None:
    """Poll and leave without an answer after each of these times; what was learned."""
    for seconds in patience:
        poll = harness.poll(device)
        clock.advance(seconds)
        poll.disconnect()
    return harness.stored(device).learned_hold


@pytest.mark.parametrize(
    ("patience", "learned"),
    [
        ((4.0, 4.0), 3.2),  # four fifths
        ((4.0, 4.8), 3.2),  # of the shorter
        ((4.8, 4.0), 3.2),
        ((2.0, 2.0), 1.5),  # half a second less
        ((1.4, 1.8), 0.0),  # below a second
        ((1.0, 1.0), 0.0),
    ],
)
def test_a_device_that_hangs_up_twice_alike_is_held_for_less(
    harness: CoreHarness, clock: Clock, patience: Sequence[float], learned: float
) -> None:
    """Two polls in a row that ended by hanging up after about the same time show for how long the device waits."""
    assert hang_up(harness, clock, patience) == learned
    assert held_for(harness.poll(READER), clock, learned) if learned else harness.poll(READER).idle


@pytest.mark.parametrize("patience", [(4.0,), (2.0, 4.0), (4.0, 2.0, 4.0)])
def test_a_device_that_hangs_up_as_it_likes_teaches_nothing(
    harness: CoreHarness, clock: Clock, patience: Sequence[float]
) -> None:
    """One hang-up, or several after quite different times, may have any reason."""
    assert hang_up(harness, clock, patience) is None


def test_an_answer_between_two_hang_ups_is_as_good_as_patience(harness: CoreHarness, clock: Clock) -> None:
    """Only hang-ups in a row count."""
    hang_up(harness, clock, [4.0])
    harness.put(READER)
    assert harness.poll(READER).commands
    assert hang_up(harness, clock, [4.0]) is None


def test_a_newer_poll_tells_of_a_hang_up_too(harness: CoreHarness, clock: Clock) -> None:
    """Behind a proxy that hides a hang-up, the device that polls anew shows that it gave up the older poll."""
    harness.poll(READER)
    for _ in range(2):
        clock.advance(5)
        harness.poll(READER)
    assert harness.stored(READER).learned_hold == 4.0


def test_a_hold_never_grows_by_itself(harness: CoreHarness, clock: Clock) -> None:
    """What was learned stays until a device shows that it waits for even less."""
    assert hang_up(harness, clock, [4.0, 4.0]) == 3.2
    assert hang_up(harness, clock, [8.0, 8.0]) == 3.2
    assert hang_up(harness, clock, [3.0, 3.0]) == 2.4


def test_a_client_that_starts_anew_teaches_nothing(harness: CoreHarness, clock: Clock) -> None:
    """Polls that were given up at once say nothing about patience, though they were given up alike."""
    assert hang_up(harness, clock, [0.0, 0.0, 0.4, 0.4]) is None


def test_two_devices_with_one_id_teach_nothing(harness: CoreHarness, clock: Clock) -> None:
    """A poll that ends because another device has the same id does not make the hold shorter."""
    for _ in range(6):
        harness.poll(READER)
    clock.advance(5)
    assert harness.stored(READER).learned_hold is None


def test_a_sign_off_teaches_nothing(harness: CoreHarness, clock: Clock) -> None:
    """A poll that ends because its device said goodbye was not given up."""
    for _ in range(2):
        poll = harness.poll(CONTAINER)
        clock.advance(5)
        harness.sign_off(CONTAINER)
        clock.advance(1)
        assert poll.idle
    assert harness.stored(CONTAINER).learned_hold is None
