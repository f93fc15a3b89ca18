"""Tests of results: how they are matched with commands, and what they change."""

import pytest

from pushd.model.event import Event
from pushd.model.lifecycle import State
from pushd.model.result import Verdict
from pushd.rules.outcomes import Settlement
from pushd.store.command_rows import SEARCHED_ATTEMPTS
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import (
    AT_LEAST_ONCE,
    CALLED,
    FAILURE,
    GARBLED,
    READER,
    SUCCESS,
    StubResult,
    at,
    by_message,
    command_id,
    wall,
)
from tests.store.steps import claim, get_command, put, send, state, tamper

SETTLED, REPEATED, ORPHANED = Settlement.SETTLED, Settlement.REPEATED, Settlement.ORPHANED


@pytest.mark.parametrize(
    ("verdict", "end"), [(SUCCESS, State.SUCCEEDED), (FAILURE, State.FAILED), (GARBLED, State.UNKNOWN)]
)
@pytest.mark.parametrize("acknowledged", [False, True])
async def test_a_report_ends_its_command(
    store: IStore, events: list[Event], verdict: Verdict, end: State, acknowledged: bool
) -> None:
    """The command ends as the device says, with the result as it came and the device as evidence."""
    await send(store, 1)
    if acknowledged:
        await when(store, at(1)).acknowledge(READER, command_id(1))
    said = '{"success":  true, "message": "João"}'
    assert await when(store, at(2)).settle(READER, by_message(1, verdict, said)) is SETTLED
    command = await get_command(store, 1)
    assert (command.state, command.finished_at, command.result, command.error) == (end, wall(2), said, verdict.error)
    assert (command.evidence, command.matched_by, command.late) == ("device", "message", False)
    assert (events[-1].type, events[-1].command, events[-1].at) == (f"command.{end}", command_id(1), wall(2))
    assert events[-1].data == CALLED | {"attempts": 1} | ({"error": verdict.error} if verdict.error else {})


async def test_a_settled_command_has_no_lease(store: IStore) -> None:
    """With its result a command ends, and its lease cannot lapse."""
    await send(store, 1)
    await when(store, at(1)).settle(READER, by_message(1))
    assert store.queue_depth(READER).in_flight == 0
    assert await when(store, at(9999)).lapse(10) == 0


async def test_a_result_is_matched_by_uuid(store: IStore) -> None:
    """Of several commands in flight, a result settles the one that was sent to the poll with its uuid."""
    await send(store, 1, uuid="u-1")
    await send(store, 2, uuid="u-2")
    assert await when(store, at(1)).settle(READER, StubResult(uuid="u-1")) is SETTLED
    assert [await state(store, 1), await state(store, 2)] == [State.SUCCEEDED, State.SENT]
    assert (await get_command(store, 1)).matched_by == "uuid"


async def test_a_uuid_means_its_newest_attempt(store: IStore) -> None:
    """Where a device uses a uuid again, a result with it is about what was sent last."""
    await send(store, 1, uuid="same")
    await send(store, 2, uuid="same")
    assert await when(store, at(1)).settle(READER, StubResult(uuid="same")) is SETTLED
    assert [await state(store, 1), await state(store, 2)] == [State.SENT, State.SUCCEEDED]


async def test_a_result_without_a_uuid_is_for_the_command_in_flight(store: IStore) -> None:
    """Old firmware sends no uuid: its result settles what was sent last."""
    await send(store, 1)
    await send(store, 2)
    assert await when(store, at(1)).settle(READER, StubResult()) is SETTLED
    assert [await state(store, 1), await state(store, 2)] == [State.SENT, State.SUCCEEDED]
    assert (await get_command(store, 2)).matched_by == "order"


async def test_a_result_with_a_uuid_may_be_for_a_poll_without(store: IStore) -> None:
    """A device that sends a uuid only with its result is understood."""
    await send(store, 1)
    assert await when(store, at(1)).settle(READER, StubResult(uuid="u-1")) is SETTLED
    assert (await get_command(store, 1)).matched_by == "order"


async def test_a_result_without_a_uuid_may_be_for_a_poll_with_one(store: IStore) -> None:
    """A device that sends a uuid only with its poll is understood."""
    await send(store, 1, uuid="u-1")
    assert await when(store, at(1)).settle(READER, StubResult()) is SETTLED
    assert (await get_command(store, 1)).matched_by == "order"


async def test_a_result_with_another_uuid_settles_nothing(store: IStore) -> None:
    """A result with another uuid than that of the command in flight is not about it."""
    await send(store, 1, uuid="u-1")
    assert await when(store, at(1)).settle(READER, StubResult(uuid="u-9")) is ORPHANED
    assert await state(store, 1) is State.SENT


@pytest.mark.parametrize(("endpoint", "settlement"), [("reboot", SETTLED), ("load_objects", ORPHANED)])
async def test_a_result_without_a_uuid_must_be_of_the_same_endpoint(
    store: IStore, endpoint: str, settlement: Settlement
) -> None:
    """A result that names its endpoint settles no command of another endpoint."""
    await send(store, 1, payload={"endpoint": "reboot"})
    assert await when(store, at(1)).settle(READER, StubResult(endpoint=endpoint)) is settlement


async def test_a_result_without_a_uuid_is_else_for_the_newest_that_lapsed(store: IStore) -> None:
    """Where nothing is in flight, the result is for what lapsed last; it counts, and is late."""
    await send(store, 1)
    await send(store, 2, now=at(1))
    await when(store, at(100)).lapse(10)
    assert await when(store, at(101)).settle(READER, StubResult()) is SETTLED
    assert [await state(store, 1), await state(store, 2)] == [State.UNKNOWN, State.SUCCEEDED]
    assert (await get_command(store, 2)).late


async def test_a_repeated_result_without_a_uuid_settles_nothing_else(store: IStore) -> None:
    """A device that sends its result twice does not settle an older unknown command with it."""
    await send(store, 1)
    await when(store, at(60)).lapse(10)
    await send(store, 2, now=at(61))
    assert await when(store, at(62)).settle(READER, StubResult()) is SETTLED
    assert await when(store, at(63)).settle(READER, StubResult()) is REPEATED
    assert [await state(store, 1), await state(store, 2)] == [State.UNKNOWN, State.SUCCEEDED]


async def test_another_result_without_a_uuid_is_for_what_lapsed_before(store: IStore) -> None:
    """After the newest command was settled, a different result belongs to the one that lapsed."""
    await send(store, 1)
    await when(store, at(60)).lapse(10)
    await send(store, 2, now=at(61))
    await when(store, at(62)).settle(READER, StubResult())
    assert await when(store, at(63)).settle(READER, StubResult(result='{"error":"x"}', verdict=FAILURE)) is SETTLED
    assert await state(store, 1) is State.FAILED


@pytest.mark.parametrize("since", [SEARCHED_ATTEMPTS - 1, SEARCHED_ATTEMPTS])
async def test_a_result_without_a_uuid_is_not_for_what_lapsed_long_ago(store: IStore, since: int) -> None:
    """After a thousand other attempts it is an orphan."""
    await send(store, 1)
    await when(store, at(60)).lapse(10)
    await tamper(
        store,
        "INSERT INTO attempt (command, number, device, sent_at, handover) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL"
        " SELECT i + 1 FROM n WHERE i < :since) SELECT :id, 1 + i, :device, 0, 'later/' || i FROM n",
        since=since - 1,
        id="purged",
        device=READER,
    )
    await send(store, 2, now=at(61))
    await when(store, at(62)).settle(READER, StubResult())
    found = await when(store, at(63)).settle(READER, StubResult(result='{"error":"x"}', verdict=FAILURE))
    assert found is (SETTLED if since < SEARCHED_ATTEMPTS else ORPHANED)


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE, GARBLED])
async def test_a_late_report_counts(store: IStore, events: list[Event], verdict: Verdict) -> None:
    """The result of a lapsed command settles it, and the command is marked late."""
    await send(store, 1)
    await when(store, at(60)).lapse(10)
    assert await when(store, at(90)).settle(READER, by_message(1, verdict)) is SETTLED
    command = await get_command(store, 1)
    assert (command.finished_at, command.late, command.error) == (wall(90), True, verdict.error)
    assert events[-1].data["late"] is True


async def test_a_late_report_saves_another_attempt(store: IStore) -> None:
    """A command that is queued again is settled by the result of the attempt before."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    await when(store, at(60)).lapse(10)
    assert await when(store, at(61)).settle(READER, by_message(1)) is SETTLED
    assert (await get_command(store, 1)).late
    assert await claim(store, now=at(62)) is None


async def test_the_report_of_an_earlier_attempt_is_late(store: IStore) -> None:
    """A result of the first attempt settles the command while the second is in flight, and is late."""
    await send(store, 1, uuid="u-1", delivery=AT_LEAST_ONCE)
    await when(store, at(60)).lapse(10)
    await claim(store, uuid="u-2", now=at(61))
    assert await when(store, at(62)).settle(READER, StubResult(uuid="u-1")) is SETTLED
    assert (await get_command(store, 1)).late


async def test_a_second_attempt_only_repeats_the_result_of_the_first(store: IStore) -> None:
    """Where a command ran twice, as its sender allowed, the second result changes nothing."""
    await send(store, 1, uuid="u-1", delivery=AT_LEAST_ONCE)
    await when(store, at(60)).lapse(10)
    await claim(store, uuid="u-2", now=at(61))
    await when(store, at(62)).settle(READER, StubResult(uuid="u-2"))
    assert await when(store, at(63)).settle(READER, StubResult(uuid="u-1")) is REPEATED
    assert not (await get_command(store, 1)).late


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE, GARBLED])
async def test_a_repeated_report_changes_nothing(store: IStore, events: list[Event], verdict: Verdict) -> None:
    """A device that got no answer sends its result again, and nothing changes twice."""
    await send(store, 1)
    await when(store, at(1)).settle(READER, by_message(1, verdict))
    settled, recorded = await get_command(store, 1), list(events)
    assert await when(store, at(2)).settle(READER, by_message(1, verdict)) is REPEATED
    assert await get_command(store, 1) == settled
    assert events == recorded


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE])
async def test_a_readable_report_counts_after_an_unreadable_one(store: IStore, verdict: Verdict) -> None:
    """An unreadable result left the command unknown; a readable one settles it."""
    await send(store, 1)
    await when(store, at(1)).settle(READER, by_message(1, GARBLED, "{}"))
    assert await when(store, at(2)).settle(READER, by_message(1, verdict)) is SETTLED
    assert (await get_command(store, 1)).error == verdict.error


async def test_a_command_that_was_never_sent_cannot_be_reported_on(store: IStore) -> None:
    """A result of a command that was never sent is an orphan."""
    await put(store, 1)
    assert await when(store, at(1)).settle(READER, by_message(1)) is ORPHANED
    assert await when(store, at(1)).settle(READER, StubResult()) is ORPHANED
    assert await state(store, 1) is State.QUEUED
