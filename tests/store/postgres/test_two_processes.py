"""Tests of two processes that use one database at the same time."""

import os
import resource
from contextlib import closing
from itertools import chain
from typing import Any

import psycopg
import pytest
from twisted.internet.defer import Deferred, gatherResults

from pushd.model.actor import Actor
from pushd.model.admin_api import START
from pushd.model.errors import Unavailable
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import Delivery, State
from pushd.rules.operator_actions import Cancel
from pushd.rules.view import Needs
from pushd.store.filters import AuditFilter
from pushd.store.overlay import decide
from pushd.store.postgres.store import PostgresStore
from pushd.store.transaction import ITransaction
from pushd.store.transactions.audit import record_audit
from tests.postgres import ReusedDatabase
from tests.store.blocker import Blocker
from tests.store.clock import new_postgres_store, when
from tests.store.reactor import ReactorWithManualClock
from tests.store.samples import LIMIT, OTHER_READER, READER, at, by_message, command_id, draft
from tests.store.steps import all_events, claim, get_command, put, send, state

ANA = Actor(name="ana", address=None)

Stores = tuple[PostgresStore, PostgresStore]


def event_of(store: PostgresStore, kind: EventType) -> Deferred[Event]:
    """Fires with the first event of a type of which the store tells its listeners."""
    found: Deferred[Event] = Deferred()
    store.subscribe(lambda event: None if found.called else found.callback(event), kind)
    return found


async def test_one_key_makes_one_command(stores: Stores) -> None:
    """Two senders that use one key at the same instant get one command, whichever process each asks."""
    for number in range(10):
        sent = [store.put(draft(key=f"k{number}", fingerprint=b"f"), False, LIMIT) for store in stores]
        (one, is_new), (other, is_other_new) = await gatherResults(sent)
        assert one.id == other.id
        assert {is_new, is_other_new} == {True, False}


async def test_a_command_that_another_process_has_queued_is_claimed(stores: Stores) -> None:
    """The one at which the device polls hears of it."""
    first, second = stores
    queued = event_of(second, EventType.COMMAND_QUEUED)
    await put(first, 1)
    assert (await queued).command == command_id(1)
    assert second.has_queued(READER)
    claimed = await claim(second)
    assert claimed is not None
    assert claimed.command == command_id(1)
    assert await claim(first) is None


async def test_a_result_may_come_to_another_process(stores: Stores) -> None:
    """It ends the command there, and the first one hears of it."""
    first, second = stores
    ended = event_of(first, EventType.COMMAND_SUCCEEDED)
    await send(first, 1)
    await second.settle(READER, by_message(1))
    assert (await ended).command == command_id(1)
    assert first.queue_depth(READER).in_flight == 0


async def test_a_command_is_claimed_once(stores: Stores) -> None:
    """Two processes that claim at the same instant never get the same command."""
    for number in range(1, 11):
        await put(stores[0], number)
        claims = await gatherResults([store.claim(READER, None, False, 1) for store in stores])
        claimed = list(chain.from_iterable(found.dispatched for found in claims))
        assert [each.command for each in claimed] == [command_id(number)]


async def test_a_woken_process_takes_back_its_own_claim_only(stores: Stores) -> None:
    """The number of an attempt is given again; what another process has claimed since is not taken back by it."""
    first, second = stores
    claimed = await send(first, 1)
    await first.unsend([claimed])
    again = await claim(second)
    assert again is not None
    assert again.attempt == claimed.attempt
    await first.unsend([claimed])
    assert await state(second, 1) is State.SENT


@pytest.mark.parametrize("delivery", list(Delivery))
async def test_two_find_a_lease_that_has_run_out(stores: Stores, delivery: Delivery) -> None:
    """One of them lapses it; the command gets one event, whichever process it polls at next."""
    for number in range(1, 6):
        await send(stores[number % 2], number, delivery=delivery)
        await gatherResults([when(store, at(61)).lapse(10) for store in stores])
        ended = [event for event in await all_events(stores[0]) if event.command == command_id(number)]
        assert len([event for event in ended if event.type is not EventType.COMMAND_SENT]) == 2
        assert (await get_command(stores[0], number)).attempts == 1
        if delivery is Delivery.AT_LEAST_ONCE:
            await stores[0].cancel(command_id(number))


async def test_audit_entries_are_in_the_order_of_commits(stores: Stores) -> None:
    """An entry that another process has not committed yet has no later one that can be read: readers miss none."""
    first, second = stores
    blocker = Blocker()

    def record_and_block(tx: ITransaction) -> None:
        record_audit(tx, "test", "first")
        blocker.block(tx)

    blocked = first.by(ANA)._writer.submit(record_and_block)
    with blocker.blocking():
        later = second.by(ANA).change_device(OTHER_READER, {"name": "gate"})
        before = await second.audit(AuditFilter(), START, 10)
    await blocked
    await later
    found = await second.audit(AuditFilter(), START, 10)
    assert {entry.object for entry in found} == {"first", f"device:{OTHER_READER}"}
    assert [entry.id for entry in found] == [1, 2]
    assert found[: len(before)] == before


async def test_listeners_hear_all_events_in_order(stores: Stores) -> None:
    """Each process tells its listeners of the events of both, in the order of their numbers, none left out."""
    heard: list[list[Event]] = [[], []]
    for store, events in zip(stores, heard, strict=True):
        store.subscribe(events.append)
    for _ in range(10):
        both = zip(stores, (READER, OTHER_READER), strict=True)
        await gatherResults([store.put(draft(name), False, LIMIT) for store, name in both])
    last = [event_of(store, EventType.COMMAND_CANCELLED) for store in stores]
    await stores[0].cancel(str(heard[0][-1].command))
    await gatherResults(last)
    stored = [event for event in await all_events(stores[0]) if event.type is not EventType.DEVICE_REGISTERED]
    assert heard == [stored, stored]


async def test_listeners_miss_nothing_when_sessions_end(stores: Stores, postgres_database: ReusedDatabase) -> None:
    """Nor do those of a process whose sessions end again and again: it reads what it has not heard."""
    heard: list[list[Event]] = [[], []]
    for store, events in zip(stores, heard, strict=True):
        store.subscribe(events.append)
    with closing(psycopg.connect(postgres_database.url, autocommit=True)) as other:
        for _ in range(6):
            other.execute(_END_SESSIONS)
            for store, name in zip(stores, (READER, OTHER_READER), strict=True):
                await store.put(draft(name), False, LIMIT)
    last = [event_of(store, EventType.COMMAND_CANCELLED) for store in stores]
    await stores[0].cancel(str(heard[0][-1].command))
    await gatherResults(last)
    stored = [event for event in await all_events(stores[0]) if event.type is not EventType.DEVICE_REGISTERED]
    assert heard == [stored, stored]


async def test_a_process_with_many_connections_hears_others(stores: Stores, postgres_database: ReusedDatabase) -> None:
    """Its session may have a file descriptor above 1023, which ``select`` does not take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    reactor: Any = ReactorWithManualClock()
    third = new_postgres_store(postgres_database.url, reactor, "c")
    third.open()
    try:
        queued = event_of(third, EventType.COMMAND_QUEUED)
        await put(stores[0], 1)
        await queued
    finally:
        await third.close()
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


_END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'pushd/b' AND datname = current_database()"
)


async def test_a_process_that_is_stopped_frees_its_locks(stores: Stores) -> None:
    """Others wait for its device for two seconds at most; when it goes on, what it had begun is done again."""
    first, second = stores
    blocker = Blocker()

    def block_once(tx: ITransaction) -> str:
        return "again" if blocker.was_reached else blocker.block(tx)

    stopped = first._writer.submit(decide, _Rule(READER, block_once))
    with blocker.blocking():
        await put(second, 1)
    assert await stopped == "again"


class _Rule:
    """A rule about a device that does what a test says."""

    def __init__(self, device: str, operation: Any) -> None:
        self.device = device
        self.operation = operation

    def needs(self) -> Needs:
        return Needs(device=self.device)

    def decide(self, view: Any) -> Any:
        return self.operation(view.tx)


@pytest.mark.parametrize(("changes", "is_saved"), [(1, True), (100, False)])
async def test_a_command_that_something_else_has_changed_is_not_overwritten(
    stores: Stores, changes: int, is_saved: bool, postgres_database: ReusedDatabase
) -> None:
    """Each saved row names the version that it replaces; the operation is run again, on what is there, a few times."""
    store, _ = stores
    await put(store, 1)
    left = [None] * changes

    def cancel(tx: ITransaction) -> None:
        Cancel(command_id(1)).decide(tx.commands)
        if left:
            left.pop()
            with closing(psycopg.connect(postgres_database.url, autocommit=True)) as other:
                other.execute("UPDATE command SET version = version + 1")

    cancelled = store._writer.submit(decide, _Rule(READER, cancel))
    if is_saved:
        await cancelled
        assert await state(store, 1) is State.CANCELLED
    else:
        with pytest.raises(Unavailable, match="changed by another program"):
            await cancelled
        assert await state(store, 1) is State.QUEUED
