"""Tests of :mod:`pushd.notifications.webhooks.worker`: failures and retries."""

from itertools import pairwise
from typing import Any, NoReturn

import pytest
from twisted.internet import defer
from twisted.internet.defer import CancelledError
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from pushd.lib.webhook_sender import WebhookSender
from pushd.model.errors import Unavailable
from pushd.model.timestamps import milliseconds, to_rfc3339
from pushd.notifications.webhooks import formats, worker
from pushd.notifications.webhooks.delivery_window import CAPACITY
from pushd.notifications.webhooks.event_filter import SubscriptionFilter
from pushd.notifications.webhooks.worker import WebhookWorker
from tests.in_memory_server import START
from tests.notifications.webhook_harness import NO_RESPONSE, Message, WebhookHarness

DAY = 86400.0


def intervals(harness: WebhookHarness) -> list[float]:
    """Seconds between the messages that the receiver got."""
    times = [int(message.headers["webhook-timestamp"]) for message in harness.receiver.messages]
    return [later - earlier for earlier, later in pairwise(times)]


def let_fail(harness: WebhookHarness, status: int = 500) -> None:
    """Let the receiver fail from now on."""
    harness.receiver.answer = lambda _: status


def let_work(harness: WebhookHarness) -> None:
    """Let the receiver work from now on."""
    harness.receiver.answer = lambda _: 204


def failures(harness: WebhookHarness) -> list[dict[str, object]]:
    """The data of the events about webhooks that were disabled."""
    return [event["data"] for event in harness.server.ask("GET /v1/events?type=webhook.failed").json["items"]]


def test_delay_doubles(harness: WebhookHarness) -> None:
    """A failing receiver is retried after 5 s, 10 s, 20 s, and so on, with the same id and body, signed anew."""
    webhook = harness.subscribe()
    let_fail(harness)
    harness.register_devices()
    harness.run(160)
    assert intervals(harness) == [5, 10, 20, 40, 80]
    assert len({(message.id, message.body) for message in harness.receiver.messages}) == 1
    assert all(message.signed_by(webhook["secret"]) for message in harness.receiver.messages)


def test_events_during_an_outage_arrive_in_order_afterwards(harness: WebhookHarness) -> None:
    """Events during an outage of the receiver arrive afterwards, in order, and the webhook is no longer failing."""
    webhook = harness.subscribe()
    let_fail(harness)
    expected = harness.register_devices(3)
    harness.run(30)
    assert set(harness.receiver.ids) == {expected[0]}
    failing = harness.get(webhook)
    assert failing["failing_since"] == "2027-01-15T08:00:01.000Z"
    assert failing["next_attempt_at"] == "2027-01-15T08:00:36.000Z"
    let_work(harness)
    harness.receiver.messages.clear()
    harness.run(30)
    assert harness.receiver.ids == expected
    seen = harness.get(webhook)
    assert (seen["failing_since"], seen["next_attempt_at"]) == (None, None)


def test_webhook_is_disabled_after_three_days(harness: WebhookHarness) -> None:
    """A webhook with an event that could not be delivered for three days is disabled, and an event says so."""
    webhook = harness.subscribe(types=["device.registered"])
    let_fail(harness)
    [event] = harness.register_devices()
    harness.run(3 * DAY - 1)
    assert harness.get(webhook)["disabled_at"] is None
    assert max(intervals(harness)) <= 6 * 3600
    harness.run(2)
    seen = harness.get(webhook)
    assert seen["disabled_at"] == "2027-01-18T08:00:01.000Z"
    assert seen["disabled_reason"] == "an event could not be delivered for 3 days"
    assert seen["next_attempt_at"] is None
    assert failures(harness) == [
        {"webhook": webhook["id"], "reason": seen["disabled_reason"], "seq": event.removeprefix("evt_")}
    ]
    count = len(harness.receiver.messages)
    harness.register_devices()
    harness.run(DAY)
    assert len(harness.receiver.messages) == count


@pytest.mark.parametrize("step", [14 * DAY, -14 * DAY])
def test_a_step_of_the_clock_changes_no_retries(harness: WebhookHarness, step: float) -> None:
    """Whether the clock is set forward or back: the retries go on as before, and no webhook is disabled early."""
    webhook = harness.subscribe()
    let_fail(harness)
    harness.register_devices()
    harness.run(3)
    harness.server.wall_offset += step
    harness.run(157)
    seen = harness.get(webhook)
    assert seen["disabled_at"] is None
    assert len(harness.receiver.messages) == 6
    began = START + 1 + step  # as if the clock had been right then
    assert seen["failing_since"] == to_rfc3339(milliseconds(began))
    assert seen["next_attempt_at"] == to_rfc3339(milliseconds(began + 315))
    harness.run(3 * DAY)
    assert harness.get(webhook)["disabled_at"] is not None


def test_410_disables_the_webhook(harness: WebhookHarness) -> None:
    """A receiver that answers 410 gets no second message."""
    webhook = harness.subscribe()
    let_fail(harness, 410)
    harness.register_devices(2)
    harness.run(3600)
    assert len(harness.receiver.messages) == 1
    assert "410" in harness.get(webhook)["disabled_reason"]
    assert len(failures(harness)) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 429, 500, 503])
def test_other_statuses_are_retried(harness: WebhookHarness, status: int) -> None:
    """Any other status, a redirect included, is a failure that is retried; nothing is sent to another URL."""
    webhook = harness.subscribe()
    harness.receiver.headers = {"Location": "https://elsewhere.example/"}
    harness.receiver.body = b"try\nelsewhere"
    let_fail(harness, status)
    harness.register_devices()
    harness.run(1)
    [entry] = harness.deliveries(webhook)
    assert (entry["status"], entry["error"]) == (status, "try elsewhere")
    let_work(harness)
    harness.run(10)
    assert len(harness.receiver.messages) == 2
    assert {message.path for message in harness.receiver.messages} == {"/hook?key=1"}


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_any_2xx_is_a_success(harness: WebhookHarness, status: int) -> None:
    """Any 2xx is a success."""
    webhook = harness.subscribe()
    let_fail(harness, status)
    harness.register_devices(2)
    harness.run(1)
    assert [entry["status"] for entry in harness.deliveries(webhook)] == [status] * 2


def test_timeout(harness: WebhookHarness) -> None:
    """A receiver has ten seconds to answer; then the connection is closed, and the message is sent again."""
    webhook = harness.subscribe()
    harness.receiver.answer = lambda _: NO_RESPONSE
    harness.register_devices()
    harness.run(9.9)
    assert harness.deliveries(webhook) == []
    harness.run(0.2)
    [entry] = harness.deliveries(webhook)
    assert (entry["duration"], entry["status"], entry["error"]) == (10.0, None, "no answer within 10 s")
    let_work(harness)
    harness.run(10)
    assert [entry["status"] for entry in harness.deliveries(webhook)] == [None, 204]


def test_long_response_body(harness: WebhookHarness) -> None:
    """Only the beginning of a response is kept."""
    webhook = harness.subscribe()
    harness.receiver.body = b"x" * 200_000
    let_fail(harness)
    harness.register_devices()
    harness.run(1)
    [entry] = harness.deliveries(webhook)
    assert entry["status"] == 500
    assert 900 < len(entry["error"]) <= 1024


def test_endless_response_body(harness: WebhookHarness) -> None:
    """A receiver that does not stop sending is disconnected, before the attempt times out."""
    webhook = harness.subscribe()

    def talk(_: Message) -> int:
        harness.server.clock.callLater(1, lambda: harness.receiver.pending[0].write(b"x" * 100_000))
        return NO_RESPONSE

    harness.receiver.answer = talk
    harness.register_devices()
    harness.run(2)
    [entry] = harness.deliveries(webhook)
    assert (entry["status"], entry["duration"]) == (200, 1.0)


def test_memory_is_bounded(harness: WebhookHarness) -> None:
    """While a receiver is down, a few hundred events are in memory, however many happen."""
    webhook = harness.subscribe()
    let_fail(harness)
    expected = harness.register_devices(450)
    for _ in range(250):
        expected += harness.register_devices()
        harness.run(0.3)
    in_hand = harness.dispatcher._workers[webhook["id"]]._window
    assert len(in_hand) <= 2 * CAPACITY
    let_work(harness)
    harness.receiver.messages.clear()
    harness.run(120)
    assert harness.receiver.ids == expected


def test_retry_after(harness: WebhookHarness) -> None:
    """``Retry-After`` is honoured, up to six hours."""
    harness.subscribe()
    harness.receiver.headers = {"Retry-After": "100"}
    let_fail(harness, 429)
    harness.register_devices()
    harness.run(150)
    harness.receiver.headers = {"Retry-After": "999999"}
    harness.run(200)
    assert intervals(harness)[:2] == [100, 105]
    harness.run(DAY)
    assert max(intervals(harness)) == 6 * 3600


def test_failing_event_of_a_parallel_webhook(harness: WebhookHarness) -> None:
    """A parallel webhook delivers other events while one fails; its cursor stays before that one."""
    webhook = harness.subscribe(parallel=2)
    bad = harness.next_message_id()
    harness.receiver.answer = lambda message: 500 if message.id == bad else 204
    good = harness.register_devices(300)[1:]
    harness.run(2)
    assert [found for found in harness.receiver.ids if found != bad] == good
    assert harness.get(webhook)["cursor"] == webhook["cursor"]
    let_work(harness)
    harness.run(10)
    assert int(harness.get(webhook)["cursor"].rpartition("-")[2]) == int(webhook["cursor"].rpartition("-")[2]) + 300


def test_events_that_wait_for_a_retry_hold_no_place(harness: WebhookHarness) -> None:
    """A parallel webhook delivers at the pace of its receiver, though events fail that are retried much later."""
    harness.subscribe(parallel=2)
    failed: set[str] = set()

    def fail_one_in_five_once(message: Message) -> int:
        if int(message.id.rpartition("-")[2]) % 5 or message.id in failed:
            return 204
        failed.add(message.id)
        return 500

    harness.receiver.answer = fail_one_in_five_once
    expected = set(harness.register_devices(100))
    harness.run(2)
    assert set(harness.receiver.ids) == expected
    assert len(failed) == 20
    harness.run(4)
    assert len(harness.receiver.messages) == 120


def test_failing_event_that_waits_after_a_restart_holds_no_place(
    harness: WebhookHarness, no_logged_failure: list[Any]
) -> None:
    """After a restart, too, a parallel webhook delivers other events before the retry of one that failed is due."""
    webhook = harness.subscribe(parallel=2)
    let_fail(harness)
    harness.register_devices(2)
    harness.run(3600)
    let_work(harness)
    harness.receiver.messages.clear()
    harness.dispatcher._workers[webhook["id"]].fail(Failure(KeyError("bug")))
    no_logged_failure.clear()
    expected = harness.register_devices(50)
    harness.run(2)
    assert set(harness.receiver.ids) >= set(expected)


def test_store_that_fails_for_a_while(harness: WebhookHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store cannot be written no further event is sent; afterwards delivery continues by itself."""
    webhook = harness.subscribe()
    with monkeypatch.context() as broken:
        broken.setattr(type(harness.server.store), "save_progress", lambda *_: defer.fail(Unavailable("not now")))
        expected = harness.register_devices(3)
        harness.run(30)
        assert harness.receiver.ids == expected[:1]
    harness.run(2)
    assert harness.receiver.ids == expected
    with monkeypatch.context() as broken:
        broken.setattr(type(harness.server.store), "events", lambda *_: defer.fail(Unavailable("not now")))
        harness.redeliver(webhook)
        expected += harness.register_devices()
        harness.run(30)
        assert harness.dispatcher.stuck(20)
        assert not harness.dispatcher.stuck(40)
    harness.run(2)
    assert harness.receiver.ids == expected
    assert not harness.dispatcher.stuck(1)
    assert [entry["status"] for entry in harness.deliveries(webhook)] == [204] * 4


def test_backoff_is_not_stuck(harness: WebhookHarness) -> None:
    """A webhook whose receiver is down is not stuck, however many events wait."""
    harness.subscribe()
    let_fail(harness)
    harness.register_devices(450)
    harness.run(DAY)
    assert not harness.dispatcher.stuck(60)


def test_unexpected_error_is_a_failed_attempt(
    harness: WebhookHarness, monkeypatch: pytest.MonkeyPatch, no_logged_failure: list[Any]
) -> None:
    """A message that cannot even be built is logged, is in the delivery log, and is tried again."""
    webhook = harness.subscribe()

    def fail(*_: object) -> NoReturn:
        raise KeyError("bug")

    with monkeypatch.context() as broken, capturedLogs() as logged:
        broken.setattr(formats, "write_message", fail)
        [event] = harness.register_devices()
        harness.run(1)
    [entry] = [entry for entry in logged if "webhook_id" in entry]
    assert entry["webhook_id"] == webhook["id"]
    assert "cannot send event" in formatEvent(entry)
    assert [failure.type for failure in no_logged_failure] == [KeyError]
    no_logged_failure.clear()
    harness.run(10)
    assert harness.receiver.ids == [event]
    assert [(entry["status"], entry["error"]) for entry in harness.deliveries(webhook)] == [
        (None, "KeyError"),
        (204, None),
    ]


@pytest.mark.parametrize("error", [CancelledError(), KeyError("bug"), RuntimeError()])
def test_whatever_an_attempt_raises_is_a_failed_attempt(
    harness: WebhookHarness, monkeypatch: pytest.MonkeyPatch, no_logged_failure: list[Any], error: Exception
) -> None:
    """An attempt that ends in any exception is in the delivery log, and is made again; events stay in order."""
    webhook = harness.subscribe()
    with monkeypatch.context() as broken:
        broken.setattr(WebhookSender, "post", lambda *_: defer.fail(error))
        expected = harness.register_devices(2)
        harness.run(1)
    no_logged_failure.clear()
    assert harness.get(webhook)["failing_since"]
    harness.run(10)
    assert harness.receiver.ids == expected
    assert [(entry["status"], entry["error"]) for entry in harness.deliveries(webhook)] == [
        (None, type(error).__name__),
        (204, None),
        (204, None),
    ]


@pytest.mark.parametrize("part", ["read_retry_after", "match_now", "_read_up_to"])
def test_worker_that_ends_unexpectedly_is_started_again(
    harness: WebhookHarness, monkeypatch: pytest.MonkeyPatch, no_logged_failure: list[Any], part: str
) -> None:
    """A worker with a bug is not ready, is started again from its saved progress, and loses no event."""
    webhook = harness.subscribe()

    def fail(*_: object) -> NoReturn:
        raise KeyError("bug")

    owner = {"match_now": SubscriptionFilter, "_read_up_to": WebhookWorker}.get(part, worker)
    with monkeypatch.context() as broken:
        broken.setattr(owner, part, fail)
        if part == "_read_up_to":
            broken.setattr(SubscriptionFilter, "match_now", lambda *_: None)
        let_fail(harness)
        expected = harness.register_devices(2)
        harness.run(0.1)
        assert harness.server.ask("GET /readyz").code == 503
        assert webhook["id"] in harness.server.ask("GET /readyz").json["detail"]
        assert {failure.type for failure in no_logged_failure} == {KeyError}
    no_logged_failure.clear()
    let_work(harness)
    harness.receiver.messages.clear()
    harness.run(10)
    assert harness.server.ask("GET /readyz").code == 200
    assert harness.receiver.ids == expected
    assert not harness.dispatcher.stuck(1)


def test_worker_that_always_fails_is_started_again_ever_less_often(
    harness: WebhookHarness, monkeypatch: pytest.MonkeyPatch, no_logged_failure: list[Any]
) -> None:
    """A worker that ends whenever it is started does not fill the log, and the dead man's switch notices it."""
    harness.subscribe()
    monkeypatch.setattr(worker, "read_retry_after", lambda *_: 1 / 0)
    let_fail(harness)
    harness.register_devices()
    harness.run(3600)
    assert 10 < len(no_logged_failure) < 30
    no_logged_failure.clear()
    assert harness.server.ask("GET /readyz").code == 503
    assert harness.dispatcher.stuck(10)


@pytest.mark.parametrize("operation", ["events", "save_progress"])
def test_unexpected_error_of_the_store(
    harness: WebhookHarness, monkeypatch: pytest.MonkeyPatch, no_logged_failure: list[Any], operation: str
) -> None:
    """An unexpected error of the store is logged, and delivery continues a second later."""
    webhook = harness.subscribe()
    with monkeypatch.context() as broken:
        broken.setattr(type(harness.server.store), operation, lambda *_: defer.fail(KeyError("bug")))
        harness.redeliver(webhook)
        expected = harness.register_devices(2)
        harness.run(3)
    assert {failure.type for failure in no_logged_failure} == {KeyError}
    no_logged_failure.clear()
    harness.run(2)
    assert harness.receiver.ids == expected
    assert [entry["status"] for entry in harness.deliveries(webhook)] == [204, 204]


def test_attempt_that_cannot_be_saved_is_stuck(harness: WebhookHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that cannot save what it has delivered is stuck."""
    harness.subscribe()
    with monkeypatch.context() as broken:
        broken.setattr(type(harness.server.store), "save_progress", lambda *_: defer.Deferred())
        harness.register_devices()
        harness.run(30)
    assert harness.dispatcher.stuck(20)
    assert not harness.dispatcher.stuck(40)


def test_worker_with_a_full_window_is_not_stuck(harness: WebhookHarness) -> None:
    """A worker that can read again after its window was full is not stuck."""
    harness.subscribe()
    harness.receiver.answer = lambda _: NO_RESPONSE
    harness.register_devices(450)
    harness.run(5)
    let_fail(harness)
    harness.receiver.respond(500)
    harness.run(3600)
    stuck = []

    def answer(_: Message) -> int:
        stuck.append(harness.dispatcher.stuck(5))
        return 204

    harness.receiver.answer = answer
    harness.run(2 * 3600)
    assert not any(stuck)
    assert len(set(harness.receiver.ids)) == 450
