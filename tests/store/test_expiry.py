"""Tests of what time ends: times to live, and leases."""

import pytest

from pushd.model.event import Event
from pushd.model.lifecycle import State
from pushd.model.timestamps import Now
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import AT_LEAST_ONCE, CALLED, READER, STEADY, WALL, at, by_message, command_id, draft, wall
from tests.store.steps import claim, event_types, get_command, put, send, state


async def test_a_command_expires_when_its_time_is_over(store: IStore, events: list[Event]) -> None:
    """A command that was not sent within its time to live is ended, with the reason."""
    await put(store, 1)
    assert await when(store, at(299.999)).expire(10) == 0
    assert await when(store, at(300)).expire(10) == 1
    command = await get_command(store, 1)
    assert (command.state, command.finished_at, command.evidence) == (State.EXPIRED, wall(300), None)
    assert command.error == "the time to live is over"
    assert event_types(events) == ["command.queued", "command.expired"]
    assert events[-1].data == CALLED | {"attempts": 0, "error": "the time to live is over"}


async def test_a_command_that_may_have_run_does_not_expire(store: IStore, events: list[Event]) -> None:
    """A command that is queued for another attempt becomes unknown instead."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    await when(store, at(60)).lapse(10)
    assert await when(store, at(300)).expire(10) == 1
    assert await state(store, 1) is State.UNKNOWN
    assert event_types(events)[-1] == "command.unknown"


async def test_a_command_in_flight_does_not_expire(store: IStore) -> None:
    """The time to live bounds sending; the lease bounds the work."""
    await send(store, 1, lease=9999.0, deadline=9999.0)
    assert await when(store, at(300)).expire(10) == 0


async def test_times_to_live_are_wall_time(store: IStore) -> None:
    """If the wall clock is set, they end by what it shows."""
    await put(store, 1)
    assert await when(store, Now(wall=WALL, steady=STEADY + 10_000_000)).expire(10) == 0
    assert await when(store, Now(wall=wall(300), steady=STEADY)).expire(10) == 1


async def test_a_sweep_is_limited_and_begins_with_the_oldest(store: IStore) -> None:
    """A sweep ends no more commands than its limit, those first that expired first."""
    for number, ttl in ((1, 30.0), (2, 10.0), (3, 20.0)):
        await put(store, number, ttl=ttl)
    assert await when(store, at(60)).expire(2) == 2
    assert [await state(store, number) for number in (1, 2, 3)] == [State.QUEUED, State.EXPIRED, State.EXPIRED]
    assert [await when(store, at(60)).expire(2), await when(store, at(60)).expire(2)] == [1, 0]


async def test_a_lapsed_command_is_unknown(store: IStore, events: list[Event]) -> None:
    """When the lease of an ``at_most_once`` command runs out, it is never sent again, and says why."""
    await send(store, 1)
    assert await when(store, at(60)).lapse(10) == 1
    command = await get_command(store, 1)
    assert (command.state, command.finished_at, command.evidence) == (State.UNKNOWN, wall(60), None)
    assert command.error == "the lease ran out without a result"
    assert event_types(events)[-1] == "command.unknown"
    assert events[-1].data == CALLED | {"attempts": 1, "error": command.error}
    assert await claim(store, now=at(61)) is None


@pytest.mark.parametrize("acknowledged", [False, True])
async def test_a_command_that_may_run_again_is_queued_again(
    store: IStore, events: list[Event], acknowledged: bool
) -> None:
    """Whether or not the device had acknowledged it, an ``at_least_once`` command gets another attempt."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    if acknowledged:
        await when(store, at()).acknowledge(READER, command_id(1))
    assert await when(store, at(60)).lapse(10) == 1
    command = await get_command(store, 1)
    assert (command.state, command.attempts, command.finished_at) == (State.QUEUED, 1, None)
    assert (command.error, command.evidence) == (None, None)
    assert event_types(events)[-1] == "command.queued"
    assert events[-1].data == CALLED | {"attempts": 1, "reason": "lapsed"}


async def test_attempts_are_bounded(store: IStore) -> None:
    """After its last attempt an ``at_least_once`` command becomes unknown, too."""
    await put(store, 1, delivery=AT_LEAST_ONCE, max_attempts=3, ttl=9999.0)
    for attempt in (1, 2, 3):
        dispatched = await claim(store, now=at(100 * attempt))
        assert dispatched is not None
        assert dispatched.attempt == attempt
        await when(store, at(100 * attempt + 60)).lapse(10)
    assert await state(store, 1) is State.UNKNOWN


@pytest.mark.parametrize(("moment", "then"), [(299.999, State.QUEUED), (300.0, State.UNKNOWN)])
async def test_no_attempt_is_made_after_the_time_to_live(store: IStore, moment: float, then: State) -> None:
    """A command whose lease runs out when its time to live is over is not sent again."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    await when(store, at(moment)).lapse(10)
    assert await state(store, 1) is then


async def test_leases_are_steady_time(store: IStore) -> None:
    """If the wall clock is set forward, no lease runs out."""
    await send(store, 1)
    assert await when(store, Now(wall=wall(999_999), steady=STEADY + 59_999)).lapse(10) == 0
    assert await when(store, Now(wall=wall(-999_999), steady=STEADY + 60_000)).lapse(10) == 1


async def test_a_sweep_of_leases_is_limited_and_begins_with_the_oldest(store: IStore) -> None:
    """A sweep ends no more leases than its limit, those first that ran out first."""
    for number, lease in ((1, 30.0), (2, 10.0), (3, 20.0)):
        await send(store, number, lease=lease)
    assert await when(store, at(60)).lapse(2) == 2
    assert [await state(store, number) for number in (1, 2, 3)] == [State.SENT, State.UNKNOWN, State.UNKNOWN]
    assert [await when(store, at(60)).lapse(2), await when(store, at(60)).lapse(2)] == [1, 0]


async def test_only_commands_in_flight_lapse(store: IStore) -> None:
    """Queued and ended commands have no lease."""
    await send(store, 1)
    await when(store, at(1)).settle(READER, by_message(1))
    await put(store, 2)
    await put(store, 3)
    await when(store, at(1)).cancel(command_id(3))
    assert await when(store, at(99_999)).lapse(10) == 0


async def test_a_sweep_records_an_event_for_each_command(store: IStore, events: list[Event]) -> None:
    """There is an event for each command that time ended."""
    for _ in range(3):
        await store.put(draft(), False, 10)
    await when(store, at(300)).expire(10)
    ended = {event.command for event in events if event.type == "command.expired"}
    assert ended == {command_id(1), command_id(2), command_id(3)}
