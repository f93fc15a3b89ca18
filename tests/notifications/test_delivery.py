"""Tests of how events come to the receivers of webhooks."""

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import deferLater

from pushd.model.event import Event
from pushd.store.sqlite.store import SqliteStore
from tests.in_memory_server import now
from tests.notifications.receiver import HOLD, Message, Post


def failing(times: int, status: int = 500) -> Callable[[Message], int]:
    """A receiver that fails so many times before it works."""
    left = [status] * times
    return lambda _: left.pop() if left else 204


def test_what_happens_is_told(post: Post) -> None:
    """A receiver is told of what happens after it was subscribed, in a form that it can verify."""
    post.happen()
    webhook = post.subscribe()
    post.happen(name="Front door")
    post.run()
    [message] = post.receiver.messages
    [event] = post.server.ask(f"GET /v1/events?after={webhook['cursor']}").json["items"]
    assert (message.type, message.event) == ("device.registered", event)
    assert message.path == "/hook?key=1"
    assert message.headers["content-type"] == "application/json"
    assert message.signed_by(webhook["secret"])
    assert post.seen(webhook)["cursor"] == event["seq"]


def test_order_is_kept(post: Post) -> None:
    """Events arrive one after the other, in the order in which they happened."""
    webhook = post.subscribe()
    expected = post.happen(450)
    post.run()
    assert post.receiver.ids == expected
    assert len(post.log(webhook)) == 450


def test_a_slow_receiver_holds_up_what_follows(post: Post) -> None:
    """Unless a webhook is parallel, nothing is sent before the event before it has arrived."""
    post.subscribe()
    post.receiver.answer = lambda _: HOLD
    expected = post.happen(3)
    post.run()
    assert post.receiver.ids == expected[:1]
    post.receiver.answer = lambda _: 204
    post.receiver.release()
    post.run()
    assert post.receiver.ids == expected


def test_types(post: Post) -> None:
    """A webhook is told of the types of events that it names, and of nothing else."""
    webhook = post.subscribe(types=["device.changed", "device.deleted"])
    post.happen()
    post.server.ask("PATCH /v1/devices/controlid:1", {"name": "Front door"})
    post.server.ask("DELETE /v1/devices/controlid:1")
    post.run()
    assert post.receiver.types == ["device.changed", "device.deleted"]
    assert post.seen(webhook)["types"] == ["device.changed", "device.deleted"]


def test_tags(post: Post) -> None:
    """A webhook with tags is told of devices that have all of them."""
    post.subscribe(tags=["berlin", "door"])
    post.happen(tags=["berlin"])
    [wanted] = post.happen(tags=["door", "berlin", "old"])
    post.happen(tags=[])
    post.run()
    assert post.receiver.ids == [wanted]


def test_a_forgotten_device_keeps_its_tags_for_what_happened(post: Post) -> None:
    """That a device was deleted is told to whoever asked for its tags, though it has none any more."""
    post.subscribe(tags=["berlin"])
    post.happen(2, tags=["berlin"])
    post.server.put("controlid:1", {"endpoint": "load_objects"})
    post.server.ask("DELETE /v1/devices/controlid:1")
    post.run()
    assert post.receiver.types == ["device.registered"] * 2 + ["command.queued", "command.cancelled", "device.deleted"]


def test_what_is_not_wanted_is_passed_over(post: Post) -> None:
    """A webhook that wants little does not look again at what it did not want, and writes that down now and then
    only.
    """
    webhook = post.subscribe(types=["webhook.failed"])
    post.happen(5)
    post.run()
    assert post.seen(webhook)["cursor"] == webhook["cursor"]
    for _ in range(2):  # one look, and one note of it
        now(post.dispatcher.checkpoint())
        post.run()
    assert int(post.seen(webhook)["cursor"]) == int(webhook["cursor"]) + 5
    assert post.receiver.messages == []


def test_several_at_once(post: Post) -> None:
    """A parallel webhook is sent so many events at once, and its cursor only passes what has arrived without a gap."""
    webhook = post.subscribe(parallel=3)
    post.receiver.answer = lambda _: HOLD
    expected = post.happen(5)
    post.run()
    assert post.receiver.ids == expected[:3]
    first, *others = post.receiver.held
    post.receiver.held = others
    post.receiver.release()
    post.run()
    assert post.receiver.ids == expected
    assert post.seen(webhook)["cursor"] == webhook["cursor"]
    post.receiver.held.append(first)
    post.receiver.release()
    post.run()
    assert int(post.seen(webhook)["cursor"]) == int(webhook["cursor"]) + 5


def test_secrets_overlap(post: Post) -> None:
    """After a rotation both secrets sign until the overlap is over, then only the new one."""
    webhook = post.subscribe()
    new = post.server.ask(f"POST /v1/webhooks/{webhook['id']}/secret?overlap=60").json["secret"]
    post.happen()
    post.run(61)
    post.happen()
    post.run()
    first, second = post.receiver.messages
    assert (first.signed_by(webhook["secret"]), first.signed_by(new)) == (True, True)
    assert (second.signed_by(webhook["secret"]), second.signed_by(new)) == (False, True)


def test_without_overlap_the_old_secret_ends_at_once(post: Post) -> None:
    """A secret that is replaced without an overlap signs nothing any more."""
    webhook = post.subscribe()
    new = post.server.ask(f"POST /v1/webhooks/{webhook['id']}/secret").json["secret"]
    post.happen()
    post.run()
    [message] = post.receiver.messages
    assert (message.signed_by(webhook["secret"]), message.signed_by(new)) == (False, True)


def test_a_deleted_webhook_is_told_nothing(post: Post) -> None:
    """Once it is deleted, nothing is sent any more, not even what had failed."""
    webhook = post.subscribe()
    post.receiver.answer = failing(1)
    post.happen()
    post.run()
    assert post.server.ask(f"DELETE /v1/webhooks/{webhook['id']}").code == 204
    post.run(3600)
    assert len(post.receiver.messages) == 1


def test_another_url_is_tried_at_once(post: Post) -> None:
    """Whoever corrects the URL of a failing webhook need not wait for the next attempt."""
    webhook = post.subscribe()
    post.receiver.answer = failing(8)
    [event] = post.happen()
    post.run(600)
    count = len(post.receiver.messages)
    post.receiver.answer = lambda _: 204
    changed = post.server.ask(f"PATCH /v1/webhooks/{webhook['id']}", {"url": "https://other.example/"}).json
    assert (changed["failing_since"], changed["next_attempt_at"]) == (None, None)
    post.run()
    assert [(message.id, message.path) for message in post.receiver.messages[count:]] == [(event, "/")]


@pytest.mark.parametrize(("tags", "most"), [([], 0), (["new"], 12)])
def test_few_looks(post: Post, monkeypatch: pytest.MonkeyPatch, tags: list[str], most: int) -> None:
    """Who keeps up reads nothing; what must be looked up is looked for ten times per second, not once for each
    event.
    """
    post.subscribe(tags=tags)
    looks = 0
    events = SqliteStore.events

    def counted(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        return events(*args)

    monkeypatch.setattr(SqliteStore, "events", counted)
    expected: list[str] = []
    for _ in range(100):
        expected += post.happen(2, tags=["new"])
        post.run(0.01)
    assert looks <= most
    post.run(1)
    assert post.receiver.ids == expected


def test_many_webhooks(post: Post) -> None:
    """Each of many webhooks is told of all that it wants."""
    webhooks = [post.subscribe(url=f"https://receiver.example/{number}") for number in range(20)]
    expected = post.happen(20)
    post.run()
    for number, webhook in enumerate(webhooks):
        told = [message.id for message in post.receiver.messages if message.path == f"/{number}"]
        assert told == expected
        assert post.seen(webhook)["cursor"] == expected[-1].removeprefix("evt_")


def test_a_device_that_gets_the_tag_is_told_of(post: Post) -> None:
    """The change that gives a device the tags is told, and so is what follows."""
    post.happen()
    post.subscribe(tags=["berlin"])
    changes: list[dict[str, Any]] = [{"name": "Door"}, {"tags": ["berlin"]}, {"name": "Front door"}, {"tags": []}]
    for fields in changes:
        post.server.ask("PATCH /v1/devices/controlid:1", fields)
        post.run()
    assert [message.event["data"]["fields"] for message in post.receiver.messages] == [["tags"], ["name"]]


def test_what_happens_during_a_look_is_not_missed(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that comes when the store has looked already, but has not answered yet, is delivered too."""
    events = SqliteStore.events

    def slowly(*args: Any) -> Any:
        page = now(events(*args))
        return deferLater(post.server.clock, 1, lambda: page)

    webhook = post.subscribe()
    monkeypatch.setattr(SqliteStore, "events", slowly)
    post.redeliver(webhook)
    post.run(0.5)
    expected = post.happen()
    post.run(5)
    assert post.receiver.ids == expected


def test_what_was_read_already_is_not_sent_twice(post: Post) -> None:
    """An event that a look has found before it was told of is one event."""
    told: list[Event] = []
    post.server.store.subscribe(told.append)
    post.subscribe()
    expected = post.happen(2)
    post.run()
    for event in told:
        post.dispatcher._handle(event)
    post.run()
    assert post.receiver.ids == expected
