"""Tests of what a new process knows after a restart."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.devices.admission import Access
from pushd.model.device import Admission, PresenceState, ProofKind
from pushd.model.lifecycle import State
from pushd.model.token import Role
from tests.core.harness import CONTAINER, READER, CoreHarness, StubClient, build_harness
from tests.store.clock import new_store

Start = Callable[[], CoreHarness]


def stop(harness: CoreHarness) -> None:
    """Stop as the service does."""
    harness.core.drain()
    harness.result(harness.core.presence.flush())
    harness.result(harness.core.store.close())


@pytest.fixture
def restart(clock: Clock, tmp_path: Path) -> Iterator[Start]:
    """Starts a process, after stopping the one before."""
    running: list[CoreHarness] = []

    def restart() -> CoreHarness:
        while running:
            stop(running.pop())
        running.append(build_harness(clock, Config(), 0.0, new_store(str(tmp_path / "pushd.sqlite"))))
        return running[0]

    yield restart
    stop(running.pop())


@pytest.fixture
def before(restart: Start) -> CoreHarness:
    """A process with one registered device of each dialect."""
    harness = restart()
    harness.register(READER)
    harness.register(CONTAINER)
    return harness


def test_queued_commands_are_sent_after_a_restart(before: CoreHarness, restart: Start) -> None:
    """A poll after the restart gets the command that was queued before it."""
    command = before.put(READER)
    after = restart()
    assert after.poll(READER).commands == [command]
    assert after.poll(CONTAINER).held


def test_a_command_for_later_is_sent_after_a_restart(before: CoreHarness, restart: Start, clock: Clock) -> None:
    """A held poll gets a command with ``not_before`` when it is due."""
    command = before.put(READER, not_before=before.wall_ms_in(8))
    clock.advance(3)
    poll = restart().poll(READER)
    clock.advance(5)
    assert poll.commands == [command]


def test_leases_are_renewed_by_a_restart(before: CoreHarness, restart: Start, clock: Clock) -> None:
    """While the server was down no device could report: leases count again from the start."""
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
    """Commands in flight keep their uuid, and are settled by it."""
    before.put(READER)
    before.poll(READER, "u1")
    after = restart()
    following = after.put(READER)
    poll = after.poll(READER, "u1")
    assert poll.held
    after.report(READER, uuid="u1")
    assert poll.commands == [following]


def test_large_results_are_still_expected(before: CoreHarness, restart: Start) -> None:
    """A device with a command in flight may send a large result to the new process."""
    before.put(READER)
    before.poll(READER)
    after = restart()
    assert READER in after.core.command_queue.result_index
    assert CONTAINER not in after.core.command_queue.result_index


def test_a_device_that_signed_off_stays_so(before: CoreHarness, restart: Start) -> None:
    """Only a poll ends the sign-off."""
    before.poll(CONTAINER, client_address="192.0.2.1")
    before.sign_off(CONTAINER)
    after = restart()
    after.result(after.core.device_service.acknowledge(StubClient(), CONTAINER, "m1"))
    assert after.device(CONTAINER).presence is PresenceState.SIGNED_OFF
    after.poll(CONTAINER)
    assert after.device(CONTAINER).presence is PresenceState.ONLINE


def test_last_seen_is_remembered(before: CoreHarness, restart: Start, clock: Clock) -> None:
    """Last-seen time and address are known after the restart, and the next poll causes no online event."""
    before.poll(READER, client_address="192.0.2.1")
    clock.advance(10)
    seen = before.wall_ms_in(0)
    after = restart()
    clock.advance(10)
    device = after.device(READER)
    assert (device.last_seen_at, device.last_address) == (seen, "192.0.2.1")
    after.poll(READER)
    assert after.event_types() == []


def test_downtime_of_the_server_does_not_count(before: CoreHarness, restart: Start, clock: Clock) -> None:
    """However long the server was down: after the start a device has its whole timeout to return."""
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


def test_a_device_that_did_not_return_is_explained(before: CoreHarness, restart: Start) -> None:
    """The explanation uses the live presence, also of a device that was not seen since the start."""
    before.poll(READER).disconnect()
    after = restart()
    after.pass_time(120)
    explanation = after.result(after.core.operator_actions.explain(after.put(READER)))
    assert explanation.facts["presence"] == "offline"


def test_a_device_that_returns_in_time_causes_no_event(before: CoreHarness, restart: Start) -> None:
    """A device that polls in time after a start was never offline."""
    before.poll(READER).disconnect()
    after = restart()
    after.pass_time(100)
    after.poll(READER).disconnect()
    after.pass_time(119)
    assert after.event_types() == []


def test_an_offline_device_stays_offline(before: CoreHarness, restart: Start) -> None:
    """An offline device causes no second offline event; its poll makes it online."""
    before.poll(READER).disconnect()
    before.pass_time(120)
    after = restart()
    after.pass_time(240)
    assert after.device(READER).presence is PresenceState.OFFLINE
    assert after.event_types() == []
    after.poll(READER)
    assert after.event_types() == ["device.online"]


def test_proofs_and_tokens_are_remembered(before: CoreHarness, restart: Start, clock: Clock) -> None:
    """Secrets and tokens stay valid, and an overlap still ends in time."""
    old = before.issue_credential(READER, ProofKind.SECRET)
    new = before.issue_credential(READER, ProofKind.SECRET, 60)
    token = before.make_token("night shift", Role.ADMIN)
    after = restart()
    core = after.core
    assert core.tokens.find(token) is not None
    assert [core.registry.owner_of_path(secret) for secret in (old, new)] == [READER, READER]
    assert after.access(READER) is Access.REFUSED
    clock.advance(60)
    assert [core.registry.owner_of_path(secret) for secret in (old, new)] == [None, READER]


def test_pending_devices_still_count(before: CoreHarness, restart: Start) -> None:
    """A restart does not reset the number of pending devices."""
    before.poll("controlid:99")
    after = restart()
    assert after.core.registry.pending_count == 1
    assert after.core.registry.get_or_raise("controlid:99").admission is Admission.PENDING


def test_ids_ascend_over_a_restart(before: CoreHarness, restart: Start) -> None:
    """Command ids ascend even if the wall clock was set back."""
    first = before.put(READER)
    after = restart()
    after.wall.offset -= 86400
    assert after.put(READER) > first
