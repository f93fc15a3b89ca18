"""Tests of the event log as an iterator."""

from datetime import UTC, datetime, timedelta

import pytest

from pushd.client import Client, EventsPurged, EventType, Unauthenticated, Unreachable
from tests.client.conftest import ABSENT, CONTAINER, MakeClient, url_of
from tests.client.flaky_proxy import FlakyProxy, Loss
from tests.integration.conftest import MakeServer
from tests.integration.conftest import make_server as make_server
from tests.integration.server import Server

pytestmark = pytest.mark.slow

REFRESH = {"control": "REFRESH_AGENT", "data": {"agent": 3}}
QUIET = 1.0
"""Seconds after which a feed ends."""


def test_life_of_a_command(client: Client) -> None:
    """The events of a command arrive as they happen, from when the feed was made."""
    client.send(CONTAINER, REFRESH, wait=30)  # before
    feed = client.events(devices=[CONTAINER])
    sent = client.send(CONTAINER, REFRESH, trace="followed")
    events = []
    for event in feed:
        events.append(event)
        if event.type == EventType.COMMAND_SUCCEEDED:
            break
    assert [event.type.partition(".")[2] for event in events] == ["queued", "sent", "acknowledged", "succeeded"]
    assert {(event.device, event.command, event.data["trace"]) for event in events} == {
        (CONTAINER, sent.id, "followed")
    }
    assert events[0].by == "admin"


def test_types(client: Client) -> None:
    """A feed has only the types that were asked for, and ends when none came for its timeout."""
    feed = client.events(types=[EventType.COMMAND_QUEUED, EventType.COMMAND_CANCELLED], timeout=QUIET)
    sent = client.send(ABSENT, {"endpoint": "load_objects", "body": {"object": "users"}})
    client.cancel(sent.id)
    assert [event.type for event in feed] == ["command.queued", "command.cancelled"]


def test_nothing_is_missed(
    fleet: Server, client: Client, proxy: FlakyProxy, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feed whose requests and answers are lost again and again has each event once, in order."""
    monkeypatch.setattr("pushd.client.events.MAX_PAGE", 2)
    feed = make_client(proxy.url, fleet.token).events(types=[EventType.COMMAND_QUEUED], timeout=5)
    client.register("servereye:many")
    sent = [client.send("servereye:many", REFRESH).id for _ in range(7)]
    proxy.losses.extend([Loss.ANSWER, Loss.REQUEST, Loss.NOTHING, Loss.SERVER, Loss.ANSWER])
    assert [next(feed).command for _ in sent] == sent


def test_position(client: Client) -> None:
    """A program that stores the position after each event continues behind it."""
    first = client.events(types=[EventType.DEVICE_CHANGED], timeout=QUIET)
    for name in ("a", "b", "c"):
        client.change(ABSENT, site=name)
    next(first)
    rest = client.events(after=first.position, types=[EventType.DEVICE_CHANGED], timeout=QUIET)
    assert [event.data["site"] for event in rest] == ["b", "c"]
    assert list(client.events(after=rest.position, types=[EventType.DEVICE_CHANGED], timeout=0.2)) == []


def test_since(client: Client) -> None:
    """A feed can begin with the events of the time since a moment."""
    client.change(ABSENT, site="before")
    noon = next(event.at for event in client.events(after="0", types=[EventType.DEVICE_REGISTERED]))
    feed = client.events(since=noon, types=[EventType.DEVICE_CHANGED], devices=[ABSENT], timeout=QUIET)
    assert "before" in {event.data["site"] for event in feed}
    client.change(ABSENT, site="after")
    assert [event.data["site"] for event in feed] == ["after"]
    later = client.events(since=datetime.now(UTC) + timedelta(hours=1), timeout=0.2)
    client.change(ABSENT, site="too early")
    assert list(later) == []


def test_restart(make_server: MakeServer, make_client: MakeClient) -> None:
    """A feed goes on where it was after the server was killed and started again."""
    server = make_server().start()
    port = server.admin.number
    server.options = [f"--admin=tcp:{port}:interface=127.0.0.1", "--devices=tcp:0:interface=127.0.0.1"]
    client = make_client(url_of(server), server.token, retry_for=30)
    feed = client.events(types=[EventType.DEVICE_REGISTERED])
    client.register("servereye:before")
    server.kill()
    server.start()
    client.register("servereye:after")
    assert [next(feed).device, next(feed).device] == ["servereye:before", "servereye:after"]


def test_unknown_position(client: Client) -> None:
    """A position that the database does not have is an error that says where to continue."""
    with pytest.raises(EventsPurged) as purged:
        next(client.events(after="0123456789ab-1", timeout=QUIET))
    assert list(client.events(after=purged.value.oldest, timeout=0.2)) is not None


def test_revoked_token(client: Client, fleet: Server, make_client: MakeClient) -> None:
    """A feed whose token is revoked ends with an error."""
    token = client.call("POST", "tokens", body={"name": "short", "role": "viewer"}, may_repeat=False)
    feed = make_client(url_of(fleet), token["token"]).events()
    client.call("DELETE", "tokens", token["id"])
    with pytest.raises(Unauthenticated):
        next(feed)


def test_unreachable(fleet: Server, proxy: FlakyProxy, make_client: MakeClient) -> None:
    """A feed with a timeout that cannot reach the server fails, instead of ending as if nothing had happened."""
    feed = make_client(proxy.url, fleet.token).events(timeout=0.5)
    proxy.losses.extend([Loss.REQUEST] * 50)
    with pytest.raises(Unreachable):
        next(feed)
