"""Tests of forgetting what is old."""

from collections.abc import Awaitable, Callable

import pytest

from pushd.model.errors import EventsPurged, UnknownAlert, UnknownCommand
from pushd.model.lifecycle import State
from pushd.store.filters import CommandFilter, EventFilter, Settlement
from pushd.store.interface import IStore
from tests.store.outages import SITE, add_site, alerts, come_online, go_offline
from tests.store.samples import (
    FAILURE,
    LIMIT,
    OTHER_READER,
    READER,
    StubResult,
    at,
    by_message,
    command_id,
    draft,
    wall,
)
from tests.store.steps import all_events, count_rows, get_command, put, send, state

Ending = Callable[[IStore], Awaitable[object]]


async def succeed(store: IStore, number: int, second: float) -> None:
    """Let a command run from its sending to its success, all in one second."""
    await send(store, number, now=at(second))
    await store.settle(READER, by_message(number), at(second))


async def kept(store: IStore) -> list[int]:
    """The numbers of the commands that are there."""
    return sorted(int(command.id[-12:]) for command in await store.commands(CommandFilter(), None, 100))


async def purge(store: IStore, before: float, limit: int = 100) -> int:
    """Forget what is older than a moment of the test."""
    forgotten: int = await store.purge(wall(before), limit)
    return forgotten


async def test_what_ended_long_ago_is_forgotten(store: IStore) -> None:
    """Commands that ended before a moment go, those that ended at it or later stay."""
    for number in (1, 2, 3):
        await succeed(store, number, 10.0 * number)
    assert await purge(store, 20) > 0
    assert await kept(store) == [2, 3]
    with pytest.raises(UnknownCommand, match=command_id(1)):
        await store.command(command_id(1))


@pytest.mark.parametrize(
    ("end", "verb"),
    [
        (State.FAILED, lambda store: store.settle(READER, by_message(1, FAILURE), at(1))),
        (State.UNKNOWN, lambda store: store.lapse(10, at(60))),
    ],
)
async def test_all_ends_are_forgotten_alike(store: IStore, end: State, verb: Ending) -> None:
    """However a command ended, it is kept as long as any."""
    await send(store, 1)
    await verb(store)
    assert await state(store, 1) is end
    await purge(store, 61)
    assert await kept(store) == []


async def test_what_was_never_sent_is_forgotten_too(store: IStore) -> None:
    """Expired and cancelled commands are not kept for ever either."""
    await put(store, 1)
    await store.cancel(command_id(1), at(1))
    await put(store, 2)
    await store.expire(10, at(300))
    await purge(store, 301)
    assert await kept(store) == []


async def test_what_is_open_is_never_forgotten(store: IStore) -> None:
    """A command that waits, or is out, stays however old it is."""
    await send(store, 1)
    await send(store, 2)
    await store.acknowledge(READER, command_id(2), at(1))
    await put(store, 3)
    await purge(store, 1_000_000)
    assert await kept(store) == [1, 2, 3]
    assert await store.settle(READER, by_message(1), at(2)) is Settlement.SETTLED


async def test_a_result_for_what_was_forgotten_is_an_orphan(store: IStore) -> None:
    """With a command the names of its polls are forgotten."""
    await send(store, 1, uuid="u-1")
    await store.settle(READER, StubResult(uuid="u-1"), at(1))
    await purge(store, 2)
    assert await store.settle(READER, StubResult(uuid="u-1"), at(3)) is Settlement.ORPHANED
    assert await store.settle(READER, by_message(1), at(3)) is Settlement.ORPHANED


async def test_a_key_is_held_as_long_as_its_command(store: IStore) -> None:
    """After the command was forgotten its key may be used for another."""
    await store.put(draft(1, key="k", fingerprint=b"f"), False, LIMIT, at())
    await store.cancel(command_id(1), at(1))
    await purge(store, 1)
    assert not (await store.put(draft(2, key="k", fingerprint=b"f"), False, LIMIT, at(2)))[1]
    await purge(store, 2)
    assert (await store.put(draft(3, key="k", fingerprint=b"other"), False, LIMIT, at(3)))[1]


async def test_old_entries_of_the_feed_are_forgotten(store: IStore) -> None:
    """Entries from before a moment go, and whoever has not read them is told so."""
    await put(store, 1, now=at(10))
    await put(store, 2, now=at(20))
    await purge(store, 20)
    assert [event.command for event in await all_events(store)] == [command_id(2)]
    with pytest.raises(EventsPurged):
        await store.events(EventFilter(), 1, 10)


async def test_old_orphans_are_forgotten(store: IStore) -> None:
    """Results that settled nothing are kept no longer than those that did."""
    await store.settle(READER, StubResult(uuid="old"), at(10))
    await store.settle(READER, StubResult(uuid="new"), at(20))
    await purge(store, 20)
    assert [orphan.reference for orphan in await store.orphans(READER, None, 10)] == ["new"]


async def test_old_alerts_are_forgotten_with_whom_they_were_about(store: IStore) -> None:
    """Alerts that were cleared before a moment go, those that were cleared at it or later stay."""
    await go_offline(store, READER, OTHER_READER)
    gone, stays = sorted(await alerts(store, 30), key=lambda alert: alert.devices)
    await come_online(store, READER, seconds=40)
    await come_online(store, OTHER_READER, seconds=50)
    await purge(store, 50)
    assert [each.id for each in await store.alerts(None, None, 10)] == [stays.id]
    assert await count_rows(store, "alert_device") == 1
    with pytest.raises(UnknownAlert):
        await store.acknowledge_alert(gone.id, "night shift", at(60))


async def test_an_open_alert_is_never_forgotten(store: IStore) -> None:
    """Whoever is missed for years is still missed, and so are those who fell silent with somebody who is back."""
    await add_site(store, SITE)
    await go_offline(store, *SITE)
    (raised,) = await alerts(store, 30)
    await come_online(store, SITE[0], seconds=40)
    await purge(store, 1_000_000)
    assert await store.alerts(True, None, 10) == [raised]


async def test_a_large_alert_is_forgotten_piece_by_piece(store: IStore) -> None:
    """The alert of a large site goes a few devices at a time, and is there until the last of them."""
    await add_site(store, SITE)
    await go_offline(store, *SITE)
    assert len(await alerts(store, 30)) == 1
    await come_online(store, *SITE, seconds=40)
    left = []
    while await store.alerts(None, None, 10):
        await purge(store, 50, limit=2)
        left.append(await count_rows(store, "alert_device"))
    assert left == [3, 1, 0]


async def test_only_a_little_is_forgotten_at_a_time(store: IStore) -> None:
    """Of each kind no more goes than is asked for, the oldest first, so that nobody waits for long."""
    for number in (3, 1, 2):
        await succeed(store, number, 10.0 * number)
    entries = len(await all_events(store))
    assert await purge(store, 1000, limit=1) == 2
    assert await kept(store) == [2, 3]
    assert len(await all_events(store)) == entries - 1
    while await purge(store, 1000, limit=1):
        pass
    assert await kept(store) == []
    assert await all_events(store) == []


async def test_what_is_young_is_not_touched(store: IStore) -> None:
    """Where nothing is old enough nothing happens."""
    await succeed(store, 1, 10.0)
    before = await get_command(store, 1), await all_events(store)
    assert await purge(store, 0) == 0
    assert (await get_command(store, 1), await all_events(store)) == before
