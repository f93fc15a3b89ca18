"""Tests of several commands that travel in one answer, and of the one report on them."""

from collections.abc import Mapping

import pytest

from pushd.model.event import Event
from pushd.model.lifecycle import State
from pushd.model.result import DeviceResult
from pushd.store.filters import Claim, Settlement
from pushd.store.interface import IStore
from tests.store.samples import (
    AT_LEAST_ONCE,
    FAILURE,
    GARBLED,
    READER,
    SUCCESS,
    StubResult,
    always_batchable,
    at,
    command_id,
    wall,
)
from tests.store.steps import get_command, put, send, state

SETTLED, REPEATED, ORPHANED = Settlement.SETTLED, Settlement.REPEATED, Settlement.ORPHANED

ALONE = {"endpoint": "alone"}


async def batch(store: IStore, *numbers: int, uuid: str | None = "u-1", second: float = 0.0) -> Claim:
    """Queue commands of these numbers and hand them over together."""
    await put(store, *numbers, now=at(second))
    claimed: Claim = await store.claim(READER, uuid, True, len(numbers), at(second), always_batchable)
    assert [handed.command for handed in claimed.handed] == [command_id(number) for number in numbers]
    return claimed


def entries(**said: DeviceResult) -> Mapping[int, DeviceResult]:
    """What a report says of each place: ``p1`` of the first."""
    return {int(place[1:]): report for place, report in said.items()}


def entry(number: int, broke: bool = False) -> StubResult:
    """One entry of a report; its words tell whose it is."""
    return StubResult(verdict=FAILURE if broke else SUCCESS, result=f'{{"transactionid":{number}}}')


def report(parts: Mapping[int, DeviceResult], uuid: str | None = "u-1") -> StubResult:
    """A report on several."""
    return StubResult(uuid=uuid, result='{"transactions_results":[]}', parts=parts)


async def states(store: IStore, *numbers: int) -> list[State]:
    """Where commands stand."""
    return [await state(store, number) for number in numbers]


async def test_those_that_join_travel_together(store: IStore, events: list[Event]) -> None:
    """Up to so many as are asked for go in one answer, best first, each with an attempt of its own."""
    await put(store, 1, 2, 3)
    await put(store, 4, priority=9)
    claimed = await store.claim(READER, "u", True, 3, at(1), always_batchable)
    assert [(each.command, each.attempt) for each in claimed.handed] == [
        (command_id(4), 1),
        (command_id(1), 1),
        (command_id(2), 1),
    ]
    assert claimed.due == 0
    assert await states(store, 1, 2, 3, 4) == [State.SENT, State.SENT, State.QUEUED, State.SENT]
    assert [event.command for event in events if event.type == "command.sent"] == [
        command_id(4),
        command_id(1),
        command_id(2),
    ]


async def test_one_that_does_not_join_travels_alone(store: IStore) -> None:
    """A command that must have an answer for itself ends the batch before it, and makes none with those behind it."""

    def batchable(payload: Mapping[str, object]) -> bool:
        return payload != ALONE

    await put(store, 1, 2)
    await put(store, 3, payload=ALONE)
    await put(store, 4, 5)
    handed = []
    for second in range(3):
        claimed = await store.claim(READER, f"u-{second}", True, 10, at(second), batchable)
        handed.append([int(each.command[-12:]) for each in claimed.handed])
    assert handed == [[1, 2], [3], [4, 5]]


async def test_a_repeated_poll_gets_nothing_while_any_of_its_batch_is_out(store: IStore) -> None:
    """Only when all of them are settled has a repeated name another meaning."""
    await batch(store, 1, 2)
    await put(store, 3)
    await store.settle(READER, report(entries(p2=entry(2))), at(1))
    assert (await store.claim(READER, "u-1", True, 1, at(2))).handed == ()


async def test_each_is_settled_by_its_own_entry(store: IStore, events: list[Event]) -> None:
    """One may work and another fail; each keeps its own words."""
    await batch(store, 1, 2, 3)
    said = report(entries(p1=entry(1), p2=entry(2, broke=True), p3=entry(3)))
    assert await store.settle(READER, said, at(5)) is SETTLED
    assert await states(store, 1, 2, 3) == [State.SUCCEEDED, State.FAILED, State.SUCCEEDED]
    for number in (1, 2, 3):
        command = await get_command(store, number)
        assert (command.result, command.matched_by) == (f'{{"transactionid":{number}}}', "uuid")
        assert (command.finished_at, command.late) == (wall(5), False)
    ended = ("command.succeeded", "command.failed")
    assert [event.command for event in events if event.type in ended] == [command_id(1), command_id(2), command_id(3)]


async def test_one_without_an_entry_stays_out(store: IStore) -> None:
    """What the report leaves out is not known: it has its lease still, and can be reported on."""
    await batch(store, 1, 2)
    assert await store.settle(READER, report(entries(p1=entry(1))), at(1)) is SETTLED
    assert await states(store, 1, 2) == [State.SUCCEEDED, State.SENT]
    assert await store.settle(READER, report(entries(p1=entry(1), p2=entry(2))), at(2)) is SETTLED
    assert await states(store, 1, 2) == [State.SUCCEEDED, State.SUCCEEDED]
    assert (await get_command(store, 1)).finished_at == wall(1)


async def test_a_report_that_speaks_of_all_ends_all(store: IStore) -> None:
    """An error for the whole batch, or an answer that nobody can read, concerns each of them."""
    await batch(store, 1, 2)
    assert await store.settle(READER, StubResult(uuid="u-1", verdict=GARBLED), at(1)) is SETTLED
    assert await states(store, 1, 2) == [State.UNKNOWN, State.UNKNOWN]


async def test_a_report_that_speaks_of_none_changes_nothing(store: IStore) -> None:
    """Where no entry is for any of them, they stay out, and it is kept for an operator to see."""
    await batch(store, 1, 2)
    assert await store.settle(READER, report({}), at(1)) is ORPHANED
    assert await states(store, 1, 2) == [State.SENT, State.SENT]


@pytest.mark.parametrize("uuid", ["u-1", None])
async def test_a_repeated_report_changes_nothing(store: IStore, events: list[Event], uuid: str | None) -> None:
    """Nor does it settle something older, of which nobody knows."""
    await send(store, 8, uuid=uuid and "u-0")
    await send(store, 9, uuid=uuid and "u-0")
    await store.lapse(10, at(60))
    await batch(store, 1, 2, uuid=uuid, second=61.0)
    said = report(entries(p1=entry(1), p2=entry(2)), uuid)
    assert await store.settle(READER, said, at(62)) is SETTLED
    told = list(events)
    assert await store.settle(READER, said, at(63)) is REPEATED
    assert events == told
    assert await states(store, 8, 9) == [State.UNKNOWN, State.UNKNOWN]


async def test_a_report_that_contradicts_for_one_is_kept(store: IStore) -> None:
    """What is new in it counts; that one entry says otherwise than before is an orphan."""
    await batch(store, 1, 2)
    await store.settle(READER, report(entries(p1=entry(1))), at(1))
    said = report(entries(p1=entry(1, broke=True), p2=entry(2)))
    assert await store.settle(READER, said, at(2)) is ORPHANED
    assert await states(store, 1, 2) == [State.SUCCEEDED, State.SUCCEEDED]
    assert len(await store.orphans(READER, None, 10)) == 1


async def test_a_batch_without_names_is_matched_by_order(store: IStore) -> None:
    """Old firmware that takes batches names no poll: its report is on the batch that is out."""
    await batch(store, 1, 2, uuid=None)
    assert await store.settle(READER, report(entries(p1=entry(1), p2=entry(2)), None), at(1)) is SETTLED
    assert await states(store, 1, 2) == [State.SUCCEEDED, State.SUCCEEDED]
    assert (await get_command(store, 1)).matched_by == "order"


async def test_the_rest_of_a_batch_without_names_is_matched_by_order(store: IStore) -> None:
    """A second report brings what the first one left out, whichever place that has."""
    await batch(store, 1, 2, uuid=None)
    await store.settle(READER, report(entries(p2=entry(2)), None), at(1))
    assert await store.settle(READER, report(entries(p1=entry(1), p2=entry(2)), None), at(2)) is SETTLED
    assert await states(store, 1, 2) == [State.SUCCEEDED, State.SUCCEEDED]


async def test_each_of_a_batch_has_its_own_lease(store: IStore) -> None:
    """What lapses of a batch is queued again, or unknown, as its sender wished."""
    await two_of_two_kinds(store)
    await store.lapse(10, at(60))
    assert await states(store, 1, 2) == [State.QUEUED, State.UNKNOWN]


async def two_of_two_kinds(store: IStore) -> None:
    """Hand over two commands together, of which the first may run again."""
    await put(store, 1, delivery=AT_LEAST_ONCE)
    await put(store, 2)
    claimed = await store.claim(READER, "u-1", True, 2, at(), always_batchable)
    assert len(claimed.handed) == 2


async def test_what_is_sent_again_travels_under_its_new_place(store: IStore) -> None:
    """A late report on the first batch settles what it was about, though that has another place by now."""
    await two_of_two_kinds(store)
    await store.lapse(10, at(60))
    await put(store, 3, now=at(61), priority=9)
    again = await store.claim(READER, "u-2", True, 2, at(61), always_batchable)
    assert [(each.command, each.attempt) for each in again.handed] == [(command_id(3), 1), (command_id(1), 2)]
    assert await store.settle(READER, report(entries(p1=entry(1))), at(62)) is SETTLED
    assert await states(store, 1, 2, 3) == [State.SUCCEEDED, State.UNKNOWN, State.SENT]
    assert (await get_command(store, 1)).late
