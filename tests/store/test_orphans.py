"""Tests of orphan results."""

from typing import Any

import pytest

from pushd.model.device import Admission, Orphan
from pushd.model.event import Event
from pushd.model.lifecycle import State
from pushd.model.result import Verdict
from pushd.rules.outcomes import Settlement
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import (
    FAILURE,
    GARBLED,
    OTHER_READER,
    READER,
    SUCCESS,
    UNREGISTERED,
    StubResult,
    at,
    by_message,
    command_id,
    device,
    wall,
)
from tests.store.steps import all_events, get_command, send, state, tamper

ORPHANED, DROPPED = Settlement.ORPHANED, Settlement.DROPPED


async def test_a_result_without_a_match_is_kept(store: IStore, events: list[Event]) -> None:
    """An operator sees what came, when, what it named, and why it is an orphan."""
    said = StubResult(uuid="u-9", raw=b"\xff\x00 anything", size=70_000)
    assert await when(store, at(4)).settle(READER, said) is ORPHANED
    [orphan] = await store.orphans(READER, None, 10)
    assert orphan == Orphan(
        id=orphan.id,
        device=READER,
        at=wall(4),
        reason="it matches no command of this device",
        reference="u-9",
        size=70_000,
        raw=b"\xff\x00 anything",
    )
    assert [(event.type, event.device, event.command, event.at) for event in events] == [
        ("result.orphaned", READER, None, wall(4))
    ]
    assert events[0].data == {"reason": orphan.reason, "reference": "u-9", "size": 70_000}


async def test_orphans_of_a_minute_are_limited(store: IStore) -> None:
    """A device that reports nonsense all the time has 60 events of a minute, and then the latest with the number."""
    for number in range(70):
        await when(store, at(1)).settle(READER, StubResult(uuid=str(number)))
    await when(store, at(2)).report_suppressed()
    events = [event for event in await all_events(store) if event.type == "result.orphaned"]
    assert len(events) == 60
    await when(store, at(62)).report_suppressed()
    [*_, newest] = await all_events(store)
    assert (newest.type, newest.data["reference"], newest.data["suppressed"]) == ("result.orphaned", "69", 10)


@pytest.mark.parametrize(("uuid", "message"), [("x" * 100_000, None), (None, "x" * 100_000)])
async def test_a_long_reference_is_cut(store: IStore, uuid: str | None, message: str | None) -> None:
    """A device that names no possible command cannot fill the event log with what it names."""
    await store.settle(READER, StubResult(uuid=uuid, message=message))
    assert [orphan.reference for orphan in await store.orphans(READER, None, 10)] == ["x" * 64]
    [*_, newest] = await all_events(store)
    assert newest.data["reference"] == "x" * 64


@pytest.mark.parametrize(
    ("report", "reference"),
    [(by_message(7), command_id(7)), (StubResult(uuid="u"), "u"), (StubResult(), None)],
    ids=range(3),
)
async def test_an_orphan_says_what_it_named(store: IStore, report: StubResult, reference: str | None) -> None:
    """A message id, the uuid of a poll, or nothing."""
    await store.settle(READER, report)
    assert [orphan.reference for orphan in await store.orphans(READER, None, 10)] == [reference]


async def test_a_result_for_the_command_of_another_device_is_an_orphan(store: IStore) -> None:
    """A device that knows another's ids and uuids settles nothing of it."""
    await send(store, 1, uuid="u-1")
    assert await when(store, at(1)).settle(OTHER_READER, by_message(1)) is ORPHANED
    assert await when(store, at(1)).settle(OTHER_READER, StubResult(uuid="u-1")) is ORPHANED
    assert await when(store, at(1)).settle(OTHER_READER, StubResult()) is ORPHANED
    assert await state(store, 1) is State.SENT
    assert (len(await store.orphans(OTHER_READER, None, 10)), await store.orphans(READER, None, 10)) == (3, [])


@pytest.mark.parametrize(
    ("first", "second"),
    [(SUCCESS, FAILURE), (FAILURE, SUCCESS), (SUCCESS, GARBLED), (FAILURE, GARBLED)],
)
async def test_a_result_that_contradicts_is_an_orphan(store: IStore, first: Verdict, second: Verdict) -> None:
    """The first result of a device counts; a contradicting one changes nothing, and is kept."""
    await send(store, 1)
    await when(store, at(1)).settle(READER, by_message(1, first))
    settled = await get_command(store, 1)
    assert await when(store, at(2)).settle(READER, by_message(1, second)) is ORPHANED
    assert await get_command(store, 1) == settled
    [orphan] = await store.orphans(READER, None, 10)
    assert orphan.reason == f"the command is {settled.state} already"


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE])
async def test_after_a_resolution_every_result_is_an_orphan(store: IStore, verdict: Verdict) -> None:
    """A resolution is not overwritten by a device, not even by a result that agrees."""
    await send(store, 1)
    await when(store, at(60)).lapse(10)
    await tamper(store, "UPDATE command SET state = 'succeeded', evidence = 'operator'")
    assert await when(store, at(61)).settle(READER, by_message(1, verdict)) is ORPHANED
    assert (await get_command(store, 1)).evidence == "operator"


@pytest.mark.parametrize("admission", [Admission.PENDING, Admission.BLOCKED])
async def test_no_orphan_of_an_unapproved_device_is_kept(store: IStore, admission: Admission) -> None:
    """A pending or blocked device cannot fill the disk."""
    await store.add_device(device(UNREGISTERED, admission=admission), True)
    before = await all_events(store)
    assert await store.settle(UNREGISTERED, StubResult()) is DROPPED
    assert await store.orphans(UNREGISTERED, None, 10) == []
    assert await all_events(store) == before


async def test_no_orphan_of_an_unknown_device_is_kept(store: IStore) -> None:
    """Nor can a device that does not exist."""
    assert await store.settle(UNREGISTERED, StubResult()) is DROPPED
    assert await store.orphans(UNREGISTERED, None, 10) == []


async def test_only_the_newest_hundred_are_kept(store: IStore) -> None:
    """A device that sends nonsense for ever keeps its newest hundred, and no other device loses any."""
    await when(store, at()).settle(OTHER_READER, StubResult(uuid="other"))
    for number in range(103):
        await when(store, at(number)).settle(READER, StubResult(uuid=str(number)))
    kept = [orphan.reference for orphan in await store.orphans(READER, None, 500)]
    assert kept == [str(number) for number in range(102, 2, -1)]
    assert len(await store.orphans(OTHER_READER, None, 10)) == 1


async def test_orphans_are_listed_page_by_page(store: IStore) -> None:
    """The newest first, then those before."""
    for number in range(5):
        await when(store, at(number)).settle(READER, StubResult(uuid=str(number)))
    listed: list[Any] = []
    before = None
    while page := await store.orphans(READER, before, 2):
        assert len(page) <= 2
        listed.extend(orphan.reference for orphan in page)
        before = page[-1].id
    assert listed == ["4", "3", "2", "1", "0"]
