"""Tests of what a new process knows of what the one before it did."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.devices.admission import Access, ClientIdentity
from pushd.model.device import Admission, PresenceState, ProofKind
from pushd.model.lifecycle import State
from pushd.model.token import Role
from pushd.store.sqlite.store import SqliteStore
from tests.core.harness import CONTAINER, READER, CoreHarness, build_harness

Start = Callable[[], CoreHarness]


def stop(harness: CoreHarness) -> None:
    """Stop as the service does."""
    harness.core.drain()
    harness.result(harness.core.presence.flush())
    harness.result(harness.core.store.close())


@pytest.fixture
def restart(clock: Clock, tmp_path: Path) -> Iterator[Start]:
    """Starts a process, after it has stopped the one before."""
    running: list[CoreHarness] = []

    def restart() -> CoreHarness:
        while running:
            stop(running.pop())
        running.append(build_harness(clock, Config(), 0.0, SqliteStore(str(tmp_path / "pushd.sqlite"))))
        return running[0]

    yield restart
    stop(running.pop())


@pytest.fixture
def before(restart: Start) -> CoreHarness:
    """A process that knows a device of each dialect."""
    harness = restart()
    harness.register(READER)
    harness.register(CONTAINER)
    return harness


def test_what_was_queued_is_handed_over(before: CoreHarness, restart: Start) -> None:
    """A poll after the restart gets the command that was accepted before it."""
    command = before.put(READER)
    after = restart()
    assert after.poll(READER).commands == [command]
    assert after.poll(CONTAINER).held


def test_what_was_queued_for_later_rings(before: CoreHarness, restart: Start, clock: Clock) -> None:
    """A command for later is known as such."""
    command = before.put(READER, not_before=before.wall_ms_in(8))
    clock.advance(3)
    poll = restart().poll(READER)
    clock.advance(5)
    assert poll.commands == [command]


def test_what_was_out_keeps_its_whole_lease(before: CoreHarness, restart: Start, clock: Clock) -> None:
    """While we were away no device could report: no lease ends earlier than our start and its time."""
    command = before.put(CONTAINER)
    before.poll(CONTAINER)
    clock.advance(29)
    after = restart()
    clock.advance(29)
    after.core.clocks.tick()
    after.sweep()
    assert after.command(command).state is State.SENT
    clock.advance(1)
    after.sweep()
    assert after.command(command).state is State.UNKNOWN


def test_a_repeated_poll_is_still_a_retry(before: CoreHarness, restart: Start) -> None:
    """What is out is known by its name, and settled by it."""
    before.put(READER)
    before.poll(READER, "u1")
    after = restart()
    following = after.put(READER)
    poll = after.poll(READER, "u1")
    assert poll.held
    after.report(READER, uuid="u1")
    assert poll.commands == [following]


def test_large_results_are_still_expected(before: CoreHarness, restart: Start) -> None:
    """A device with something out may report at length to the new process."""
    before.put(READER)
    before.poll(READER)
    after = restart()
    assert after.core.device_service.expects_result(READER)
    assert not after.core.device_service.expects_result(CONTAINER)


def test_who_signed_off_is_still_away(before: CoreHarness, restart: Start) -> None:
    """Only its poll brings it back."""
    before.poll(CONTAINER, address="192.0.2.1")
    before.sign_off(CONTAINER)
    after = restart()
    after.result(after.core.device_service.acknowledge(ClientIdentity(device=CONTAINER), "m1"))
    assert after.device(CONTAINER).presence is PresenceState.SIGNED_OFF
    after.poll(CONTAINER)
    assert after.device(CONTAINER).presence is PresenceState.ONLINE


def test_who_was_seen_is_remembered(before: CoreHarness, restart: Start, clock: Clock) -> None:
    """When a device was here last, and from where, is known before it comes again; and it is not told to be back."""
    before.poll(READER, address="192.0.2.1")
    clock.advance(10)
    seen = before.wall_ms_in(0)
    after = restart()
    clock.advance(10)
    device = after.device(READER)
    assert (device.last_seen_at, device.last_address) == (seen, "192.0.2.1")
    after.poll(READER)
    assert after.event_types() == []


def test_our_absence_is_not_a_device_s_silence(before: CoreHarness, restart: Start, clock: Clock) -> None:
    """However long we were away: after a start, a device has its whole time to come back before it is offline."""
    for device in (READER, CONTAINER):
        before.poll(device).disconnect()
    before.pass_time(119)
    clock.advance(3600)
    after = restart()
    after.pass_time(119)
    assert after.device(READER).presence is PresenceState.ONLINE
    after.pass_time(1)
    assert after.device(READER).presence is PresenceState.OFFLINE
    assert after.event_types() == ["device.offline"]
    after.pass_time(1080)
    assert after.device(CONTAINER).presence is PresenceState.OFFLINE


def test_who_did_not_come_back_is_explained(before: CoreHarness, restart: Start) -> None:
    """Why a command waits is told from what is known now, of a device, too, that has not spoken since the start."""
    before.poll(READER).disconnect()
    after = restart()
    after.pass_time(120)
    explanation = after.result(after.core.operator_actions.explain(after.put(READER)))
    assert explanation.facts["presence"] == "offline"


def test_who_comes_back_after_a_restart_is_no_news(before: CoreHarness, restart: Start) -> None:
    """A device that polls in time after a start was never gone."""
    before.poll(READER).disconnect()
    after = restart()
    after.pass_time(100)
    after.poll(READER).disconnect()
    after.pass_time(119)
    assert after.event_types() == []


def test_who_was_offline_is_so_after_a_restart(before: CoreHarness, restart: Start) -> None:
    """A device that was silent before is not told to be so again; its poll brings it back."""
    before.poll(READER).disconnect()
    before.pass_time(120)
    after = restart()
    after.pass_time(240)
    assert after.device(READER).presence is PresenceState.OFFLINE
    assert after.event_types() == []
    after.poll(READER)
    assert after.event_types() == ["device.online"]


def test_proofs_and_tokens_are_remembered(before: CoreHarness, restart: Start, clock: Clock) -> None:
    """A secret that was given away opens the same doors, for as long as it would have."""
    old = before.issue_credential(READER, ProofKind.SECRET)
    new = before.issue_credential(READER, ProofKind.SECRET, 60)
    token = before.result(before.core.tokens.issue("admin", Role.ADMIN))
    after = restart()
    core = after.core
    assert core.tokens.find(token) is not None
    assert [core.registry.owner_of_path(secret) for secret in (old, new)] == [READER, READER]
    assert after.access(READER) is Access.REFUSED
    clock.advance(60)
    assert [core.registry.owner_of_path(secret) for secret in (old, new)] == [None, READER]


def test_who_waits_for_an_approval_still_counts(before: CoreHarness, restart: Start) -> None:
    """A restart makes no room for strangers."""
    before.poll("controlid:99")
    after = restart()
    assert after.core.registry.pending_count == 1
    assert after.core.registry.get_or_raise("controlid:99").admission is Admission.PENDING


def test_ids_ascend_over_a_restart(before: CoreHarness, restart: Start) -> None:
    """Even if somebody sets the clock back meanwhile."""
    first = before.put(READER)
    after = restart()
    after.wall.offset -= 86400
    assert after.put(READER) > first
