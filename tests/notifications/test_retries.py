"""Tests of what happens when a receiver does not take what it is sent."""

from itertools import pairwise
from typing import Any, NoReturn

import pytest
from twisted.internet import defer
from twisted.logger import capturedLogs, formatEvent

from pushd.model.errors import Unavailable
from pushd.notifications.webhooks import signature
from pushd.notifications.webhooks.delivery_window import CAPACITY
from tests.in_memory_server import now
from tests.notifications.receiver import HOLD, Message, Post

DAY = 86400.0


def ages(post: Post) -> list[float]:
    """Seconds between the messages that the receiver was sent."""
    moments = [int(message.headers["webhook-timestamp"]) for message in post.receiver.messages]
    return [later - earlier for earlier, later in pairwise(moments)]


def fail(post: Post, status: int = 500) -> None:
    """From now on, let the receiver fail."""
    post.receiver.answer = lambda _: status


def work(post: Post) -> None:
    """From now on, let the receiver work."""
    post.receiver.answer = lambda _: 204


def failures(post: Post) -> list[dict[str, object]]:
    """What the feed tells of webhooks that failed."""
    return [event["data"] for event in post.server.ask("GET /v1/events?type=webhook.failed").json["items"]]


def test_the_delay_doubles(post: Post) -> None:
    """A failing receiver is tried again after 5 s, 10 s, 20 s, and so on, with the same id and body, freshly
    signed.
    """
    webhook = post.subscribe()
    fail(post)
    post.happen()
    post.run(160)
    assert ages(post) == [5, 10, 20, 40, 80]
    assert len({(message.id, message.body) for message in post.receiver.messages}) == 1
    assert all(message.signed_by(webhook["secret"]) for message in post.receiver.messages)


def test_what_followed_comes_after(post: Post) -> None:
    """What happened while the receiver was down arrives afterwards, in order, and the webhook is sound again."""
    webhook = post.subscribe()
    fail(post)
    expected = post.happen(3)
    post.run(30)
    assert set(post.receiver.ids) == {expected[0]}
    failing = post.seen(webhook)
    assert failing["failing_since"] == "2027-01-15T08:00:01.000Z"
    assert failing["next_attempt_at"] == "2027-01-15T08:00:36.000Z"
    work(post)
    post.receiver.messages.clear()
    post.run(30)
    assert post.receiver.ids == expected
    seen = post.seen(webhook)
    assert (seen["failing_since"], seen["next_attempt_at"]) == (None, None)


def test_disabled_after_three_days(post: Post) -> None:
    """When an event could not be delivered for three days, its webhook is disabled, and the feed says so."""
    webhook = post.subscribe(types=["device.registered"])
    fail(post)
    [event] = post.happen()
    post.run(3 * DAY - 1)
    assert post.seen(webhook)["disabled_at"] is None
    assert max(ages(post)) <= 6 * 3600
    post.run(2)
    seen = post.seen(webhook)
    assert seen["disabled_at"] == "2027-01-18T08:00:01.000Z"
    assert seen["disabled_reason"] == "an event could not be delivered for 3 days"
    assert seen["next_attempt_at"] is None
    assert failures(post) == [
        {"webhook": webhook["id"], "reason": seen["disabled_reason"], "seq": event.removeprefix("evt_")}
    ]
    count = len(post.receiver.messages)
    post.happen()
    post.run(DAY)
    assert len(post.receiver.messages) == count


def test_redelivery_goes_on_where_it_stopped(post: Post) -> None:
    """A webhook that was disabled is enabled by an operator, and has lost nothing."""
    webhook = post.subscribe(types=["device.registered"])
    fail(post)
    expected = post.happen(2)
    post.run(3 * DAY + 1)
    expected += post.happen(2)
    work(post)
    post.receiver.messages.clear()
    post.redeliver(webhook)
    post.run()
    assert post.receiver.ids == expected
    assert post.seen(webhook)["disabled_at"] is None


def test_redelivery_from_earlier(post: Post) -> None:
    """An operator may have everything after an event delivered again."""
    webhook = post.subscribe()
    expected = post.happen(4)
    post.run()
    post.redeliver(webhook, after=expected[0].removeprefix("evt_"))
    post.run()
    assert post.receiver.ids == expected + expected[1:]


def test_redelivery_outruns_what_was_on_its_way(post: Post) -> None:
    """A message that arrives just when an operator goes back does not undo that."""
    webhook = post.subscribe()
    expected = post.happen(3)
    post.run()
    post.receiver.answer = lambda _: HOLD
    expected += post.happen(1)
    post.run()
    work(post)
    post.receiver.messages.clear()
    post.redeliver(webhook, after="0")
    post.receiver.release()
    post.run()
    assert post.receiver.ids == expected


def test_gone_is_gone(post: Post) -> None:
    """A receiver that answers 410 is asked no second time."""
    webhook = post.subscribe()
    fail(post, 410)
    post.happen(2)
    post.run(3600)
    assert len(post.receiver.messages) == 1
    assert "410" in post.seen(webhook)["disabled_reason"]
    assert len(failures(post)) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 429, 500, 503])
def test_all_else_is_tried_again(post: Post, status: int) -> None:
    """Whatever else is answered, a redirect among it, is a failure: nothing is sent to anywhere else."""
    webhook = post.subscribe()
    post.receiver.headers = {"Location": "https://elsewhere.example/"}
    post.receiver.body = b"try\nelsewhere"
    fail(post, status)
    post.happen()
    post.run(1)
    [entry] = post.log(webhook)
    assert (entry["status"], entry["error"]) == (status, "try elsewhere")
    work(post)
    post.run(10)
    assert len(post.receiver.messages) == 2
    assert {message.path for message in post.receiver.messages} == {"/hook?key=1"}


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_any_success_will_do(post: Post, status: int) -> None:
    """Any 2xx is a success."""
    webhook = post.subscribe()
    fail(post, status)
    post.happen(2)
    post.run(1)
    assert [entry["status"] for entry in post.log(webhook)] == [status] * 2


def test_a_silent_receiver(post: Post) -> None:
    """A receiver has ten seconds to answer; the connection is closed then, and it is tried again."""
    webhook = post.subscribe()
    post.receiver.answer = lambda _: HOLD
    post.happen()
    post.run(9.9)
    assert post.log(webhook) == []
    post.run(0.2)
    [entry] = post.log(webhook)
    assert (entry["duration"], entry["status"], entry["error"]) == (10.0, None, "no answer within 10 s")
    work(post)
    post.run(10)
    assert [entry["status"] for entry in post.log(webhook)] == [None, 204]


def test_an_endless_answer(post: Post) -> None:
    """Of what a receiver says, only the beginning is kept."""
    webhook = post.subscribe()
    post.receiver.body = b"x" * 200_000
    fail(post)
    post.happen()
    post.run(1)
    [entry] = post.log(webhook)
    assert entry["status"] == 500
    assert 900 < len(entry["error"]) <= 1024


def test_an_answer_without_end(post: Post) -> None:
    """A receiver that does not stop to talk is hung up on, not listened to until the time is over."""
    webhook = post.subscribe()

    def talk(_: Message) -> int:
        post.server.clock.callLater(1, lambda: post.receiver.held[0].write(b"x" * 100_000))
        return HOLD

    post.receiver.answer = talk
    post.happen()
    post.run(2)
    [entry] = post.log(webhook)
    assert (entry["status"], entry["duration"]) == (200, 1.0)


def test_what_waits_is_bounded(post: Post) -> None:
    """While a receiver is down, memory holds a few hundred events, however many happen."""
    webhook = post.subscribe()
    fail(post)
    expected = post.happen(450)
    for _ in range(250):
        expected += post.happen()
        post.run(0.3)
    in_hand = post.dispatcher._workers[webhook["id"]]._window
    assert len(in_hand) <= 2 * CAPACITY
    work(post)
    post.receiver.messages.clear()
    post.run(120)
    assert post.receiver.ids == expected


def test_the_receiver_may_ask_for_time(post: Post) -> None:
    """``Retry-After`` is honoured, up to six hours."""
    post.subscribe()
    post.receiver.headers = {"Retry-After": "100"}
    fail(post, 429)
    post.happen()
    post.run(150)
    post.receiver.headers = {"Retry-After": "999999"}
    post.run(200)
    assert ages(post)[:2] == [100, 105]
    post.run(DAY)
    assert max(ages(post)) == 6 * 3600


def test_one_bad_event_does_not_stop_the_others_of_a_parallel_webhook(post: Post) -> None:
    """A parallel webhook goes on around an event that fails; its cursor waits for that."""
    webhook = post.subscribe(parallel=2)
    bad = post.coming()
    post.receiver.answer = lambda message: 500 if message.id == bad else 204
    good = post.happen(300)[1:]
    post.run(2)
    assert [found for found in post.receiver.ids if found != bad] == good
    assert post.seen(webhook)["cursor"] == webhook["cursor"]
    work(post)
    post.run(10)
    assert int(post.seen(webhook)["cursor"]) == int(webhook["cursor"]) + 300


def test_a_store_that_does_not_answer_for_a_while(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing can be written nothing more is sent, and afterwards it goes on by itself."""
    webhook = post.subscribe()
    with monkeypatch.context() as broken:
        broken.setattr(type(post.server.store), "save_progress", lambda *_: defer.fail(Unavailable("not now")))
        expected = post.happen(3)
        post.run(30)
        assert post.receiver.ids == expected[:1]
    post.run(2)
    assert post.receiver.ids == expected
    with monkeypatch.context() as broken:
        broken.setattr(type(post.server.store), "events", lambda *_: defer.fail(Unavailable("not now")))
        post.redeliver(webhook)
        expected += post.happen()
        post.run(30)
        assert post.dispatcher.stuck(20)
        assert not post.dispatcher.stuck(40)
    post.run(2)
    assert post.receiver.ids == expected
    assert not post.dispatcher.stuck(1)
    assert [entry["status"] for entry in post.log(webhook)] == [204] * 4


def test_resting_is_not_being_stuck(post: Post) -> None:
    """A webhook whose receiver is down for long is not stuck, however much waits for it."""
    post.subscribe()
    fail(post)
    post.happen(450)
    post.run(DAY)
    assert not post.dispatcher.stuck(60)


def test_stopping_lets_what_is_on_its_way_arrive(post: Post) -> None:
    """When the server stops, a receiver that answers soon is heard; nothing further is begun."""
    webhook = post.subscribe()
    post.receiver.answer = lambda _: HOLD
    post.happen(2)
    post.run()
    stopped = post.dispatcher.stopService()
    post.receiver.release()
    post.run()
    now(stopped)
    assert [entry["status"] for entry in post.log(webhook)] == [204]
    assert len(post.receiver.messages) == 1


def test_stopping_does_not_wait_for_ever(post: Post) -> None:
    """What has not arrived after two seconds is given up, and no failure is noted for it."""
    webhook = post.subscribe()
    post.receiver.answer = lambda _: HOLD
    post.happen(2)
    post.run()
    post.stop(2.1)
    assert post.log(webhook) == []
    assert post.seen(webhook)["failing_since"] is None


def test_an_unexpected_error_is_a_failed_attempt(
    post: Post, monkeypatch: pytest.MonkeyPatch, no_logged_failure: list[Any]
) -> None:
    """A message that cannot even be built is logged, stands in the delivery log, and is tried again."""
    webhook = post.subscribe()

    def fail(*_: object) -> NoReturn:
        raise KeyError("bug")

    with monkeypatch.context() as broken, capturedLogs() as logged:
        broken.setattr(signature, "write_message", fail)
        [event] = post.happen()
        post.run(1)
    [entry] = [entry for entry in logged if "webhook_id" in entry]
    assert entry["webhook_id"] == webhook["id"]
    assert "cannot send event" in formatEvent(entry)
    assert [failure.type for failure in no_logged_failure] == [KeyError]
    no_logged_failure.clear()
    post.run(10)
    assert post.receiver.ids == [event]
    assert [(entry["status"], entry["error"]) for entry in post.log(webhook)] == [(None, "KeyError"), (204, None)]


@pytest.mark.parametrize("operation", ["events", "save_progress"])
def test_an_unexpected_error_of_the_store_ends_no_worker(
    post: Post, monkeypatch: pytest.MonkeyPatch, no_logged_failure: list[Any], operation: str
) -> None:
    """An error of the store that nothing foresees is logged, and delivery goes on a second later."""
    webhook = post.subscribe()
    with monkeypatch.context() as broken:
        broken.setattr(type(post.server.store), operation, lambda *_: defer.fail(KeyError("bug")))
        post.redeliver(webhook)
        expected = post.happen(2)
        post.run(3)
    assert {failure.type for failure in no_logged_failure} == {KeyError}
    no_logged_failure.clear()
    post.run(2)
    assert post.receiver.ids == expected
    assert [entry["status"] for entry in post.log(webhook)] == [204, 204]


def test_an_attempt_that_cannot_be_saved_is_stuck(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that cannot save what it has delivered makes no progress, and this shows."""
    post.subscribe()
    with monkeypatch.context() as broken:
        broken.setattr(type(post.server.store), "save_progress", lambda *_: defer.Deferred())
        post.happen()
        post.run(30)
    assert post.dispatcher.stuck(20)
    assert not post.dispatcher.stuck(40)


def test_a_worker_whose_window_was_full_is_not_stuck(post: Post) -> None:
    """The moment in which a receiver takes events again after a long outage, reading begins and is not late."""
    post.subscribe()
    post.receiver.answer = lambda _: HOLD
    post.happen(450)
    post.run(5)
    fail(post)
    post.receiver.release(500)
    post.run(3600)
    stuck = []

    def answer(_: Message) -> int:
        stuck.append(post.dispatcher.stuck(5))
        return 204

    post.receiver.answer = answer
    post.run(2 * 3600)
    assert not any(stuck)
    assert len(set(post.receiver.ids)) == 450
