"""Tests of :mod:`pushd.notifications.webhooks.dispatcher`: changes of webhooks, stops and restarts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet import defer

from pushd.model.errors import Unavailable
from pushd.store.sqlite.store import SqliteStore
from tests.in_memory_server import BuildServer
from tests.notifications.webhook_harness import NO_RESPONSE, Message, Receiver, WebhookHarness
from tests.results import result_of
from tests.store.clock import new_store

DAY = 86400.0

Start = Callable[[], WebhookHarness]


def fail_first(times: int, status: int = 500) -> Callable[[Message], int]:
    """A receiver that fails so many times, and then works."""
    left = [status] * times
    return lambda _: left.pop() if left else 204


@pytest.fixture
def start(build_server: BuildServer, tmp_path: Path) -> Start:
    """Starts servers one after the other, over the same database file and receiver."""
    receiver = Receiver()
    return lambda: WebhookHarness(build_server(new_store(str(tmp_path / "pushd.sqlite"))), receiver)


def kill(harness: WebhookHarness) -> None:
    """End the server without a stop."""
    for worker in harness.dispatcher._workers.values():
        worker.abort()
    harness.dispatcher._workers.clear()
    result_of(harness.server.store.close())


def test_deleted_webhook(harness: WebhookHarness) -> None:
    """A deleted webhook gets nothing any more, not even an event whose delivery had failed."""
    webhook = harness.subscribe()
    harness.receiver.answer = fail_first(1)
    harness.register_devices()
    harness.run()
    assert harness.server.ask(f"DELETE /v1/webhooks/{webhook['id']}").code == 204
    harness.run(3600)
    assert len(harness.receiver.messages) == 1


def test_changed_url_is_tried_at_once(harness: WebhookHarness) -> None:
    """After the URL of a failing webhook was corrected, the next attempt is made at once."""
    webhook = harness.subscribe()
    harness.receiver.answer = fail_first(8)
    [event] = harness.register_devices()
    harness.run(600)
    count = len(harness.receiver.messages)
    harness.receiver.answer = lambda _: 204
    changed = harness.server.ask(f"PATCH /v1/webhooks/{webhook['id']}", {"url": "https://other.example/"}).json
    assert (changed["failing_since"], changed["next_attempt_at"]) == (None, None)
    harness.run()
    assert [(message.id, message.path) for message in harness.receiver.messages[count:]] == [(event, "/")]


def test_many_webhooks(harness: WebhookHarness) -> None:
    """Each of many webhooks gets all events that match it."""
    webhooks = [harness.subscribe(url=f"https://receiver.example/{number}") for number in range(20)]
    expected = harness.register_devices(20)
    harness.run()
    for number, webhook in enumerate(webhooks):
        delivered = [message.id for message in harness.receiver.messages if message.path == f"/{number}"]
        assert delivered == expected
        assert harness.get(webhook)["cursor"] == expected[-1].removeprefix("evt_")


def test_redelivery_continues_a_disabled_webhook(harness: WebhookHarness) -> None:
    """A webhook that was disabled continues where it stopped when an operator enables it."""
    webhook = harness.subscribe(types=["device.registered"])
    harness.receiver.answer = lambda _: 500
    expected = harness.register_devices(2)
    harness.run(3 * DAY + 1)
    expected += harness.register_devices(2)
    harness.receiver.answer = lambda _: 204
    harness.receiver.messages.clear()
    harness.redeliver(webhook)
    harness.run()
    assert harness.receiver.ids == expected
    assert harness.get(webhook)["disabled_at"] is None


def test_redelivery_from_an_earlier_event(harness: WebhookHarness) -> None:
    """An operator can have everything after an event delivered again."""
    webhook = harness.subscribe()
    expected = harness.register_devices(4)
    harness.run()
    harness.redeliver(webhook, after=expected[0].removeprefix("evt_"))
    harness.run()
    assert harness.receiver.ids == expected + expected[1:]


def test_redelivery_during_an_attempt(harness: WebhookHarness) -> None:
    """An attempt that succeeds after an operator has moved the cursor back does not move it forward again."""
    webhook = harness.subscribe()
    expected = harness.register_devices(3)
    harness.run()
    harness.receiver.answer = lambda _: NO_RESPONSE
    expected += harness.register_devices(1)
    harness.run()
    harness.receiver.answer = lambda _: 204
    harness.receiver.messages.clear()
    harness.redeliver(webhook, after="0")
    harness.receiver.respond()
    harness.run()
    assert harness.receiver.ids == expected


def test_stop_waits_for_an_attempt(harness: WebhookHarness) -> None:
    """When the server stops, a response that comes soon counts; no further attempt is made."""
    webhook = harness.subscribe()
    harness.receiver.answer = lambda _: NO_RESPONSE
    harness.register_devices(2)
    harness.run()
    stopped = harness.dispatcher.stopService()
    harness.receiver.respond()
    harness.run()
    result_of(stopped)
    assert [entry["status"] for entry in harness.deliveries(webhook)] == [204]
    assert len(harness.receiver.messages) == 1


def test_stop_abandons_an_attempt(harness: WebhookHarness) -> None:
    """An attempt that takes longer than two seconds after a stop is abandoned, and is no failure."""
    webhook = harness.subscribe()
    harness.receiver.answer = lambda _: NO_RESPONSE
    harness.register_devices(2)
    harness.run()
    harness.stop(2.1)
    assert harness.deliveries(webhook) == []
    assert harness.get(webhook)["failing_since"] is None


def test_restart_loses_no_events(start: Start) -> None:
    """Events during an outage of the receiver or of the server are delivered by the next process, in order."""
    harness = start()
    webhook = harness.subscribe()
    harness.register_devices(2)
    harness.run()
    harness.receiver.answer = lambda _: 500
    missed = harness.register_devices(3)
    harness.run(7)
    kill(harness)
    harness.receiver.answer = lambda _: 204
    harness.receiver.messages.clear()
    harness.server.clock.advance(86400)
    again = start()
    again.run(20)
    assert again.receiver.ids == missed
    assert again.get(webhook)["cursor"] == missed[-1].removeprefix("evt_")
    again.stop()


def test_a_clock_that_was_ahead_delays_no_retry_after_a_restart(start: Start) -> None:
    """An event failed while the clock was a day ahead: after a restart with the right time it is tried again soon."""
    harness = start()
    harness.server.wall_offset += DAY
    harness.subscribe()
    harness.receiver.answer = fail_first(3)
    [event] = harness.register_devices()
    harness.run(20)
    kill(harness)
    start().run(60)
    assert harness.receiver.ids == [event] * 4


def test_an_old_secret_signs_for_its_overlap_whatever_the_clock_shows(harness: WebhookHarness) -> None:
    """The old secret of a webhook signs for an hour, and not again when the clock is set back."""
    webhook = harness.subscribe()
    harness.server.ask(f"POST /v1/webhooks/{webhook['id']}/secret?overlap=3600")
    harness.server.wall_offset += DAY
    harness.register_devices()
    harness.run(3601)
    harness.server.wall_offset -= 2 * DAY
    harness.register_devices()
    harness.run()
    assert [message.signed_by(webhook["secret"]) for message in harness.receiver.messages] == [True, False]


def test_retry_schedule_continues_over_a_restart(start: Start) -> None:
    """The three days and the retry delays continue over a restart."""
    harness = start()
    webhook = harness.subscribe(types=["device.registered"])
    harness.receiver.answer = lambda _: 500
    harness.register_devices()
    harness.run(2 * 86400)
    before = harness.get(webhook)
    kill(harness)
    count = len(harness.receiver.messages)
    again = start()
    again.run(60)
    assert again.get(webhook) == before
    assert len(again.receiver.messages) == count
    again.run(86400)
    assert again.get(webhook)["disabled_at"] is not None
    kill(again)
    last = start()
    last.run(86400)
    assert last.get(webhook)["disabled_at"] is not None
    last.stop()


def test_store_that_fails_at_the_start(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivery starts as soon as the store can be read; until then the dispatcher is stuck."""
    harness = start()
    harness.subscribe()
    kill(harness)
    with monkeypatch.context() as broken:
        broken.setattr(SqliteStore, "own_webhooks", lambda *_: defer.fail(Unavailable("not now")))
        again = start()
        again.run(60)
        assert again.dispatcher.stuck(50)
    expected = again.register_devices(2)
    again.run(5)
    assert not again.dispatcher.stuck(5)
    assert again.receiver.ids == expected
    again.stop()


def test_attempts_during_a_kill_are_repeated(start: Start) -> None:
    """A server that is killed before it has saved a delivery makes it again."""
    harness = start()
    harness.subscribe(parallel=2)
    first = harness.next_message_id()
    harness.receiver.answer = lambda message: NO_RESPONSE if message.id == first else 204
    expected = harness.register_devices(3)
    harness.run()
    kill(harness)
    harness.receiver.answer = lambda _: 204
    again = start()
    again.run()
    assert again.receiver.ids == expected * 2
    again.stop()


def test_purged_events(start: Start) -> None:
    """A webhook that was disabled for longer than events are kept continues with the oldest one; its log says so."""
    harness = start()
    harness.register_devices()
    webhook = harness.subscribe(types=["device.registered"])
    harness.receiver.answer = lambda _: 410
    harness.register_devices(3)
    harness.run()
    assert harness.get(webhook)["disabled_at"] is not None
    harness.server.clock.advance(40 * 86400)
    harness.server.purge()
    harness.receiver.answer = lambda _: 204
    harness.receiver.messages.clear()
    expected = harness.register_devices(2)
    harness.redeliver(webhook)
    harness.run()
    assert harness.receiver.ids == expected
    [lost, *delivered] = harness.deliveries(webhook)
    assert (lost["seq"], lost["status"]) == (expected[0].removeprefix("evt_"), None)
    assert "no longer kept" in lost["error"]
    assert [entry["status"] for entry in delivered] == [204, 204]
    kill(harness)
