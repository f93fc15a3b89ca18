"""Tests of what holds for a store as a whole."""

import pytest
from zope.interface.verify import verifyObject

from pushd.model.errors import Unavailable
from pushd.model.event import Event, EventType
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore
from tests.store.conftest import StoreUnderTest
from tests.store.samples import LIMIT, READER, at, device, draft
from tests.store.steps import all_events, claim, event_types, put


def test_it_offers_all_verbs(store: IStore) -> None:
    """Each kind of store can do everything that the others can."""
    assert verifyObject(IStore, store)


def test_a_new_store_knows_nothing(under_test: StoreUnderTest) -> None:
    """The first start begins with no devices, no tokens and no commands."""
    assert under_test.open(at()) == StartupSnapshot()


async def test_it_says_that_it_answers(store: IStore, events: list[Event]) -> None:
    """The check for readiness goes through the database and leaves nothing there."""
    await store.check()
    assert events == []


async def test_whoever_listens_hears_of_a_change_before_its_verb_is_done(store: IStore) -> None:
    """When a sender is told that a command is queued, everybody who listens has been told already."""
    order: list[str] = []
    store.subscribe(lambda event: order.append(event.type))
    await store.put(draft(1), False, LIMIT, at())
    order.append("done")
    assert order == ["command.queued", "done"]


async def test_who_asks_for_some_types_hears_of_no_others(store: IStore) -> None:
    """A part of the program that cares for few kinds of change is not called for the rest."""
    heard: list[str] = []
    store.subscribe(lambda event: heard.append(event.type), EventType.COMMAND_SENT, EventType.COMMAND_CANCELLED)
    await put(store, 1, 2)
    await claim(store)
    assert heard == ["command.sent"]


async def test_listeners_hear_what_the_feed_keeps(store: IStore, events: list[Event]) -> None:
    """What is told at once and what can be read later are the same, entry by entry."""
    before = len(await all_events(store))
    await put(store, 1, 2)
    await claim(store)
    assert event_types(events) == ["command.queued", "command.queued", "command.sent"]
    assert (await all_events(store))[before:] == events


async def test_a_listener_that_fails_keeps_no_other_from_hearing(
    store: IStore, no_logged_failure: list[object]
) -> None:
    """A fault in one part of the program is logged, and the others, and the sender, go on."""

    def fail(event: Event) -> None:
        raise RuntimeError("a bug")

    heard: list[Event] = []
    store.subscribe(fail)
    store.subscribe(heard.append)
    await put(store, 1)
    assert event_types(heard) == ["command.queued"]
    assert len(no_logged_failure) == 1
    no_logged_failure.clear()


async def test_a_change_asked_for_by_a_listener_is_told_after_what_it_heard(store: IStore) -> None:
    """Whoever listens hears changes in the order of their commits, even if another listener makes some."""

    def approve_more(event: Event) -> None:
        if event.device == READER:
            store.add_device(device("controlid:3"), False, at())

    heard: list[Event] = []
    store.subscribe(approve_more)
    store.subscribe(heard.append)
    await put(store, 1)
    await store.check()
    assert event_types(heard) == ["command.queued", "device.registered"]


async def test_whoever_stops_waiting_does_not_undo_a_change(store: IStore) -> None:
    """A sender who hangs up while a command is written has sent it all the same."""
    putting = store.put(draft(1), False, LIMIT, at())
    putting.addErrback(lambda failure: None)
    putting.cancel()
    await store.check()
    assert (await store.queue_depth(READER)).queue == 1


async def test_a_verb_after_the_end_is_told_that_nobody_answers(under_test: StoreUnderTest) -> None:
    """What comes after the store was closed fails with one clear error, and does not wait for ever."""
    under_test.open(at())
    await under_test.close()
    for verb in (under_test.store.check(), under_test.store.queue_depth(READER)):
        with pytest.raises(Unavailable):
            await verb
