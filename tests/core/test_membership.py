"""One core among several processes that share a database: which devices it serves, judges, and leaves to others."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from pushd.core.health import Health
from pushd.core.polling.poll_registry import CONFLICT_DELAY
from pushd.lib.background import returns_deferred
from pushd.model.device import PresenceState
from pushd.model.errors import Unavailable
from pushd.model.timestamps import Now
from pushd.store.filters import StartupSnapshot
from pushd.store.membership import IMembership, OnMove, TakenOver
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.core.conftest import HarnessBuilder
from tests.core.harness import READER, CoreHarness
from tests.store.clock import StoreClock

TIMEOUT = 120
"""Seconds: the heartbeat timeout of READER."""


@implementer(IMembership)
@define(eq=False)
class OneOfSeveral:
    """A membership whose other processes are played by the test."""

    here: set[str] = field(factory=set)
    """The devices that this process serves."""
    serving: dict[str, Deferred[None]] = field(factory=dict)
    """What is to be served, until the test commits that."""
    left: list[TakenOver] = field(factory=list)
    """Devices of a process that has died."""
    cut_off: bool = False
    heard: bool = True
    outage_before: float = 0.0
    served_before: float = inf
    """For how many seconds this process had served its devices when it was started."""
    beats: int = 0
    is_away: bool = False
    """Whether the database cannot be reached."""
    now: Now | None = None
    """The time of all processes."""
    _listeners: list[OnMove] = field(factory=list)

    def node_name(self) -> str:
        """Its name."""
        return "a"

    def is_shared(self) -> bool:
        """There are others."""
        return True

    def beat(self) -> Deferred[Now | None]:
        """Count the beats."""
        self.beats += 1
        if self.is_away:
            return fail(Unavailable("away", is_logged=True))
        return succeed(self.now)

    def pass_second(self) -> None:
        """All processes have served for a second more."""
        assert self.now is not None
        self.now = Now(*(each + 1_000 for each in (self.now.wall, self.now.steady, self.now.elapsed)))

    def outage(self) -> float:
        """For how many seconds no process served before."""
        return self.outage_before

    def served_for(self, device: str) -> float:
        """For how many seconds this process had served a device when it was started."""
        return self.served_before

    def serves(self, device: str) -> bool:
        """Whether this process serves a device."""
        return device in self.here

    def serve(self, device: str) -> Deferred[None]:
        """Begin to serve a device."""
        done: Deferred[None] = Deferred()
        if device in self.serving:
            return self.serving[device].addCallback(lambda _: done.callback(None)) and done
        self.serving[device] = done
        return done

    def take_over(self, limit: int) -> Deferred[Sequence[TakenOver]]:
        """Take over what is left."""
        taken, self.left = self.left[:limit], self.left[limit:]
        self.here.update(each.device for each in taken)
        return succeed(taken)

    def subscribe(self, on_move: OnMove) -> None:
        """Call ``on_move`` when a device moves."""
        self._listeners.append(on_move)

    def is_cut_off(self) -> bool:
        """Whether the test has cut this process off."""
        return self.cut_off

    def clock_offset(self) -> float:
        """The clocks agree."""
        return 0.0

    def lacks_events(self) -> bool:
        """Whether the database was restored."""
        return False

    def hears(self) -> bool:
        """Whether it hears of what others change."""
        return self.heard

    def commit(self, harness: CoreHarness, device: str = READER) -> None:
        """Write that this process serves a device from now on, and that the device is online."""
        harness.result(harness.core.store.set_presence(device, PresenceState.ONLINE))
        self.here.add(device)
        for listener in self._listeners:
            listener(device, True)
        self.serving.pop(device).callback(None)

    def move_away(self, device: str = READER) -> None:
        """Another process serves a device from now on."""
        self.here.discard(device)
        for listener in self._listeners:
            listener(device, False)


@define(eq=False)
class SharedStore(SqliteStore):
    """A store that other processes use, too."""

    others: OneOfSeveral = field(factory=OneOfSeveral, kw_only=True)
    seen_elsewhere: Mapping[str, float] = field(factory=dict, kw_only=True)
    """What other processes have seen later, with the seconds since then."""
    stored_elsewhere: PresenceState | None = field(default=None, kw_only=True)
    """The presence that other processes have stored of devices that they serve, and this one does not know it."""

    def membership(self) -> Any:
        """The membership that the test plays."""
        return self.others

    @returns_deferred
    async def set_presence(self, device: str, presence: PresenceState) -> PresenceState:
        """Save the presence, unless another process serves the device."""
        if self.stored_elsewhere is not None:
            self.others.move_away(device)
            return self.stored_elsewhere
        stored: PresenceState = await SqliteStore.set_presence(self, device, presence)
        return stored

    @returns_deferred
    async def mark_offline(self, devices: Mapping[str, str | None], *args: Any) -> Mapping[str, float]:
        """Mark those devices offline that no other process has seen later."""
        seen, self.seen_elsewhere = self.seen_elsewhere, {}
        silent = {name: devices[name] for name in devices if name not in seen}
        await SqliteStore.mark_offline(self, silent, *args)
        return seen


@pytest.fixture
def others() -> OneOfSeveral:
    """The other processes."""
    return OneOfSeveral()


@pytest.fixture
def shared(others: OneOfSeveral) -> SharedStore:
    """A store that is shared with them."""
    return SharedStore(MEMORY, now=StoreClock(), others=others)


@pytest.fixture
def harness(builder: HarnessBuilder, shared: SharedStore) -> CoreHarness:
    """A core over that store."""
    return builder.build(store=shared)


def serve(harness: CoreHarness, others: OneOfSeveral) -> None:
    """Have the core serve a device that has polled here."""
    poll = harness.poll(READER)
    others.commit(harness)
    poll.disconnect()


def test_claims_after_it_serves(harness: CoreHarness, others: OneOfSeveral) -> None:
    """The first poll at a process gets its command only after it is written that this process serves the device."""
    command = harness.put(READER)
    poll = harness.poll(READER)
    assert poll.held
    others.commit(harness)
    assert poll.commands == [command]


def test_later_polls_write_nothing(harness: CoreHarness, others: OneOfSeveral) -> None:
    """Polls of a device that stays at its process write nothing."""
    serve(harness, others)
    harness.poll(READER).disconnect()
    assert not others.serving


def test_command_for_held_poll(harness: CoreHarness, others: OneOfSeveral) -> None:
    """A command wakes a poll that waits at the process that serves its device."""
    poll = harness.poll(READER)
    others.commit(harness)
    assert poll.held
    command = harness.put(READER)
    assert poll.commands == [command]


def test_serving_fails(harness: CoreHarness, others: OneOfSeveral) -> None:
    """A poll is held while the database is away; the next one tries again to have its device served here."""
    command = harness.put(READER)
    poll = harness.poll(READER)
    others.serving.pop(READER).errback(Unavailable("away", is_logged=True))
    assert poll.held
    poll.disconnect()
    again = harness.poll(READER)
    others.commit(harness)
    assert again.commands == [command]


@pytest.mark.parametrize(("silent", "is_served"), [(TIMEOUT - 2, True), (TIMEOUT + 1, False)])
def test_left_before_it_was_served(harness: CoreHarness, others: OneOfSeveral, silent: int, is_served: bool) -> None:
    """A device that polled here while the database was away is served here when it is back; but not one that has been
    silent for its timeout since, because another process may have seen it later, and that it is offline.
    """
    poll = harness.poll(READER)
    poll.disconnect()
    others.serving.pop(READER).errback(Unavailable("away", is_logged=True))
    harness.pass_time(silent)
    sweep = harness.start(harness.core.sweep())
    assert (READER in others.serving) is is_served
    if is_served:
        others.commit(harness)
    harness.result(sweep)


def test_keeps_what_others_have_stored(harness: CoreHarness, others: OneOfSeveral, shared: SharedStore) -> None:
    """A device that was to be saved as online, but is served and offline elsewhere, is shown as offline."""
    serve(harness, others)
    harness.pass_time(TIMEOUT + 1)
    shared.stored_elsewhere = PresenceState.OFFLINE
    poll = harness.poll(READER)
    assert harness.device(READER).presence is PresenceState.OFFLINE
    poll.disconnect()


def test_moves_away(harness: CoreHarness, others: OneOfSeveral) -> None:
    """When a device polls at another process, its poll here ends idle, and gets nothing any more."""
    poll = harness.poll(READER)
    others.commit(harness)
    others.move_away()
    assert poll.idle
    harness.put(READER)
    assert poll.commands == []


def test_conflict_over_processes(harness: CoreHarness, others: OneOfSeveral) -> None:
    """Two devices with one id that poll at two processes in turn are slowed down, and an event says so."""
    for _ in range(2):
        poll = harness.poll(READER)
        others.commit(harness)
        others.move_away()
        assert poll.idle
    poll = harness.poll(READER)
    others.commit(harness)
    others.move_away()
    assert poll.held
    assert "device.conflict" in harness.event_types(READER)
    harness.clock.advance(CONFLICT_DELAY)
    assert poll.idle


def test_others_judge(harness: CoreHarness, others: OneOfSeveral) -> None:
    """A process does not notice that a device is silent that has moved to another one."""
    serve(harness, others)
    others.move_away()
    harness.pass_time(2 * TIMEOUT)
    assert harness.stored(READER).presence is PresenceState.ONLINE


def test_serving_process_judges(harness: CoreHarness, others: OneOfSeveral) -> None:
    """The process that serves a device notices that it is silent."""
    serve(harness, others)
    harness.pass_time(TIMEOUT + 1)
    assert harness.stored(READER).presence is PresenceState.OFFLINE


def test_takes_over(harness: CoreHarness, others: OneOfSeveral) -> None:
    """Devices of a process that has died get their whole timeout from when they are taken over, then are judged."""
    harness.result(harness.core.store.set_presence(READER, PresenceState.ONLINE))
    harness.pass_time(TIMEOUT)
    others.left.append(TakenOver(READER, PresenceState.ONLINE, TIMEOUT))
    harness.pass_time(TIMEOUT)
    assert harness.stored(READER).presence is PresenceState.ONLINE
    harness.pass_time(2)
    assert harness.stored(READER).presence is PresenceState.OFFLINE


def test_seen_elsewhere(harness: CoreHarness, others: OneOfSeveral, shared: SharedStore) -> None:
    """A device that reported its result to another process is not offline until its timeout after that has passed."""
    serve(harness, others)
    shared.seen_elsewhere = {READER: 20.0}
    harness.pass_time(TIMEOUT + 1)
    assert harness.device(READER).presence is PresenceState.ONLINE
    harness.pass_time(TIMEOUT - 20 - 2)
    assert harness.device(READER).presence is PresenceState.ONLINE
    harness.pass_time(4)
    assert harness.stored(READER).presence is PresenceState.OFFLINE


def test_follows_presence(harness: CoreHarness, others: OneOfSeveral) -> None:
    """Of devices that others serve, a process shows the presence that they have stored."""
    store = harness.core.store
    for state in (PresenceState.ONLINE, PresenceState.SIGNED_OFF):
        harness.result(store.set_presence(READER, state))
        assert harness.device(READER).presence is state


def test_comes_back_from_offline(harness: CoreHarness, others: OneOfSeveral) -> None:
    """A device that others have marked offline is online as soon as it is served here, and is judged here again."""
    store = harness.core.store
    harness.result(store.set_presence(READER, PresenceState.ONLINE))
    poll = harness.poll(READER)
    harness.result(SqliteStore.mark_offline(store, {READER: None}, harness.core.alerts.rules))  # type: ignore[arg-type]
    others.commit(harness)
    assert harness.device(READER).presence is PresenceState.ONLINE
    poll.disconnect()
    harness.pass_time(TIMEOUT + 2)
    assert harness.stored(READER).presence is PresenceState.OFFLINE


def test_beats_before_it_judges(harness: CoreHarness, others: OneOfSeveral) -> None:
    """A sweep, and a check for silent devices, each begin with a beat."""
    harness.sweep()
    harness.result(harness.core.detect_offline())
    assert others.beats == 2


def test_cut_off_is_not_ready(harness: CoreHarness, others: OneOfSeveral) -> None:
    """A process that others take for dead is not ready: a load balancer sends devices to those."""
    core = harness.core
    health = Health(core.store, core.membership, core.clocks, core.command_queue, core.webhooks)
    harness.result(health.check_ready())
    others.cut_off = True
    with pytest.raises(Unavailable, match="other processes serve the devices"):
        harness.result(health.check_ready())
    others.cut_off, others.heard = False, False
    with pytest.raises(Unavailable, match="cannot know which tokens are valid"):
        harness.result(health.check_ready())


def test_outage_of_all_processes(harness: CoreHarness, others: OneOfSeveral) -> None:
    """Time in which no process served counts for no device as silence."""
    serve(harness, others)
    others.now = harness.core.clocks.now()
    harness.pass_time(1)
    others.is_away = True
    for _ in range(60):
        with pytest.raises(Unavailable):
            harness.pass_time(1)
    others.is_away = False
    for _ in range(TIMEOUT - 5):
        others.pass_second()
        harness.pass_time(1)
    assert harness.stored(READER).presence is PresenceState.ONLINE
    for _ in range(6):
        others.pass_second()
        harness.pass_time(1)
    assert harness.stored(READER).presence is PresenceState.OFFLINE


def test_last_seen_is_saved_seldom(harness: CoreHarness, others: OneOfSeveral) -> None:
    """When a device was last seen is saved a quarter of its heartbeat timeout after the time before, if it stays."""
    serve(harness, others)
    harness.result(harness.core.presence.flush())
    saved = harness.stored(READER).last_seen_at
    harness.pass_time(TIMEOUT // 4 - 1)
    harness.poll(READER).disconnect()
    harness.result(harness.core.presence.flush())
    assert harness.stored(READER).last_seen_at == saved
    harness.pass_time(1)
    harness.result(harness.core.presence.flush())
    assert harness.stored(READER).last_seen_at != saved


def test_held_poll_is_seen(harness: CoreHarness, others: OneOfSeveral) -> None:
    """A device that holds a poll is saved as seen: a process that starts in place of this one, which died, must not
    take it for silent since the poll began.
    """
    serve(harness, others)
    harness.core.presence.set_timeout(READER, 20)
    held = harness.poll(READER)
    harness.result(harness.core.presence.flush())
    harness.pass_time(5)
    harness.result(harness.core.presence.flush())
    held.disconnect()
    assert harness.stored(READER).last_seen_at == harness.core.clocks.wall_now()


def test_last_seen_by_a_process_that_does_not_serve(harness: CoreHarness, others: OneOfSeveral) -> None:
    """What a device reports to a process that does not serve it is saved soon, for the one that does."""
    harness.result(harness.core.store.set_presence(READER, PresenceState.ONLINE))
    for _ in range(2):
        harness.pass_time(3)
        harness.core.presence.record_activity(READER, "192.0.2.1")
        harness.result(harness.core.presence.flush())
        assert harness.stored(READER).last_seen_at == harness.core.clocks.wall_now()


@pytest.mark.parametrize(
    ("outage", "served", "left"),
    [(0.0, inf, 50), (60.0, inf, 110), (3600.0, inf, 120), (0.0, 20.0, 100), (0.0, 0.0, 120)],
)
def test_start_gives_no_time_again(
    harness: CoreHarness, others: OneOfSeveral, outage: float, served: float, left: int
) -> None:
    """A process that starts while others serve counts how long its devices have been silent, and no longer than since
    they moved to it; an outage of all does not count, nor does the time for which it may not have been saved that they
    were seen.
    """
    seen = harness.core.clocks.wall_now() - 100_000
    stored = evolve(harness.stored(READER), presence=PresenceState.ONLINE, last_seen_at=seen)
    harness.result(harness.core.store.set_presence(READER, PresenceState.ONLINE))
    others.here.add(READER)
    others.outage_before, others.served_before = outage, served
    harness.core.presence.load(StartupSnapshot(devices=(stored,), now=harness.core.clocks.now()))
    harness.pass_time(left - 1)
    assert harness.stored(READER).presence is PresenceState.ONLINE
    harness.pass_time(3)
    assert harness.stored(READER).presence is PresenceState.OFFLINE
