"""Tests of a store that is closed and opened again: nothing is forgotten, and our absence is blamed on nobody."""

import pytest

from pushd.model.device import Admission, LastSeen, PresenceState
from pushd.model.lifecycle import State
from pushd.model.timestamps import Now
from pushd.store.filters import CommandFilter, DeviceFilter, Settlement
from pushd.store.interface import IStore
from tests.store.conftest import Shelf
from tests.store.samples import (
    AGAIN,
    BROKE,
    DOOR,
    GATE,
    LIMIT,
    STRANGER,
    Said,
    at,
    by_message,
    device,
    draft,
    ident,
    wall,
)
from tests.store.steps import claim, feed, look, put, send, state

pytestmark = pytest.mark.parametrize("kind", ["file", "threads"])

REBORN = 10
"""What a new process's steady clock shows at its start."""


def reborn(seconds: float, passed: float = 0.0) -> Now:
    """An instant of a process that started ``seconds`` after the test did, when so much has ``passed`` in it."""
    return Now(wall=wall(seconds + passed), steady=REBORN + round(passed * 1000))


async def busy(store: IStore) -> None:
    """Bring commands into every state, and more."""
    await send(store, 2)
    await send(store, 3)
    await store.acknowledge(DOOR, ident(3), at(1))
    await send(store, 4)
    await store.settle(DOOR, by_message(4), at(1))
    await send(store, 5)
    await store.settle(DOOR, by_message(5, BROKE), at(1))
    await put(store, 6, ttl=1.0)
    await store.expire(10, at(1))
    await put(store, 7)
    await store.cancel(ident(7), at(1))
    await send(store, 8, lease=1.0, uuid="u-8")
    await store.lapse(10, at(1))
    await put(store, 1)
    await store.settle(DOOR, Said(uuid="u-9"), at(2))
    await store.set_presence(GATE, PresenceState.ONLINE, at(2))
    await store.save_last_seen([LastSeen(device=GATE, last_seen_at=wall(3), last_address="a", poll_gap=1.5)])


async def everything(store: IStore) -> list[object]:
    """All that the store can tell."""
    return [
        [await look(store, number) for number in range(1, 9)],
        await store.commands(CommandFilter(), None, 100),
        await store.devices(DeviceFilter(), None, 100),
        await store.orphans(DOOR, None, 100),
        await feed(store),
        await store.last_event(),
    ]


async def test_nothing_is_forgotten(shelf: Shelf, store: IStore) -> None:
    """Commands in all states, devices, orphans and the feed are as they were."""
    await busy(store)
    before = await everything(store)
    assert {await state(store, number) for number in range(1, 9)} == set(State)
    await shelf.restart(at(30))
    assert await everything(shelf.store) == before


async def test_memory_starts_from_what_is_known(shelf: Shelf, store: IStore) -> None:
    """The new process learns of all devices, of what is queued or may still be reported on, and of the greatest id."""
    await busy(store)
    await put(store, 9, name=GATE)
    await store.cancel(ident(9), at(2))
    known = await shelf.restart(at(30))
    assert {each.id: each.presence for each in known.devices} == {
        DOOR: PresenceState.NEVER_SEEN,
        GATE: PresenceState.ONLINE,
    }
    assert known.queued == {DOOR}
    assert set(known.result_index) == {(DOOR, ident(number)) for number in (2, 3, 8)}
    assert known.last_command == ident(9)
    assert (known.proofs, known.tokens) == ((), ())


async def test_devices_are_known_whole(shelf: Shelf, store: IStore) -> None:
    """The memory of a new process has every field of a device."""
    kept = device(STRANGER, admission=Admission.PENDING, name="x", tags=("t",), hold=3.5, allow_from=("10.0.0.0/8",))
    await store.add_device(kept, True, at())
    known = await shelf.restart(at(30))
    assert kept in known.devices


async def test_what_was_queued_is_handed_over(shelf: Shelf, store: IStore) -> None:
    """A command that was accepted before is delivered after."""
    await put(store, 1)
    await shelf.restart(at(30))
    handed = await claim(shelf.store, now=at(31))
    assert handed is not None
    assert handed.command == ident(1)


async def test_what_was_out_is_not_sent_again(shelf: Shelf, store: IStore) -> None:
    """A command whose bytes may have reached the device stays out."""
    await send(store, 1)
    await shelf.restart(at(30))
    assert await state(shelf.store, 1) is State.SENT
    assert await claim(shelf.store, now=at(31)) is None


async def test_a_result_after_a_restart_finds_its_command(shelf: Shelf, store: IStore) -> None:
    """The names of polls are remembered, and so is the order in which commands were handed over."""
    await send(store, 1, uuid="u-1")
    await send(store, 2, uuid=None)
    await shelf.restart(at(30))
    assert await shelf.store.settle(DOOR, Said(uuid="u-1"), at(31)) is Settlement.SETTLED
    assert await shelf.store.settle(DOOR, Said(), at(31)) is Settlement.SETTLED
    assert [(await look(shelf.store, number)).matched_by for number in (1, 2)] == ["uuid", "order"]


async def test_a_request_that_is_repeated_over_a_restart_is_done_once(shelf: Shelf, store: IStore) -> None:
    """A sender whom we left without an answer can ask again with the same key."""
    await store.put(draft(1, key="k", fingerprint=b"f"), False, LIMIT, at())
    await shelf.restart(at(30))
    again, new = await shelf.store.put(draft(2, key="k", fingerprint=b"f"), False, LIMIT, at(31))
    assert (again.id, new) == (ident(1), False)


@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize("away", [0.0, 50.0, 100_000.0])
async def test_leases_get_their_time_back(shelf: Shelf, store: IStore, acknowledged: bool, away: float) -> None:
    """However long we were away, each lease that was open lasts its whole time from our start."""
    await send(store, 1, lease=60.0)
    if acknowledged:
        await store.acknowledge(DOOR, ident(1), at(0))
    await shelf.restart(reborn(away))
    assert await shelf.store.lapse(10, reborn(away, 59.999)) == 0
    assert await shelf.store.lapse(10, reborn(away, 60.0)) == 1


async def test_a_deadline_goes_on_over_a_restart(shelf: Shelf, store: IStore) -> None:
    """The time that is left for the work is what it was when it began, less what passed, as far as a lease allows."""
    await send(store, 1, lease=30.0, deadline=100.0)
    await shelf.restart(reborn(50))
    await shelf.store.acknowledge(DOOR, ident(1), reborn(50, 29.0))
    assert await shelf.store.lapse(10, reborn(50, 49.999)) == 0
    assert await shelf.store.lapse(10, reborn(50, 50.0)) == 1


async def test_only_what_was_out_has_a_lease_after_a_restart(shelf: Shelf, store: IStore) -> None:
    """What waits, or has ended, does not lapse."""
    await busy(store)
    await shelf.restart(reborn(5))
    assert await shelf.store.lapse(100, reborn(5, 99_999.0)) == 2
    assert await state(shelf.store, 1) is State.QUEUED


async def test_attempts_are_counted_over_a_restart(shelf: Shelf, store: IStore) -> None:
    """A command that may run again has as many attempts as it was given, whoever makes them."""
    await send(store, 1, delivery=AGAIN, max_attempts=2, ttl=9999.0)
    await shelf.restart(reborn(5))
    await shelf.store.lapse(10, reborn(5, 60))
    second = await claim(shelf.store, now=reborn(5, 61))
    assert second is not None
    assert second.attempt == 2
    await shelf.restart(reborn(500))
    await shelf.store.lapse(10, reborn(500, 60))
    assert await state(shelf.store, 1) is State.UNKNOWN
