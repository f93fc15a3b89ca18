"""Tests of batches: several commands in one answer, and one result about them."""

from collections.abc import Mapping

import pytest

from pushd.model.event import Event
from pushd.model.lifecycle import State
from pushd.model.result import DeviceResult
from pushd.rules.outcomes import Claim, Settlement
from pushd.store.interface import IStore
from tests.store.clock import when
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
    """Queue commands of these numbers, and claim them together."""
    await put(store, *numbers, now=at(second))
    claimed: Claim = await when(store, at(second)).claim(READER, uuid, True, len(numbers), always_batchable)
    assert [dispatched.command for dispatched in claimed.dispatched] == [command_id(number) for number in numbers]
    return claimed


def entries(**said: DeviceResult) -> Mapping[int, DeviceResult]:
    """The result of each entry of a report: ``p1`` of the first."""
    return {int(place[1:]): report for place, report in said.items()}


def entry(number: int, broke: bool = False) -> StubResult:
    """One entry of a report."""
    return StubResult(verdict=FAILURE if broke else SUCCESS, result=f'{{"transactionid":{number}}}')


def report(parts: Mapping[int, DeviceResult], uuid: str | None = "u-1") -> StubResult:
    """A report with several entries."""
    return StubResult(uuid=uuid, result='{"transactions_results":[]}', parts=parts)


async def states(store: IStore, *numbers: int) -> list[State]:
    """The states of commands."""
    return [await state(store, number) for number in numbers]


async def test_batchable_commands_are_sent_together(store: IStore, events: list[Event]) -> None:
    """Up to the limit of the poll commands go in one answer, in order, each with its own attempt."""
    await put(store, 1, 2, 3)
    await put(store, 4, priority=9)
    claimed = await when(store, at(1)).claim(READER, "u", True, 3, always_batchable)
    assert [(each.command, each.attempt) for each in claimed.dispatched] == [
        (command_id(4), 1),
        (command_id(1), 1),
        (command_id(2), 1),
    ]
    assert store.has_queued(READER)
    assert await states(store, 1, 2, 3, 4) == [State.SENT, State.SENT, State.QUEUED, State.SENT]
    assert [event.command for event in events if event.type == "command.sent"] == [
        command_id(4),
        command_id(1),
        command_id(2),
    ]


async def test_a_command_that_is_not_batchable_is_sent_alone(store: IStore) -> None:
    """It ends the batch before it, and starts none with the commands behind it."""

    def batchable(payload: Mapping[str, object]) -> bool:
        return payload != ALONE

    await put(store, 1, 2)
    await put(store, 3, payload=ALONE)
    await put(store, 4, 5)
    dispatched = []
    for second in range(3):
        claimed = await when(store, at(second)).claim(READER, f"u-{second}", True, 10, batchable)
        dispatched.append([int(each.command[-12:]) for each in claimed.dispatched])
    assert dispatched == [[1, 2], [3], [4, 5]]


async def test_a_repeated_poll_gets_nothing_while_any_of_its_batch_is_in_flight(store: IStore) -> None:
    """Only when all of them are settled can the uuid be used for other commands."""
    await batch(store, 1, 2)
    await put(store, 3)
    await when(store, at(1)).settle(READER, report(entries(p2=entry(2))))
    assert (await when(store, at(2)).claim(READER, "u-1", True, 1)).dispatched == ()


async def test_each_is_settled_by_its_own_entry(store: IStore, events: list[Event]) -> None:
    """One may succeed and another fail; each keeps its own result."""
    await batch(store, 1, 2, 3)
    said = report(entries(p1=entry(1), p2=entry(2, broke=True), p3=entry(3)))
    assert await when(store, at(5)).settle(READER, said) is SETTLED
    assert await states(store, 1, 2, 3) == [State.SUCCEEDED, State.FAILED, State.SUCCEEDED]
    for number in (1, 2, 3):
        command = await get_command(store, number)
        assert (command.result, command.matched_by) == (f'{{"transactionid":{number}}}', "uuid")
        assert (command.finished_at, command.late) == (wall(5), False)
    ended = ("command.succeeded", "command.failed")
    assert [event.command for event in events if event.type in ended] == [command_id(1), command_id(2), command_id(3)]


async def test_a_command_without_an_entry_stays_in_flight(store: IStore) -> None:
    """It keeps its lease, and can still be reported."""
    await batch(store, 1, 2)
    assert await when(store, at(1)).settle(READER, report(entries(p1=entry(1)))) is SETTLED
    assert await states(store, 1, 2) == [State.SUCCEEDED, State.SENT]
    assert await when(store, at(2)).settle(READER, report(entries(p1=entry(1), p2=entry(2)))) is SETTLED
    assert await states(store, 1, 2) == [State.SUCCEEDED, State.SUCCEEDED]
    assert (await get_command(store, 1)).finished_at == wall(1)


async def test_a_report_about_the_whole_batch_ends_all_commands(store: IStore) -> None:
    """An error for the whole batch, or an unreadable result, is about each of them."""
    await batch(store, 1, 2)
    assert await when(store, at(1)).settle(READER, StubResult(uuid="u-1", verdict=GARBLED)) is SETTLED
    assert await states(store, 1, 2) == [State.UNKNOWN, State.UNKNOWN]


async def test_a_report_without_matching_entries_changes_nothing(store: IStore) -> None:
    """The commands stay in flight, and the report is kept as an orphan."""
    await batch(store, 1, 2)
    assert await when(store, at(1)).settle(READER, report({})) is ORPHANED
    assert await states(store, 1, 2) == [State.SENT, State.SENT]


@pytest.mark.parametrize("uuid", ["u-1", None])
async def test_a_repeated_report_changes_nothing(store: IStore, events: list[Event], uuid: str | None) -> None:
    """Nor does it settle an older command whose outcome is unknown."""
    await send(store, 1, uuid=uuid and "u-0")
    await send(store, 2, uuid=uuid and "u-0")
    await when(store, at(60)).lapse(10)
    await batch(store, 3, 4, uuid=uuid, second=61.0)
    said = report(entries(p1=entry(3), p2=entry(4)), uuid)
    assert await when(store, at(62)).settle(READER, said) is SETTLED
    recorded = list(events)
    assert await when(store, at(63)).settle(READER, said) is REPEATED
    assert events == recorded
    assert await states(store, 1, 2) == [State.UNKNOWN, State.UNKNOWN]


async def test_a_report_that_contradicts_one_command_is_kept(store: IStore) -> None:
    """Its new entries count; that one of them contradicts a known outcome makes it an orphan, too."""
    await batch(store, 1, 2)
    await when(store, at(1)).settle(READER, report(entries(p1=entry(1))))
    said = report(entries(p1=entry(1, broke=True), p2=entry(2)))
    assert await when(store, at(2)).settle(READER, said) is ORPHANED
    assert await states(store, 1, 2) == [State.SUCCEEDED, State.SUCCEEDED]
    assert len(await store.orphans(READER, None, 10)) == 1


async def test_a_batch_without_uuids_is_matched_by_order(store: IStore) -> None:
    """Old firmware that takes batches sends no uuids: its report is about the batch in flight."""
    await batch(store, 1, 2, uuid=None)
    assert await when(store, at(1)).settle(READER, report(entries(p1=entry(1), p2=entry(2)), None)) is SETTLED
    assert await states(store, 1, 2) == [State.SUCCEEDED, State.SUCCEEDED]
    assert (await get_command(store, 1)).matched_by == "order"


async def test_the_rest_of_a_batch_without_uuids_is_matched_by_order(store: IStore) -> None:
    """A second report settles what the first left out, whatever its position."""
    await batch(store, 1, 2, uuid=None)
    await when(store, at(1)).settle(READER, report(entries(p2=entry(2)), None))
    assert await when(store, at(2)).settle(READER, report(entries(p1=entry(1), p2=entry(2)), None)) is SETTLED
    assert await states(store, 1, 2) == [State.SUCCEEDED, State.SUCCEEDED]


async def test_each_of_a_batch_has_its_own_lease(store: IStore) -> None:
    """A command of a batch whose lease lapses is queued again, or unknown, as its sender chose."""
    await two_of_two_kinds(store)
    await when(store, at(60)).lapse(10)
    assert await states(store, 1, 2) == [State.QUEUED, State.UNKNOWN]


async def two_of_two_kinds(store: IStore) -> None:
    """Send two commands together, of which the first may be sent again."""
    await put(store, 1, delivery=AT_LEAST_ONCE)
    await put(store, 2)
    claimed = await store.claim(READER, "u-1", True, 2, always_batchable)
    assert len(claimed.dispatched) == 2


async def test_a_command_that_is_sent_again_has_a_new_position(store: IStore) -> None:
    """A late report on the first batch settles its commands, although one has another position by now."""
    await two_of_two_kinds(store)
    await when(store, at(60)).lapse(10)
    await put(store, 3, now=at(61), priority=9)
    again = await when(store, at(61)).claim(READER, "u-2", True, 2, always_batchable)
    assert [(each.command, each.attempt) for each in again.dispatched] == [(command_id(3), 1), (command_id(1), 2)]
    assert await when(store, at(62)).settle(READER, report(entries(p1=entry(1)))) is SETTLED
    assert await states(store, 1, 2, 3) == [State.SUCCEEDED, State.UNKNOWN, State.SENT]
    assert (await get_command(store, 1)).late
