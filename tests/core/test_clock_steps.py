"""Tests of what happens when the wall clock is set: durations go on as they were, and nothing is purged or revived."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from pushd.config import Config
from pushd.core.app import RETENTION_PAUSE
from pushd.model.device import PresenceState, ProofKind
from pushd.model.errors import UnknownCommand
from pushd.model.lifecycle import State
from pushd.store.filters import AlertFilter, EventFilter
from tests.core.harness import CONTAINER, EPOCH, READER, CoreHarness, build_harness
from tests.store.clock import new_store
from tests.store.samples import CLEARED_ALERTS

HOUR = 3600
DAYS = 24 * HOUR
KEPT_DAYS = 30
WINDOW = 30
STEPS = [-14 * DAYS, -HOUR, HOUR, 14 * DAYS]


def run(harness: CoreHarness, seconds: int) -> None:
    """Let time pass, with the sweep after each second."""
    for _ in range(seconds):
        harness.clock.advance(1)
        harness.sweep()


def skip(harness: CoreHarness, seconds: float) -> None:
    """Let much time pass, with one sweep at its end."""
    harness.clock.advance(seconds)
    harness.sweep()


def set_clock(harness: CoreHarness, seconds: float) -> None:
    """Set the wall clock forward, or back; the sweep sees it a second later."""
    harness.wall.offset += seconds
    run(harness, 1)


def outage(harness: CoreHarness, device: str = READER, seconds: int = 0) -> None:
    """A device goes offline for so many seconds."""
    store = harness.core.store
    if harness.stored(device).presence is not PresenceState.ONLINE:
        harness.result(store.set_presence(device, PresenceState.ONLINE))
    harness.result(store.mark_offline({device: None}, harness.core.alerts.rules))
    if seconds:
        run(harness, seconds)
        harness.result(store.set_presence(device, PresenceState.ONLINE))


def kinds(harness: CoreHarness, is_open: bool | None = True) -> list[str]:
    """The kinds of the alerts."""
    return [alert.kind for alert in harness.result(harness.core.store.alerts(AlertFilter(is_open=is_open), None, 100))]


def stored_events(harness: CoreHarness) -> int:
    """The number of events that are kept."""
    return len(harness.result(harness.core.store.events(EventFilter(), 0, 1000)).items)


def purge(harness: CoreHarness) -> int:
    """Run retention once; how many events it deleted."""
    before = stored_events(harness)
    purging = harness.start(harness.core.purge())
    for _ in range(100):
        harness.clock.advance(0.02)
    harness.result(purging)
    return before - stored_events(harness)


Restart = Callable[[float], CoreHarness]


@pytest.fixture
def restart(clock: Clock, tmp_path: Path) -> Iterator[Restart]:
    """Starts a server whose wall clock was set by so many seconds meanwhile; the one before is killed."""
    running: list[CoreHarness] = []

    def kill() -> None:
        harness = running.pop()
        harness.core.drain()
        harness.result(harness.core.store.close())

    def restart(step: float) -> CoreHarness:
        offset = running[-1].wall.offset if running else EPOCH
        if running:
            kill()
        store = new_store(str(tmp_path / "pushd.sqlite"))
        running.append(build_harness(clock, Config(), 0.0, store, offset + step))
        return running[-1]

    yield restart
    kill()


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_logged_once(harness: CoreHarness, step: float) -> None:
    """An operator reads in the log that the wall clock was set, and by how much."""
    run(harness, 2)
    with capturedLogs() as logs:
        set_clock(harness, step)
        run(harness, 5)
    texts = [formatEvent(event) or "" for event in logs]
    direction = "back" if step < 0 else "forward"
    assert texts == [f"The wall clock was set {direction} by {float(abs(step))} s; retention pauses for 6 hours"]


def test_slewing_is_no_step(harness: CoreHarness) -> None:
    """A clock that is moved by less than a second is not worth a line in the log."""
    with capturedLogs() as logs:
        set_clock(harness, 0.5)
        set_clock(harness, -0.5)
    assert logs == []


def test_a_command_is_not_sent_late_though_the_clock_was_set_back(harness: CoreHarness) -> None:
    """A command of 4 s is not handed out after 9 s, whatever the wall clock shows."""
    command = harness.put(READER, ttl=4)
    harness.wall.offset -= HOUR
    harness.clock.advance(9)
    poll = harness.poll(READER)
    assert poll.held
    harness.sweep()
    assert harness.command(command).state is State.EXPIRED


def test_a_command_is_not_sent_late_though_the_clock_was_set_forward_for_a_moment(harness: CoreHarness) -> None:
    """A command that was too old by the wall clock is not handed out when the clock is right again."""
    command = harness.put(READER, ttl=60)
    set_clock(harness, HOUR)
    set_clock(harness, -HOUR)
    assert harness.poll(READER).held
    assert harness.command(command).state is State.EXPIRED


def test_an_expired_command_is_not_sent_again(harness: CoreHarness, clock: Clock) -> None:
    """A command that may be repeated is not sent again after its time to live, though the clock was set back."""
    command = harness.send(CONTAINER, delivery="at_least_once", ttl=20)
    harness.wall.offset -= HOUR
    for _ in range(31):
        clock.advance(1)
        harness.core.clocks.tick()
    harness.sweep()
    assert harness.command(command).state is State.UNKNOWN


def test_a_command_that_is_queued_again_after_a_step_expires_by_the_new_time(harness: CoreHarness) -> None:
    """The clock was set forward while an attempt was in flight: the command does not stay queued past its time."""
    command = harness.send(CONTAINER, delivery="at_least_once", ttl=300)
    set_clock(harness, 200)
    run(harness, 40)
    assert harness.command(command).state is State.QUEUED
    run(harness, 70)
    assert harness.command(command).state is State.UNKNOWN


def test_a_command_for_later_is_sent_when_the_corrected_clock_says_so(harness: CoreHarness) -> None:
    """The clock is set back an hour: a command for ten o'clock is sent at ten by the new time, not expired before."""
    command = harness.put(READER, not_before=harness.wall_ms_in(60), ttl=30)
    set_clock(harness, -HOUR)
    skip(harness, HOUR + 30)
    assert harness.command(command).state is State.QUEUED
    skip(harness, 30)
    assert harness.poll(READER).commands == [command]


def test_a_held_poll_gets_a_command_that_a_step_made_due(harness: CoreHarness) -> None:
    """The clock is set forward to when a command is due: the poll that is held gets it within a second."""
    command = harness.put(READER, not_before=harness.wall_ms_in(HOUR))
    poll = harness.take(READER, hold=50)
    assert poll.held
    set_clock(harness, HOUR)
    assert poll.commands == [command]


@pytest.mark.parametrize("kind", list(ProofKind))
def test_a_revoked_secret_stays_revoked(harness: CoreHarness, kind: ProofKind) -> None:
    """A secret whose overlap has ended is not valid again when the clock is set back."""
    old = harness.issue_credential(CONTAINER, kind)
    harness.issue_credential(CONTAINER, kind, overlap=60)
    harness.clock.advance(61)
    harness.wall.offset -= HOUR
    assert harness.core.registry.owner(old, kind) is None


def test_a_revoked_secret_stays_revoked_after_a_restart(restart: Restart) -> None:
    """Nor when the clock is set back while the server is down."""
    before = restart(0)
    before.register(CONTAINER)
    old = before.issue_credential(CONTAINER, ProofKind.API_KEY)
    new = before.issue_credential(CONTAINER, ProofKind.API_KEY, overlap=60)
    before.clock.advance(61)
    before.result(before.core.save_clocks())
    owner = restart(-DAYS).core.registry.owner
    assert (owner(old, ProofKind.API_KEY), owner(new, ProofKind.API_KEY)) == (None, CONTAINER)


def test_an_overlap_is_not_cut_short(harness: CoreHarness) -> None:
    """The old secret stays valid for its overlap when the clock is set forward."""
    old = harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    harness.issue_credential(CONTAINER, ProofKind.API_KEY, overlap=60)
    set_clock(harness, DAYS)
    assert harness.core.registry.owner(old, ProofKind.API_KEY) == CONTAINER


@pytest.mark.parametrize("step", STEPS)
def test_an_alert_lasts_as_long_as_it_lasts(harness: CoreHarness, step: float) -> None:
    """The duration of an alert is measured, not the difference of two times of a clock that was set."""
    outage(harness)
    run(harness, WINDOW)
    set_clock(harness, step)
    run(harness, 3)
    harness.result(harness.core.store.set_presence(READER, PresenceState.ONLINE))
    (alert,) = harness.result(harness.core.store.alerts(CLEARED_ALERTS, None, 10))
    assert alert.duration == 4.0
    assert [event.data["duration"] for event in harness.events if event.type == "alert.cleared"] == [4.0]


def test_one_outage_after_a_step_back_is_no_flapping(harness: CoreHarness) -> None:
    """Outages of the last hours do not count again because the clock was set back: the outage is alerted as such."""
    for _ in range(2):
        outage(harness, seconds=5)
        skip(harness, HOUR)
    set_clock(harness, -4 * HOUR)
    outage(harness)
    run(harness, WINDOW + 1)
    assert kinds(harness) == ["offline"]


def test_flapping_is_found_though_the_clock_is_set(harness: CoreHarness) -> None:
    """Five changes within ten minutes are flapping, though a step lies between them, and end when they should."""
    outage(harness, seconds=5)
    outage(harness, seconds=5)
    set_clock(harness, DAYS)
    outage(harness, seconds=5)
    assert kinds(harness) == ["flapping"]
    set_clock(harness, -DAYS)
    skip(harness, 580)
    assert kinds(harness) == ["flapping"]
    skip(harness, 20)
    assert kinds(harness) == []


@pytest.mark.parametrize("step", [-DAYS, DAYS])
def test_a_mute_ends_when_it_should(harness: CoreHarness, step: float) -> None:
    """A device that was muted for an hour is alerted after an hour."""
    harness.result(harness.core.registry.change(READER, {"muted_until": harness.wall_ms_in(HOUR)}))
    outage(harness)
    set_clock(harness, step)
    run(harness, 2 * WINDOW)
    assert kinds(harness) == []
    skip(harness, HOUR - 60 - 2 * WINDOW)
    assert kinds(harness) == []
    run(harness, 60 + WINDOW)
    assert kinds(harness) == ["offline"]


def test_a_clock_that_is_a_month_ahead_for_a_minute_deletes_nothing(harness: CoreHarness) -> None:
    """Retention runs while the clock is ahead, and finds nothing to delete."""
    before = stored_events(harness)
    harness.wall.offset += 32 * DAYS
    assert purge(harness) == 0
    run(harness, 70)
    assert purge(harness) == 0
    set_clock(harness, -32 * DAYS)
    assert purge(harness) == 0
    assert stored_events(harness) == before > 0


def test_retention_starts_again_six_hours_after_a_step(harness: CoreHarness) -> None:
    """A clock that stays where it was set is believed after six hours."""
    set_clock(harness, (KEPT_DAYS + 1) * DAYS)
    skip(harness, RETENTION_PAUSE / 1000 - 60)
    assert purge(harness) == 0
    skip(harness, 60)
    assert purge(harness) == 2


def test_a_small_step_does_not_stop_retention(harness: CoreHarness) -> None:
    """NTP may correct the clock by a few seconds each day; the disk must not fill because of it."""
    skip(harness, (KEPT_DAYS + 1) * DAYS)
    set_clock(harness, -30)
    assert purge(harness) == 2


def test_events_of_a_time_when_the_clock_was_ahead_do_not_block_retention(harness: CoreHarness) -> None:
    """Events that are stamped a year in the future go a month after they were written, with all behind them."""
    set_clock(harness, 365 * DAYS)
    for number in range(3):
        harness.register(f"controlid:10{number}")
    command = harness.put(READER, ttl=1)
    run(harness, 2)
    set_clock(harness, -365 * DAYS)
    harness.register("controlid:200")
    skip(harness, (KEPT_DAYS - 1) * DAYS)
    assert purge(harness) == 0
    skip(harness, 2 * DAYS)
    assert purge(harness) == len(harness.events)
    assert stored_events(harness) == 0
    with pytest.raises(UnknownCommand):
        harness.command(command)


def test_events_of_a_time_when_the_clock_was_behind_are_kept(harness: CoreHarness) -> None:
    """A computer that starts in 1970 until it finds a time server loses nothing that it stored meanwhile."""
    harness.register("controlid:100")
    set_clock(harness, -50 * 365 * DAYS)
    harness.register("controlid:101")
    set_clock(harness, 50 * 365 * DAYS)
    harness.register("controlid:102")
    skip(harness, DAYS)
    assert purge(harness) == 0


@pytest.mark.parametrize("step", [-HOUR, (KEPT_DAYS + 1) * DAYS])
def test_a_start_with_a_clock_that_seems_wrong_counts_as_a_step(restart: Restart, step: float) -> None:
    """A server that starts before its newest stored time, or long after it, waits with retention, and says so."""
    before = restart(0)
    before.register(READER)
    skip(before, (KEPT_DAYS + 1) * DAYS)
    before.register(CONTAINER)
    with capturedLogs() as logs:
        after = restart(step)
    assert any("retention pauses for 6 hours" in (formatEvent(event) or "") for event in logs)
    assert purge(after) == 0
    skip(after, RETENTION_PAUSE / 1000)
    assert purge(after) == (2 if step > 0 else 1)


def test_the_pause_of_retention_outlives_a_restart(restart: Restart) -> None:
    """A server that is restarted an hour after a step does not purge earlier."""
    before = restart(0)
    before.register(READER)
    set_clock(before, (KEPT_DAYS + 1) * DAYS)
    after = restart(0)
    assert purge(after) == 0
    skip(after, RETENTION_PAUSE / 1000)
    assert purge(after) == 1


def test_elapsed_time_counts_the_time_while_the_server_is_down(restart: Restart) -> None:
    """An overlap that ends while the server is down has ended after the start."""
    before = restart(0)
    before.register(CONTAINER)
    old = before.issue_credential(CONTAINER, ProofKind.SECRET)
    before.issue_credential(CONTAINER, ProofKind.SECRET, overlap=HOUR)
    before.clock.advance(HOUR)
    assert restart(0).core.registry.owner(old, ProofKind.SECRET) is None


def test_a_command_is_not_sent_late_after_a_restart(restart: Restart) -> None:
    """The clock is set back while the server is down: a command that was too old stays so."""
    before = restart(0)
    before.register(READER)
    command = before.put(READER, ttl=4)
    before.clock.advance(5)
    before.result(before.core.save_clocks())
    after = restart(-HOUR)
    assert after.poll(READER).held
    after.sweep()
    assert after.command(command).state is State.EXPIRED
