"""Tests of :mod:`pushd.notifications.webhooks.worker`: which events are read and sent, and when."""

from typing import Any

import pytest
from twisted.internet.task import deferLater

from pushd.model.event import Event
from pushd.store.sqlite.store import SqliteStore
from tests.notifications.webhook_harness import NO_RESPONSE, WebhookHarness
from tests.results import result_of


def test_events_are_delivered(harness: WebhookHarness) -> None:
    """A receiver gets the events after its subscription, in messages that it can verify."""
    harness.register_devices()
    webhook = harness.subscribe()
    harness.register_devices(name="Front door")
    harness.run()
    [message] = harness.receiver.messages
    [event] = harness.server.ask(f"GET /v1/events?after={webhook['cursor']}").json["items"]
    assert (message.type, message.event) == ("device.registered", event)
    assert message.path == "/hook?key=1"
    assert message.headers["content-type"] == "application/json"
    assert message.signed_by(webhook["secret"])
    assert harness.get(webhook)["cursor"] == event["seq"]


def test_events_arrive_in_order(harness: WebhookHarness) -> None:
    """Events arrive one after the other, in the order in which they happened."""
    webhook = harness.subscribe()
    expected = harness.register_devices(450)
    harness.run()
    assert harness.receiver.ids == expected
    assert len(harness.deliveries(webhook)) == 450


def test_next_event_waits_for_a_slow_receiver(harness: WebhookHarness) -> None:
    """Unless a webhook is parallel, nothing is sent before the receiver has answered the event before it."""
    harness.subscribe()
    harness.receiver.answer = lambda _: NO_RESPONSE
    expected = harness.register_devices(3)
    harness.run()
    assert harness.receiver.ids == expected[:1]
    harness.receiver.answer = lambda _: 204
    harness.receiver.respond()
    harness.run()
    assert harness.receiver.ids == expected


def test_checkpoint_moves_past_events_that_do_not_match(harness: WebhookHarness) -> None:
    """Events that do not match are read once; a checkpoint saves the cursor behind them."""
    webhook = harness.subscribe(types=["webhook.failed"])
    harness.register_devices(5)
    harness.run()
    assert harness.get(webhook)["cursor"] == webhook["cursor"]
    for _ in range(2):  # one reads the events, one saves the cursor
        result_of(harness.dispatcher.checkpoint())
        harness.run()
    assert int(harness.get(webhook)["cursor"].rpartition("-")[2]) == int(webhook["cursor"].rpartition("-")[2]) + 5
    assert harness.receiver.messages == []


def test_parallel_deliveries(harness: WebhookHarness) -> None:
    """A parallel webhook sends that many events at once; its cursor stays before the oldest undelivered one."""
    webhook = harness.subscribe(parallel=3)
    harness.receiver.answer = lambda _: NO_RESPONSE
    expected = harness.register_devices(5)
    harness.run()
    assert harness.receiver.ids == expected[:3]
    first, *others = harness.receiver.pending
    harness.receiver.pending = others
    harness.receiver.respond()
    harness.run()
    assert harness.receiver.ids == expected
    assert harness.get(webhook)["cursor"] == webhook["cursor"]
    harness.receiver.pending.append(first)
    harness.receiver.respond()
    harness.run()
    assert int(harness.get(webhook)["cursor"].rpartition("-")[2]) == int(webhook["cursor"].rpartition("-")[2]) + 5


def test_secrets_overlap(harness: WebhookHarness) -> None:
    """After a rotation both secrets sign until the overlap ends, then only the new one."""
    webhook = harness.subscribe()
    new = harness.server.ask(f"POST /v1/webhooks/{webhook['id']}/secret?overlap=60").json["secret"]
    harness.register_devices()
    harness.run(61)
    harness.register_devices()
    harness.run()
    first, second = harness.receiver.messages
    assert (first.signed_by(webhook["secret"]), first.signed_by(new)) == (True, True)
    assert (second.signed_by(webhook["secret"]), second.signed_by(new)) == (False, True)


def test_rotation_without_overlap(harness: WebhookHarness) -> None:
    """A secret that is replaced without an overlap signs nothing any more."""
    webhook = harness.subscribe()
    new = harness.server.ask(f"POST /v1/webhooks/{webhook['id']}/secret").json["secret"]
    harness.register_devices()
    harness.run()
    [message] = harness.receiver.messages
    assert (message.signed_by(webhook["secret"]), message.signed_by(new)) == (False, True)


@pytest.mark.parametrize(("tags", "most"), [([], 0), (["new"], 12)])
def test_store_is_read_rarely(
    harness: WebhookHarness, monkeypatch: pytest.MonkeyPatch, tags: list[str], most: int
) -> None:
    """A worker that keeps up does not read the store; otherwise it reads ten times per second, not once per event."""
    harness.subscribe(tags=tags)
    reads = 0
    events = SqliteStore.events

    def counted(*args: Any) -> Any:
        nonlocal reads
        reads += 1
        return events(*args)

    monkeypatch.setattr(SqliteStore, "events", counted)
    expected: list[str] = []
    for _ in range(100):
        expected += harness.register_devices(2, tags=["new"])
        harness.run(0.01)
    assert reads <= most
    harness.run(1)
    assert harness.receiver.ids == expected


def test_event_during_a_read_is_not_missed(harness: WebhookHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that is published after the store has read a page, but before the worker has it, is delivered."""
    events = SqliteStore.events

    def slowly(*args: Any) -> Any:
        page = result_of(events(*args))
        return deferLater(harness.server.clock, 1, lambda: page)

    webhook = harness.subscribe()
    monkeypatch.setattr(SqliteStore, "events", slowly)
    harness.redeliver(webhook)
    harness.run(0.5)
    expected = harness.register_devices()
    harness.run(5)
    assert harness.receiver.ids == expected


def test_event_that_was_read_before_it_is_published_is_sent_once(harness: WebhookHarness) -> None:
    """An event that a page contained before it was published is delivered once."""
    published: list[Event] = []
    harness.server.store.subscribe(published.append)
    harness.subscribe()
    expected = harness.register_devices(2)
    harness.run()
    for event in published:
        harness.dispatcher._handle(event)
    harness.run()
    assert harness.receiver.ids == expected
