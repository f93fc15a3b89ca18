"""Tests of a store that is closed and opened again."""

import pytest

from pushd.model.device import Admission, LastSeen, PresenceState
from pushd.model.lifecycle import State
from pushd.model.timestamps import Now
from pushd.rules.outcomes import Settlement
from pushd.store.filters import CommandFilter, DeviceFilter
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.conftest import StoreUnderTest
from tests.store.samples import (
    AT_LEAST_ONCE,
    FAILURE,
    LIMIT,
    OTHER_READER,
    READER,
    UNREGISTERED,
    StubResult,
    at,
    by_message,
    command_id,
    device,
    draft,
    wall,
)
from tests.store.steps import all_events, claim, get_command, put, send, state

pytestmark = pytest.mark.parametrize("kind", ["file", "threads"])

REBORN = 10
"""What a new process's steady clock shows at its start."""


def after_restart(seconds: float, passed: float = 0.0) -> Now:
    """A time of a process that started ``seconds`` after the test did, ``passed`` seconds after its start."""
    return Now(wall=wall(seconds + passed), steady=REBORN + round(passed * 1000))


async def populate(store: IStore) -> None:
    """Bring commands into every state."""
    await send(store, 2)
    await send(store, 3)
    await when(store, at(1)).acknowledge(READER, command_id(3))
    await send(store, 4)
    await when(store, at(1)).settle(READER, by_message(4))
    await send(store, 5)
    await when(store, at(1)).settle(READER, by_message(5, FAILURE))
    await put(store, 6, ttl=1.0)
    await when(store, at(1)).expire(10)
    await put(store, 7)
    await when(store, at(1)).cancel(command_id(7))
    await send(store, 8, lease=1.0, uuid="u-8")
    await when(store, at(1)).lapse(10)
    await put(store, 1)
    await when(store, at(2)).settle(READER, StubResult(uuid="u-9"))
    await when(store, at(2)).set_presence(OTHER_READER, PresenceState.ONLINE)
    await store.save_last_seen([LastSeen(device=OTHER_READER, last_seen_at=wall(3), last_address="a", poll_gap=1.5)])


async def everything(store: IStore) -> list[object]:
    """All that the store can list."""
    return [
        [await get_command(store, number) for number in range(1, 9)],
        await store.commands(CommandFilter(), None, 100),
        await store.devices(DeviceFilter(), None, 100),
        await store.orphans(READER, None, 100),
        await all_events(store),
        await store.last_event(),
    ]


async def test_everything_is_still_there(under_test: StoreUnderTest, store: IStore) -> None:
    """Commands in all states, devices, orphans and events are as they were."""
    await populate(store)
    before = await everything(store)
    assert {await state(store, number) for number in range(1, 9)} == set(State)
    await under_test.restart(at(30))
    assert await everything(under_test.store) == before


async def test_the_snapshot_has_what_memory_needs(under_test: StoreUnderTest, store: IStore) -> None:
    """It has all devices, those with queued commands, those a result may come from, and the greatest id."""
    await populate(store)
    await put(store, 9, name=OTHER_READER)
    await when(store, at(2)).cancel(command_id(9))
    known = await under_test.restart(at(30))
    assert {each.id: each.presence for each in known.devices} == {
        READER: PresenceState.NEVER_SEEN,
        OTHER_READER: PresenceState.ONLINE,
    }
    assert under_test.store.devices_with_queue() == [READER]
    assert set(known.result_index) == {(READER, command_id(number)) for number in (2, 3, 8)}
    assert (known.proofs, known.tokens) == ((), ())


async def test_the_snapshot_has_whole_devices(under_test: StoreUnderTest, store: IStore) -> None:
    """It has every field of a device."""
    kept = device(
        UNREGISTERED, admission=Admission.PENDING, name="x", tags=("t",), hold=3.5, allow_from=("10.0.0.0/8",)
    )
    await when(store, at()).add_device(kept, True)
    known = await under_test.restart(at(30))
    assert kept in known.devices


async def test_a_queued_command_is_sent_after_a_restart(under_test: StoreUnderTest, store: IStore) -> None:
    """A command that was accepted before is delivered after."""
    await put(store, 1)
    await under_test.restart(at(30))
    dispatched = await claim(under_test.store, now=at(31))
    assert dispatched is not None
    assert dispatched.command == command_id(1)


async def test_a_command_in_flight_is_not_sent_again(under_test: StoreUnderTest, store: IStore) -> None:
    """A command whose bytes may have reached the device stays in flight."""
    await send(store, 1)
    await under_test.restart(at(30))
    assert await state(under_test.store, 1) is State.SENT
    assert await claim(under_test.store, now=at(31)) is None


async def test_a_result_after_a_restart_finds_its_command(under_test: StoreUnderTest, store: IStore) -> None:
    """Uuids of polls are stored, and the order in which commands were sent."""
    await send(store, 1, uuid="u-1")
    await send(store, 2, uuid=None)
    await under_test.restart(at(30))
    assert await when(under_test.store, at(31)).settle(READER, StubResult(uuid="u-1")) is Settlement.SETTLED
    assert await when(under_test.store, at(31)).settle(READER, StubResult()) is Settlement.SETTLED
    assert [(await get_command(under_test.store, number)).matched_by for number in (1, 2)] == ["uuid", "order"]


async def test_a_request_repeated_after_a_restart_is_done_once(under_test: StoreUnderTest, store: IStore) -> None:
    """A sender that got no answer can repeat the request with the same key."""
    await when(store, at()).put(draft(key="k", fingerprint=b"f"), False, LIMIT)
    await under_test.restart(at(30))
    again, new = await when(under_test.store, at(31)).put(draft(key="k", fingerprint=b"f"), False, LIMIT)
    assert (again.id, new) == (command_id(1), False)


@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize("away", [0.0, 50.0, 100_000.0])
async def test_leases_are_renewed_after_a_restart(
    under_test: StoreUnderTest, store: IStore, acknowledged: bool, away: float
) -> None:
    """However long the server was down, each open lease lasts its whole time from the start."""
    await send(store, 1, lease=60.0)
    if acknowledged:
        await when(store, at(0)).acknowledge(READER, command_id(1))
    await under_test.restart(after_restart(away))
    assert await when(under_test.store, after_restart(away, 59.999)).lapse(10) == 0
    assert await when(under_test.store, after_restart(away, 60.0)).lapse(10) == 1


async def test_a_deadline_goes_on_over_a_restart(under_test: StoreUnderTest, store: IStore) -> None:
    """What is left of the deadline is less by the downtime, but at least one lease."""
    await send(store, 1, lease=30.0, deadline=100.0)
    await under_test.restart(after_restart(50))
    await when(under_test.store, after_restart(50, 29.0)).acknowledge(READER, command_id(1))
    assert await when(under_test.store, after_restart(50, 49.999)).lapse(10) == 0
    assert await when(under_test.store, after_restart(50, 50.0)).lapse(10) == 1


async def test_only_commands_in_flight_have_a_lease_after_a_restart(under_test: StoreUnderTest, store: IStore) -> None:
    """Queued and ended commands do not lapse."""
    await populate(store)
    await under_test.restart(after_restart(5))
    assert await when(under_test.store, after_restart(5, 99_999.0)).lapse(100) == 2
    assert await state(under_test.store, 1) is State.QUEUED


async def test_attempts_are_counted_over_a_restart(under_test: StoreUnderTest, store: IStore) -> None:
    """The limit of attempts holds over restarts."""
    await send(store, 1, delivery=AT_LEAST_ONCE, max_attempts=2, ttl=9999.0)
    await under_test.restart(after_restart(5))
    await when(under_test.store, after_restart(5, 60)).lapse(10)
    second = await claim(under_test.store, now=after_restart(5, 61))
    assert second is not None
    assert second.attempt == 2
    await under_test.restart(after_restart(500))
    await when(under_test.store, after_restart(500, 60)).lapse(10)
    assert await state(under_test.store, 1) is State.UNKNOWN
