"""Tests of retention."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest

from pushd.lib.strict_json import LARGE
from pushd.model.errors import EventsPurged, UnknownAlert, UnknownCommand
from pushd.model.lifecycle import State
from pushd.rules.outcomes import Settlement
from pushd.store.filters import CommandFilter, EventFilter
from pushd.store.interface import IStore
from pushd.store.open_commands import NotLoaded
from pushd.store.operations import Operations
from pushd.store.transaction import ITransaction
from pushd.store.transactions import retention
from tests.store.clock import new_store, when
from tests.store.outages import SITE, add_site, alerts, come_online, go_offline
from tests.store.reactor import ReactorWithManualClock
from tests.store.samples import (
    ALL_ALERTS,
    FAILURE,
    LIMIT,
    OPEN_ALERTS,
    OTHER_READER,
    READER,
    StubResult,
    at,
    by_message,
    command_id,
    device,
    draft,
    large_payload,
    wall,
)
from tests.store.steps import all_events, count_rows, get_command, put, send, state

Ending = Callable[[IStore], Awaitable[object]]


async def succeed(store: IStore, number: int, second: float) -> None:
    """Let a command be sent and succeed in the same second."""
    await send(store, number, now=at(second))
    await when(store, at(second)).settle(READER, by_message(number))


async def kept(store: IStore) -> list[int]:
    """The numbers of the commands that are stored."""
    return sorted(int(command.id[-12:]) for command in await store.commands(CommandFilter(), None, 100))


async def purge(store: IStore, before: float, limit: int = 100) -> int:
    """Purge what is older than this time of the test."""
    forgotten: int = await when(store, at(before)).purge(wall(before), limit)
    return forgotten


async def test_commands_that_ended_before_are_purged(store: IStore) -> None:
    """Those that ended at that time or later stay."""
    for number in (1, 2, 3):
        await succeed(store, number, 10.0 * number)
    assert await purge(store, 20) > 0
    assert await kept(store) == [2, 3]
    with pytest.raises(UnknownCommand, match=command_id(1)):
        await store.command(command_id(1))


@pytest.mark.parametrize(
    ("end", "make"),
    [
        (State.FAILED, lambda store: when(store, at(1)).settle(READER, by_message(1, FAILURE))),
        (State.UNKNOWN, lambda store: when(store, at(60)).lapse(10)),
    ],
)
async def test_all_ended_states_are_purged(store: IStore, end: State, make: Ending) -> None:
    """However a command ended, it is kept for the same time."""
    await send(store, 1)
    await make(store)
    assert await state(store, 1) is end
    await purge(store, 61)
    assert await kept(store) == []


async def test_expired_and_cancelled_commands_are_purged(store: IStore) -> None:
    """They are kept no longer than others."""
    await put(store, 1)
    await when(store, at(1)).cancel(command_id(1))
    await put(store, 2)
    await when(store, at(300)).expire(10)
    await purge(store, 301)
    assert await kept(store) == []


async def test_an_open_command_is_never_purged(store: IStore) -> None:
    """A command that is queued, or in flight, stays however old it is."""
    await send(store, 1)
    await send(store, 2)
    await when(store, at(1)).acknowledge(READER, command_id(2))
    await put(store, 3)
    await purge(store, 1_000_000)
    assert await kept(store) == [1, 2, 3]
    assert await when(store, at(2)).settle(READER, by_message(1)) is Settlement.SETTLED


async def test_a_result_for_a_purged_command_is_an_orphan(store: IStore) -> None:
    """With a command its attempts and uuids are deleted."""
    await send(store, 1, uuid="u-1")
    await when(store, at(1)).settle(READER, StubResult(uuid="u-1"))
    await purge(store, 2)
    assert await when(store, at(3)).settle(READER, StubResult(uuid="u-1")) is Settlement.ORPHANED
    assert await when(store, at(3)).settle(READER, by_message(1)) is Settlement.ORPHANED


async def test_a_key_is_held_as_long_as_its_command(store: IStore) -> None:
    """After the command was purged, its idempotency key may be used for another."""
    await when(store, at()).put(draft(key="k", fingerprint=b"f"), False, LIMIT)
    await when(store, at(1)).cancel(command_id(1))
    await purge(store, 1)
    assert not (await when(store, at(2)).put(draft(key="k", fingerprint=b"f"), False, LIMIT))[1]
    await purge(store, 2)
    assert (await when(store, at(3)).put(draft(key="k", fingerprint=b"other"), False, LIMIT))[1]


async def test_old_events_are_purged(store: IStore) -> None:
    """A reader that has not read them gets an error."""
    await put(store, 1, now=at(10))
    await put(store, 2, now=at(20))
    await purge(store, 20)
    assert [event.command for event in await all_events(store)] == [command_id(2)]
    with pytest.raises(EventsPurged):
        await store.events(EventFilter(), 1, 10)


async def test_old_orphans_are_purged(store: IStore) -> None:
    """Orphan results are kept no longer than others."""
    await when(store, at(10)).settle(READER, StubResult(uuid="old"))
    await when(store, at(20)).settle(READER, StubResult(uuid="new"))
    await purge(store, 20)
    assert [orphan.reference for orphan in await store.orphans(READER, None, 10)] == ["new"]


async def test_old_alerts_are_purged_with_their_devices(store: IStore) -> None:
    """Those that were cleared at that time or later stay."""
    await go_offline(store, READER, OTHER_READER)
    gone, stays = sorted(await alerts(store, 30), key=lambda alert: alert.devices)
    await come_online(store, READER, seconds=40)
    await come_online(store, OTHER_READER, seconds=50)
    await purge(store, 50)
    assert [each.id for each in await store.alerts(ALL_ALERTS, None, 10)] == [stays.id]
    assert await count_rows(store, "alert_device") == 1
    with pytest.raises(UnknownAlert):
        await when(store, at(60)).acknowledge_alert(gone.id, "night shift")


async def test_an_open_alert_is_never_purged(store: IStore) -> None:
    """Nor are its devices that have returned."""
    await add_site(store, SITE)
    await go_offline(store, *SITE)
    (raised,) = await alerts(store, 30)
    await come_online(store, SITE[0], seconds=40)
    await purge(store, 1_000_000)
    assert await store.alerts(OPEN_ALERTS, None, 10) == [raised]


async def test_a_large_alert_is_purged_in_parts(store: IStore) -> None:
    """Its devices go a few at a time, and the alert with the last of them."""
    await add_site(store, SITE)
    await go_offline(store, *SITE)
    assert len(await alerts(store, 30)) == 1
    await come_online(store, *SITE, seconds=40)
    left = []
    while await store.alerts(ALL_ALERTS, None, 10):
        await purge(store, 50, limit=2)
        left.append(await count_rows(store, "alert_device"))
    assert left == [3, 1, 0]


async def test_a_purge_is_limited(store: IStore) -> None:
    """No more commands are deleted than the limit, the oldest first, and the events that are as old."""
    for number in (1, 2, 3):
        await succeed(store, number, 10.0 * number)
    entries = await all_events(store)
    assert await purge(store, 1000, limit=1) > 0
    assert await kept(store) == [2, 3]
    assert await all_events(store) == [event for event in entries if event.at > wall(10)]
    while await purge(store, 1000, limit=1):
        pass
    assert await kept(store) == []
    assert await all_events(store) == []


async def test_a_purge_ends_when_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slowly rows are deleted, one transaction of retention keeps others waiting for some milliseconds only;
    none of it runs on the reactor's thread, and the next transaction goes on.
    """
    reactor: Any = ReactorWithManualClock()
    ran_on: list[int] = []

    def slow_step(tx: ITransaction, before: int, limit: int) -> tuple[int, int]:
        reactor.advance(retention.MAX_SECONDS / 2)
        ran_on.append(get_ident())
        return limit, limit

    store = new_store(str(tmp_path / "pushd.sqlite"), reactor)
    store.open()
    monkeypatch.setattr(retention, "_purge_step", slow_step)
    assert await purge(store, 50, limit=1000) == (1 + 2) * retention.FIRST_STEP
    assert await purge(store, 50, limit=5) == 5
    await store.close()
    assert len(ran_on) == 3
    assert get_ident() not in ran_on


async def test_nothing_young_is_purged(store: IStore) -> None:
    """Where nothing is old enough, nothing happens."""
    await succeed(store, 1, 10.0)
    before = await get_command(store, 1), await all_events(store)
    assert await purge(store, 0) == 0
    assert (await get_command(store, 1), await all_events(store)) == before


async def test_large_commands_are_purged_one_at_a_time(store: IStore) -> None:
    """To free a large text takes long, so each transaction frees those of one command; the others follow."""
    payload = large_payload({"endpoint": "user_set_image", "body": "x" * LARGE})
    for number in (1, 2):
        await put(store, number, payload=payload, ttl=1.0)
    await when(store, at(2)).expire(10)
    clocked = {"seconds": 0.0}

    def seconds() -> float:
        clocked["seconds"] += retention.MAX_SECONDS
        return clocked["seconds"]

    def operation(tx: ITransaction) -> int:
        return retention.purge(tx, wall(3), 100, seconds)

    assert isinstance(store, Operations)
    left = []
    while await store._writer.submit(operation):
        left.append(await count_rows(store, "large_text"))
    assert left[:2] == [3, 0]
    assert await kept(store) == []


async def test_what_was_sent_last_is_still_known_after_a_purge(tmp_path: Path) -> None:
    """Memory keeps the newest attempts of a device, unless they are of a purged command: a query less for its poll."""
    store = new_store(str(tmp_path / "pushd.sqlite"))
    store.open()
    await store.add_device(device(), False)
    await succeed(store, 1, 10)
    await succeed(store, 2, 20)
    await purge(store, 15)
    (newest,) = store._open_commands.devices[READER].newest  # type: ignore[misc]
    assert newest.command == command_id(2)
    await purge(store, 25)
    assert isinstance(store._open_commands.devices[READER].newest, NotLoaded)
    await store.close()
