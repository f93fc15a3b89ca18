"""Tests of the watchdog where the store, or a crowd, gets in its way."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.clocks import Clocks
from pushd.core.devices.offline_detector import BATCH_SIZE
from pushd.model.device import PresenceState
from pushd.model.errors import Unavailable
from pushd.periodic import PeriodicTask
from pushd.store.sqlite.store import MEMORY, SqliteStore
from pushd.wiring import build_core
from tests.core.conftest import HarnessBuilder
from tests.core.harness import CONTAINER, EPOCH, READER, CoreHarness, Wall
from tests.stepped import SteppedExecutor

T = TypeVar("T")

TIMEOUT = 120
CROWD = 3000


def fall_silent(stepped: CoreHarness) -> "Deferred[None]":
    """Have a reader poll, hang up and be silent; the round that notices, whose word is on its way to the store."""
    stepped.poll(READER).disconnect()
    stepped.run()
    stepped.pass_time(TIMEOUT - 1)
    stepped.clock.advance(1)
    return stepped.start(stepped.core.detect_offline())


def comings(harness: CoreHarness) -> list[str]:
    """What the feed tells of the reader's comings and goings."""
    return [word for word in harness.event_types(READER) if word in ("device.online", "device.offline")]


def others_see(harness: CoreHarness, look: Callable[[], T]) -> list[T]:
    """What others find whenever it is their turn, during a round and after it."""
    round_ = harness.start(harness.core.detect_offline())
    found: list[T] = []

    def have_turn() -> None:
        found.append(look())
        if not round_.called:
            harness.clock.callLater(0, have_turn)

    have_turn()
    harness.clock.advance(0)
    harness.result(round_)
    return found


def watched(harness: CoreHarness, seconds: int) -> list[str]:
    """The devices that are to be looked at within so many seconds; they are not, then."""
    wheel = harness.core.presence.wheel
    wheel.turn_to(harness.core.clocks.steady() + seconds)
    found: list[str] = []
    while wheel.has_expired:
        found += [entry.device for entry in wheel.take(BATCH_SIZE)[1]]
    return found


def test_who_speaks_before_it_is_committed_is_online(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A device that is back while its silence is being written was offline for a moment, and is online."""
    round_ = fall_silent(stepped)
    stepped.poll(READER)
    stepped.result(round_)
    assert comings(stepped) == ["device.online", "device.offline", "device.online"]
    assert stepped.stored(READER).presence is PresenceState.ONLINE
    assert stepped.device(READER).presence is PresenceState.ONLINE


def test_who_came_back_at_that_moment_is_watched_again(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """The next silence of that device is noticed like the first."""
    round_ = fall_silent(stepped)
    stepped.poll(READER).disconnect()
    stepped.result(round_)
    stepped.pass_time(TIMEOUT - 1)
    assert stepped.device(READER).presence is PresenceState.ONLINE
    stepped.pass_time(1)
    assert stepped.device(READER).presence is PresenceState.OFFLINE


def test_silence_while_the_store_is_away_is_told_later(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A full disk keeps nobody from being missed for longer than it is full; and it is told once."""
    for _ in range(3):
        round_ = fall_silent(stepped) if not comings(stepped) else stepped.start(stepped.core.detect_offline())
        executor.fail()
        with pytest.raises(Unavailable):
            stepped.result(round_)
        assert stepped.device(READER).presence is PresenceState.ONLINE
        stepped.clock.advance(1)
    stepped.pass_time(2)
    assert comings(stepped) == ["device.online", "device.offline"]
    assert stepped.stored(READER).presence is PresenceState.OFFLINE


def test_who_comes_back_while_the_store_is_away(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A device that polls before its silence could be written was never gone."""
    round_ = fall_silent(stepped)
    stepped.poll(READER).disconnect()
    executor.fail()
    with pytest.raises(Unavailable):
        stepped.result(round_)
    stepped.pass_time(TIMEOUT - 1)
    assert comings(stepped) == ["device.online"]


def test_who_signs_off_while_the_store_is_away(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """A device that says goodbye before its silence could be written has gone on purpose."""
    round_ = fall_silent(stepped)
    signing_off = stepped.start(stepped.core.presence.sign_off(READER, None))
    executor.fail()
    with pytest.raises(Unavailable):
        stepped.result(round_)
    stepped.result(signing_off)
    stepped.pass_time(5)
    assert comings(stepped) == ["device.online"]
    assert stepped.device(READER).presence is PresenceState.SIGNED_OFF


def test_a_device_of_which_the_store_has_not_heard_yet(stepped: CoreHarness, executor: SteppedExecutor) -> None:
    """If it could not be written that a device is there, that is made good before its silence is told."""
    stepped.poll(READER).disconnect()
    executor.fail()
    stepped.run()
    stepped.pass_time(TIMEOUT)
    assert comings(stepped) == ["device.online", "device.offline"]


def test_a_failing_round_does_not_end_the_watchdog(
    stepped: CoreHarness, executor: SteppedExecutor, clock: Clock
) -> None:
    """A round that meets a full disk is followed by another."""
    stepped.poll(READER).disconnect()
    stepped.run()
    rounds = PeriodicTask("watchdog", 1, stepped.core.detect_offline, clock)
    rounds.startService()
    clock.pump([1] * TIMEOUT)
    executor.fail()
    executor.notify()
    clock.advance(1)
    executor.run()
    rounds.stopService()
    assert comings(stepped) == ["device.online", "device.offline"]


def test_a_round_waits_for_the_one_before(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """A slow disk is not handed the same silence twice."""
    stepped.poll(READER).disconnect()
    stepped.run()
    rounds = PeriodicTask("watchdog", 1, stepped.core.detect_offline, clock)
    rounds.startService()
    clock.pump([1] * (TIMEOUT + 5))
    assert len(executor.submitted) == 1
    rounds.stopService()
    executor.run()


@pytest.mark.parametrize("late", [0.5, 1.9])
def test_a_late_round_does_not_judge_what_it_has_not_heard(harness: CoreHarness, clock: Clock, late: float) -> None:
    """When we are busy for a moment, what a device said meanwhile waits in its socket: it is heard before it is
    judged.
    """
    harness.register("controlid:8", heartbeat_timeout=1)
    harness.pass_time(1)
    clock.advance(0.5)
    harness.poll("controlid:8").disconnect()
    clock.advance(0.5 + late)
    harness.result(harness.core.detect_offline())
    harness.poll("controlid:8").disconnect()
    assert harness.event_types("controlid:8")[1:] == ["device.online"]
    harness.pass_time(2)
    assert harness.event_types("controlid:8")[1:] == ["device.online", "device.offline"]


def test_a_clock_that_is_another_at_the_start(clock: Clock) -> None:
    """A server that was built while the clock told the time of day, and started on one that counts from boot, notices
    silence like any other.
    """
    wall, started = Wall(clock), clock.seconds()
    clock.rightNow = EPOCH
    core = build_core(SqliteStore(MEMORY), Clocks(clock, wall), Config())
    clock.rightNow = started
    core.start()
    harness = CoreHarness(core, clock, wall, lambda: None)
    harness.register(READER)
    harness.poll(READER).disconnect()
    harness.pass_time(TIMEOUT)
    assert harness.device(READER).presence is PresenceState.OFFLINE
    harness.result(core.store.close())


def test_many_changes_of_a_timeout_are_one_watch(harness: CoreHarness) -> None:
    """However often an operator changes his mind, a device costs no more than any other once the old times have
    passed.
    """
    harness.poll(READER).disconnect()
    for _ in range(20):
        for timeout in (600, 30, 60.0):
            harness.result(harness.core.registry.change(READER, {"heartbeat_timeout": timeout}))
    for _ in range(12):
        harness.pass_time(50)
        harness.poll(READER).disconnect()
    assert watched(harness, 60) == [READER]
    assert comings(harness) == ["device.online"]


def test_a_device_that_comes_and_goes_is_watched_once(harness: CoreHarness) -> None:
    """A container that signs off and on all day costs no more than any other."""
    for _ in range(50):
        harness.poll(CONTAINER).disconnect()
        harness.sign_off(CONTAINER)
    harness.poll(CONTAINER).disconnect()
    assert watched(harness, 1200) == [CONTAINER]


def test_a_stall_while_the_sweep_waits_for_the_disk(harness: CoreHarness, clock: Clock) -> None:
    """The watchdog notices a stall by itself: it needs nobody else to go round."""
    harness.pass_time(1)
    harness.poll(READER).disconnect()
    clock.advance(3600)
    harness.pass_time(TIMEOUT - 1)
    assert comings(harness) == ["device.online"]


def test_a_crowd_is_dealt_with_in_pieces(builder: HarnessBuilder, clock: Clock) -> None:
    """Thousands of devices that fall silent in the same second hold nobody up: others have their turn in between."""
    harness = builder.build()
    devices = [harness.register(f"controlid:{number}").id for number in range(100, 100 + CROWD)]
    for device in devices:
        harness.core.presence.record_activity(device, None)
    harness.pass_time(TIMEOUT - 1)
    harness.events.clear()
    clock.advance(1)
    told = [0, *others_see(harness, lambda: len(harness.events))]
    assert max(after - before for before, after in pairwise(told)) == BATCH_SIZE
    assert sorted(event.device or "" for event in harness.events) == sorted(devices)
    assert {str(event.type) for event in harness.events} == {"device.offline"}


def test_a_crowd_that_listens_is_dealt_with_in_pieces(
    builder: HarnessBuilder, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who are only moved on are so a few at a time, too, and none of them is told."""
    monkeypatch.setattr("pushd.core.devices.offline_detector.BATCH_SIZE", 2)
    harness = builder.build()
    for number in range(100, 105):
        harness.poll(harness.register(f"controlid:{number}", heartbeat_timeout=3, hold=50).id)
    harness.events.clear()
    harness.pass_time(2)
    clock.advance(1)
    wheel = harness.core.presence.wheel
    assert others_see(harness, lambda: wheel.has_expired) == [True, True, False]
    assert harness.events == []
