"""Tests of webhooks over a stop, or the end, of the server."""

from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.defer import fail
from twisted.internet.task import Clock

from pushd.model.errors import Unavailable
from pushd.store.sqlite.store import SqliteStore
from tests.in_memory_server import START, BuildHouse, now
from tests.notifications.receiver import HOLD, Post, Receiver

Start = Callable[[], Post]


@pytest.fixture
def start(build_house: BuildHouse, clock: Clock, tmp_path: Path) -> Start:
    """Starts a server over a database in a file, again and again, with one receiver."""
    receiver = Receiver()
    ahead = START - clock.seconds()

    def start() -> Post:
        server = build_house(SqliteStore(str(tmp_path / "pushd.sqlite")))
        server.core.clocks.wall = lambda: ahead + clock.seconds()  # which goes on over a restart
        return Post(server, receiver)

    return start


def end(post: Post) -> None:
    """Let the server be gone without any notice."""
    for worker in post.dispatcher._workers.values():
        worker.abort()
    post.dispatcher._workers.clear()
    now(post.server.store.close())


def test_a_restart_loses_nothing(start: Start) -> None:
    """What happened while the receiver, or the server, was down is delivered by the next process, in order."""
    post = start()
    webhook = post.subscribe()
    post.happen(2)
    post.run()
    post.receiver.answer = lambda _: 500
    missed = post.happen(3)
    post.run(7)
    end(post)
    post.receiver.answer = lambda _: 204
    post.receiver.messages.clear()
    post.server.clock.advance(86400)
    again = start()
    again.run(20)
    assert again.receiver.ids == missed
    assert int(again.seen(webhook)["cursor"]) == int(missed[-1].removeprefix("evt_"))
    again.stop()


def test_a_restart_does_not_forget_for_how_long_it_failed(start: Start) -> None:
    """The three days, and the pauses, go on over a restart."""
    post = start()
    webhook = post.subscribe(types=["device.registered"])
    post.receiver.answer = lambda _: 500
    post.happen()
    post.run(2 * 86400)
    before = post.seen(webhook)
    end(post)
    count = len(post.receiver.messages)
    again = start()
    again.run(60)
    assert again.seen(webhook) == before
    assert len(again.receiver.messages) == count
    again.run(86400)
    assert again.seen(webhook)["disabled_at"] is not None
    end(again)
    last = start()
    last.run(86400)
    assert last.seen(webhook)["disabled_at"] is not None
    last.stop()


def test_a_store_that_does_not_answer_at_the_start(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhooks begin as soon as the store can say which there are, and until then it can be seen that they did not."""
    post = start()
    post.subscribe()
    end(post)
    with monkeypatch.context() as broken:
        broken.setattr(SqliteStore, "subscriptions", lambda _: fail(Unavailable("not now")))
        again = start()
        again.run(60)
        assert again.dispatcher.stuck(50)
    expected = again.happen(2)
    again.run(5)
    assert not again.dispatcher.stuck(5)
    assert again.receiver.ids == expected
    again.stop()


def test_what_was_on_its_way_is_sent_again(start: Start) -> None:
    """A server that ends before it knows that an event has arrived sends it again."""
    post = start()
    post.subscribe(parallel=2)
    first = post.coming()
    post.receiver.answer = lambda message: HOLD if message.id == first else 204
    expected = post.happen(3)
    post.run()
    end(post)
    post.receiver.answer = lambda _: 204
    again = start()
    again.run()
    assert again.receiver.ids == expected * 2
    again.stop()


def test_what_was_forgotten_meanwhile(start: Start) -> None:
    """A webhook that was away for longer than events are kept goes on with the oldest one, and its log says so."""
    post = start()
    post.happen()
    webhook = post.subscribe(types=["device.registered"])
    post.receiver.answer = lambda _: 410
    post.happen(3)
    post.run()
    assert post.seen(webhook)["disabled_at"] is not None
    post.server.clock.advance(40 * 86400)
    now(post.server.core.purge())
    post.receiver.answer = lambda _: 204
    post.receiver.messages.clear()
    expected = post.happen(2)
    post.redeliver(webhook)
    post.run()
    assert post.receiver.ids == expected
    [lost, *delivered] = post.log(webhook)
    assert (lost["seq"], lost["status"]) == (expected[0].removeprefix("evt_"), None)
    assert "no longer kept" in lost["error"]
    assert [entry["status"] for entry in delivered] == [204, 204]
    end(post)
