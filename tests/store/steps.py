"""Steps of tests of a store."""

from collections.abc import Iterable
from typing import Any

from pushd.model.command import Command, Dispatched
from pushd.model.device import Device
from pushd.model.event import Event
from pushd.model.lifecycle import State
from pushd.model.timestamps import Now
from pushd.store.device_indexes import add_new_rows
from pushd.store.filters import DeviceFilter, EventFilter
from pushd.store.interface import IStore
from pushd.store.operations import Operations
from pushd.store.sqlite.store import SqliteStore
from pushd.store.transaction import ITransaction, Statement
from tests.store.clock import numbered, when
from tests.store.samples import LIMIT, READER, at, command_id, draft


async def put(store: IStore, *numbers: int, now: Now | None = None, **fields: Any) -> None:
    """Queue commands of these numbers."""
    for number in numbers:
        await when(numbered(store, number), now or at()).put(draft(**fields), False, LIMIT)


async def claim(
    store: IStore, device: str = READER, uuid: str | None = None, now: Now | None = None
) -> Dispatched | None:
    """What is sent to a device that polls, if anything."""
    claimed = await when(store, now or at()).claim(device, uuid, False, 1)
    return claimed.dispatched[0] if claimed.dispatched else None


async def send(
    store: IStore, number: int, name: str = READER, uuid: str | None = None, now: Now | None = None, **fields: Any
) -> Dispatched:
    """Queue a command of this number, and claim it for its device."""
    await put(store, number, name=name, now=now, **fields)
    dispatched = await claim(store, name, uuid, now)
    assert dispatched is not None
    assert dispatched.command == command_id(number)
    return dispatched


async def state(store: IStore, number: int) -> State:
    """The state of the command of this number."""
    return (await get_command(store, number)).state


async def get_command(store: IStore, number: int) -> Command:
    """The command of this number."""
    command: Command = await store.command(command_id(number))
    return command


async def get_device(store: IStore, name: str) -> Device:
    """A stored device."""
    found = [device for device, _ in await store.devices(DeviceFilter(q=name), None, 10) if device.id == name]
    assert len(found) == 1
    return found[0]


async def all_events(store: IStore) -> list[Event]:
    """All events of the store."""
    page = await store.events(EventFilter(), 0, 10_000)
    return list(page.items)


def event_types(events: Iterable[Event]) -> list[str]:
    """The types of events, in order."""
    return [str(event.type) for event in events]


async def tamper(store: IStore, sql: str, **values: Any) -> None:
    """Change the database as no operation does."""
    assert isinstance(store, Operations)
    kind: object = store

    def operation(tx: ITransaction) -> None:
        if isinstance(kind, SqliteStore):  # what a statement inserts is in the indexes of devices
            add_new_rows(tx)
        tx.run(Statement("tamper", sql), **values)

    await store._writer.submit(operation)


async def count_rows(store: IStore, table: str) -> int:
    """The number of rows of a table."""
    assert isinstance(store, Operations)

    def operation(tx: ITransaction) -> int:
        return len(tx.rows(Statement("count", f"SELECT 1 FROM {table}")))

    counted: int = await store._reader.submit(operation)
    return counted
