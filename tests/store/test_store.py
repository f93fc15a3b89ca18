"""Tests of a store as a whole: listeners, closing."""

import pytest
from zope.interface.verify import verifyObject

from pushd.model.errors import Unavailable
from pushd.model.event import Event, EventType
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore
from tests.store.conftest import StoreUnderTest
from tests.store.samples import LIMIT, READER, at, device, draft
from tests.store.steps import all_events, claim, event_types, put


def test_it_provides_the_interface(store: IStore) -> None:
    """Each kind of store has all operations."""
    assert verifyObject(IStore, store)


def test_a_new_store_is_empty(under_test: StoreUnderTest) -> None:
    """The first start finds no devices, tokens or commands."""
    assert under_test.open(at()) == StartupSnapshot(now=at())


async def test_the_check_leaves_nothing_behind(store: IStore, events: list[Event]) -> None:
    """The readiness check commits a transaction, and changes nothing that can be seen."""
    await store.check()
    assert events == []


async def test_listeners_are_called_before_the_operation_is_done(store: IStore) -> None:
    """When the Deferred of a put fires, all listeners have been called."""
    order: list[str] = []
    store.subscribe(lambda event: order.append(event.type))
    await store.put(draft(), False, LIMIT)
    order.append("done")
    assert order == ["command.queued", "done"]


async def test_a_listener_is_called_only_for_its_types(store: IStore) -> None:
    """A listener of some types of events is not called for others."""
    heard: list[str] = []
    store.subscribe(lambda event: heard.append(event.type), EventType.COMMAND_SENT, EventType.COMMAND_CANCELLED)
    await put(store, 1, 2)
    await claim(store)
    assert heard == ["command.sent"]


async def test_listeners_get_what_is_stored(store: IStore, events: list[Event]) -> None:
    """The events of listeners and those that are stored are the same, one by one."""
    before = len(await all_events(store))
    await put(store, 1, 2)
    await claim(store)
    assert event_types(events) == ["command.queued", "command.queued", "command.sent"]
    assert (await all_events(store))[before:] == events


async def test_an_error_in_a_listener_does_not_affect_others(store: IStore, no_logged_failure: list[object]) -> None:
    """It is logged, and the other listeners and the sender get what they wait for."""

    def fail(event: Event) -> None:
        raise RuntimeError("a bug")

    heard: list[Event] = []
    store.subscribe(fail)
    store.subscribe(heard.append)
    await put(store, 1)
    assert event_types(heard) == ["command.queued"]
    assert len(no_logged_failure) == 1
    no_logged_failure.clear()


async def test_a_change_by_a_listener_is_delivered_later(store: IStore) -> None:
    """Listeners are called in the order of commits, even if one of them makes changes."""

    def approve_more(event: Event) -> None:
        if event.device == READER:
            store.add_device(device("controlid:3"), False)

    heard: list[Event] = []
    store.subscribe(approve_more)
    store.subscribe(heard.append)
    await put(store, 1)
    await store.check()
    assert event_types(heard) == ["command.queued", "device.registered"]


async def test_cancelling_does_not_undo_a_change(store: IStore) -> None:
    """A sender that hangs up while its command is written has sent it."""
    putting = store.put(draft(), False, LIMIT)
    putting.addErrback(lambda failure: None)
    putting.cancel()
    await store.check()
    assert store.queue_depth(READER).queue == 1


async def test_an_operation_after_closing_fails(under_test: StoreUnderTest) -> None:
    """It fails at once with a clear error."""
    under_test.open(at())
    await under_test.close()
    for done in (under_test.store.check(), under_test.store.last_event()):
        with pytest.raises(Unavailable):
            await done
