"""Tests of claim: what is sent to a device that polls."""

import pytest

from pushd.model.command import Dispatched
from pushd.model.device import Admission
from pushd.model.event import Event
from pushd.model.lifecycle import State
from pushd.rules.outcomes import Claim
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import (
    AT_LEAST_ONCE,
    OTHER_READER,
    READER,
    UNREGISTERED,
    at,
    by_message,
    command_id,
    device,
    wall,
)
from tests.store.steps import claim, event_types, get_command, put, send, state


def numbers(claimed: Claim) -> list[int]:
    """The numbers of the claimed commands, in order."""
    return [int(each.command[-12:]) for each in claimed.dispatched]


async def test_a_poll_gets_the_command(store: IStore, events: list[Event]) -> None:
    """The device gets the payload as it was sent, with the command's id and the number of the attempt."""
    await put(store, 1, payload={"endpoint": "reboot", "body": "text"})
    dispatched = await claim(store, now=at(2))
    assert dispatched == Dispatched(command=command_id(1), attempt=1, payload={"endpoint": "reboot", "body": "text"})
    assert event_types(events) == ["command.queued", "command.sent"]
    assert (events[1].device, events[1].command, events[1].at) == (READER, command_id(1), wall(2))
    assert events[1].data == {"endpoint": "reboot", "attempt": 1}


async def test_a_claimed_command_is_sent(store: IStore) -> None:
    """It has the state, the time and the number of attempts, and is not claimed again."""
    await send(store, 1, now=at(2))
    command = await get_command(store, 1)
    assert (command.state, command.attempts, command.sent_at) == (State.SENT, 1, wall(2))
    assert await claim(store, now=at(3)) is None


async def test_priority_comes_first_and_then_age(store: IStore) -> None:
    """A device gets its commands by priority, and those of one priority in the order in which they were queued."""
    for number, priority in ((1, 5), (2, 0), (3, 9), (4, 5), (5, 9)):
        await put(store, number, priority=priority)
    assert [numbers(await store.claim(READER, None, False, 1)) for _ in range(5)] == [[3], [5], [1], [4], [2]]


async def test_a_device_gets_its_own_commands(store: IStore) -> None:
    """A command for one device is never sent to another."""
    await put(store, 1, name=OTHER_READER)
    assert await store.claim(READER, None, False, 10) == Claim()


async def test_the_store_knows_whether_there_is_more(store: IStore) -> None:
    """Where several are queued, one is claimed, and the store knows whether another is due."""
    await put(store, 1, 2)
    assert numbers(await store.claim(READER, None, False, 10)) == [1]
    assert (store.has_queued(READER), store.next_due(READER)) == (True, wall())
    assert numbers(await store.claim(READER, None, False, 10)) == [2]
    assert (store.has_queued(READER), store.next_due(READER)) == (False, None)


async def test_a_device_may_have_several_commands_in_flight(store: IStore) -> None:
    """A device that is not one-at-a-time gets the next command while another is in flight."""
    await put(store, 1, 2)
    assert [await claim(store), await claim(store)] == [
        Dispatched(command=command_id(1), attempt=1, payload={"endpoint": "load_objects"}),
        Dispatched(command=command_id(2), attempt=1, payload={"endpoint": "load_objects"}),
    ]
    assert store.queue_depth(READER).in_flight == 2


async def test_a_command_is_not_sent_before_its_time(store: IStore) -> None:
    """Before ``not_before`` it is not claimed, and the claim says when to claim again; then it is."""
    await put(store, 1, not_before=wall(60))
    assert await when(store, at(59.999)).claim(READER, None, False, 1) == Claim(due=wall(60))
    assert numbers(await when(store, at(60)).claim(READER, None, False, 1)) == [1]


async def test_a_command_for_later_does_not_block_others(store: IStore) -> None:
    """A command that is due is sent before a more urgent one that is not."""
    await put(store, 1, not_before=wall(60), priority=9)
    await put(store, 2, not_before=wall(30), priority=0)
    await put(store, 3)
    claimed = await store.claim(READER, None, False, 1)
    assert numbers(claimed) == [3]
    assert store.next_due(READER) == wall(30)


@pytest.mark.parametrize(("moment", "dispatched"), [(299.999, [1]), (300.0, []), (300.001, [])])
async def test_a_command_is_never_sent_late(store: IStore, moment: float, dispatched: list[int]) -> None:
    """A command is claimed up to the last millisecond of its time to live, and not at its end."""
    await put(store, 1)
    assert numbers(await when(store, at(moment)).claim(READER, None, False, 1)) == dispatched


@pytest.mark.parametrize("admission", [Admission.PENDING, Admission.BLOCKED])
async def test_only_an_approved_device_gets_commands(store: IStore, admission: Admission) -> None:
    """A pending or blocked device gets nothing; once approved, it gets what is queued."""
    await put(store, 1)
    await store.change_device(READER, {"admission": admission})
    assert (await store.claim(READER, None, False, 1)).dispatched == ()
    assert await state(store, 1) is State.QUEUED
    await store.change_device(READER, {"admission": Admission.APPROVED})
    assert numbers(await store.claim(READER, None, False, 1)) == [1]


async def test_an_unknown_device_gets_nothing(store: IStore) -> None:
    """For a device that does not exist nothing is claimed."""
    assert (await store.claim(UNREGISTERED, None, False, 1)).dispatched == ()


async def test_a_repeated_poll_gets_nothing_while_its_command_is_in_flight(store: IStore, events: list[Event]) -> None:
    """A one-at-a-time device that repeats its poll, as clients do, gets no second command for it."""
    await put(store, 1, 2)
    await when(store, at()).claim(READER, "u-1", True, 1)
    assert await when(store, at(1)).claim(READER, "u-1", True, 1) == Claim()
    assert event_types(events).count("command.sent") == 1


@pytest.mark.parametrize("uuid", ["u-2", None])
async def test_another_poll_shows_that_the_device_is_done(store: IStore, uuid: str | None) -> None:
    """A one-at-a-time device that polls with another uuid, or none, gets the next command."""
    await put(store, 1, 2)
    await when(store, at()).claim(READER, "u-1", True, 1)
    assert numbers(await when(store, at(1)).claim(READER, uuid, True, 1)) == [2]
    assert await state(store, 1) is State.SENT


async def test_polls_without_a_uuid_are_never_repeats(store: IStore) -> None:
    """Old firmware, which sends no uuids, gets one command after the other."""
    await put(store, 1, 2)
    assert numbers(await store.claim(READER, None, True, 1)) == [1]
    assert numbers(await store.claim(READER, None, True, 1)) == [2]


async def test_the_uuid_of_an_older_poll_can_be_used_again(store: IStore) -> None:
    """Only the newest command that was sent makes a poll with its uuid a repeat."""
    await put(store, 1, 2, 3)
    await store.claim(READER, "u-1", True, 1)
    await store.claim(READER, "u-2", True, 1)
    assert numbers(await store.claim(READER, "u-1", True, 1)) == [3]


async def test_a_uuid_can_be_used_again_after_the_result(store: IStore) -> None:
    """A device that always uses one uuid gets its next command after the result of the last."""
    await put(store, 1, 2)
    await when(store, at()).claim(READER, "same", True, 1)
    await when(store, at(1)).settle(READER, by_message(1))
    assert numbers(await when(store, at(2)).claim(READER, "same", True, 1)) == [2]


async def test_a_uuid_can_be_used_again_after_the_lease(store: IStore) -> None:
    """A repeated poll gets the next command when the lease of the last one ran out."""
    await put(store, 1, lease=60.0)
    await put(store, 2)
    await when(store, at()).claim(READER, "same", True, 1)
    assert await when(store, at(60)).lapse(10) == 1
    assert numbers(await when(store, at(60)).claim(READER, "same", True, 1)) == [2]


async def test_two_devices_may_use_the_same_uuid(store: IStore) -> None:
    """A poll of one device is no repeat of a poll of another."""
    await put(store, 1)
    await put(store, 2, name=OTHER_READER)
    await store.claim(READER, "u", True, 1)
    assert numbers(await store.claim(OTHER_READER, "u", True, 1)) == [2]


async def test_each_attempt_has_its_number(store: IStore) -> None:
    """A command that is sent again keeps its id and has the next attempt number."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    await when(store, at(60)).lapse(10)
    dispatched = await claim(store, now=at(61))
    assert dispatched is not None
    assert (dispatched.command, dispatched.attempt) == (command_id(1), 2)
    assert (await get_command(store, 1)).sent_at == wall(61)


async def test_a_new_attempt_is_not_acknowledged_yet(store: IStore) -> None:
    """The acknowledgement of an earlier attempt does not count for the next."""
    await send(store, 1, delivery=AT_LEAST_ONCE)
    await when(store, at(1)).acknowledge(READER, command_id(1))
    await when(store, at(61)).lapse(10)
    await claim(store, now=at(62))
    assert (await get_command(store, 1)).acknowledged_at is None


async def test_a_deleted_device_gets_nothing(store: IStore) -> None:
    """When it polls again it is a new device, and its old commands are not sent to it."""
    await put(store, 1)
    await when(store, at()).forget_device(READER)
    await when(store, at(1)).add_device(device(), True)
    assert await when(store, at(1)).claim(READER, None, False, 1) == Claim()
