"""Tests of the calls of the client, against a server with simulated devices."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from pushd.client import (
    Client,
    InvalidFields,
    ModelUnknown,
    NotFound,
    OpenReason,
    Outcome,
    Presence,
    State,
    Unauthenticated,
    UnexpectedAnswer,
)
from tests.client.conftest import ABSENT, CONTAINER, READER, MakeClient, url_of
from tests.hostile_server import HostileServer
from tests.integration.calls import HOST
from tests.integration.server import Server

pytestmark = pytest.mark.slow

LOAD_USERS = {"endpoint": "load_objects", "body": {"object": "users"}}


def test_send_and_wait(client: Client) -> None:
    """A command that is sent with a wait returns with the device's result."""
    command = client.send(READER, LOAD_USERS, wait=30, trace="ticket 4711")
    assert (command.state, command.has_ended, command.trace) == (State.SUCCEEDED, True, "ticket 4711")
    assert command.result["response"]
    assert command.payload == LOAD_USERS
    assert command.sent_at is not None
    assert abs(datetime.now(UTC) - command.sent_at) < timedelta(minutes=1)


def test_wait_for_a_command(client: Client) -> None:
    """A command that was sent without a wait can be waited for, and the wait ends without an end, too."""
    sent = client.send(CONTAINER, {"control": "REFRESH_AGENT", "data": {"agent": 3}})
    assert client.wait(sent.id, timeout=30).state == State.SUCCEEDED
    queued = client.send(ABSENT, LOAD_USERS)
    assert client.wait(queued.id, timeout=0.2).state == State.QUEUED
    assert not queued.has_ended
    assert client.explain(queued.id).sentence
    assert client.cancel(queued.id).state == State.CANCELLED
    again = client.resend(queued.id, trace="again", ttl=7)
    assert (again.resend_of, again.trace, again.ttl) == (queued.id, "again", 7)


def test_wait_that_cancels(client: Client) -> None:
    """A command for a device that is not connected can be cancelled when the wait for it ends."""
    assert client.send(ABSENT, LOAD_USERS, wait=0.2, then="cancel").state == State.CANCELLED


def test_send_options(client: Client) -> None:
    """All fields of a command reach the server."""
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    command = client.send(
        ABSENT,
        LOAD_USERS,
        ttl=60,
        delivery="at_least_once",
        priority=7,
        not_before=tomorrow,
        lease=9.5,
        deadline=90,
        max_attempts=3,
        idempotency_key="of the caller",
    )
    assert (command.ttl, command.delivery, command.priority, command.not_before) == (60, "at_least_once", 7, tomorrow)
    assert (command.lease, command.deadline, command.max_attempts) == (9.5, 90, 3)
    assert (command.idempotency_key, command.expires_at) == ("of the caller", tomorrow + timedelta(seconds=60))


def test_moment_without_time_zone(client: Client) -> None:
    """A moment without a time zone is refused: it could be any."""
    with pytest.raises(ValueError, match="time zone"):
        client.send(ABSENT, LOAD_USERS, not_before=datetime(2030, 1, 1))  # noqa: DTZ001 - that is tested


def test_open(client: Client) -> None:
    """A door is opened in one call; one of a device that is not connected is not, and the reason says so."""
    opened = client.open(READER, trace="lobby")
    assert (opened.outcome, opened.reason, opened.command.trace) == (Outcome.OPENED, OpenReason.SUCCEEDED, "lobby")
    with pytest.raises(ModelUnknown, match="model"):
        client.open(ABSENT)


def test_devices(client: Client) -> None:
    """Devices can be found, read, registered, changed and deleted."""
    assert {device.id for device in client.devices(presence="online")} == {READER, CONTAINER}
    assert client.device(READER).presence == Presence.ONLINE
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    new = client.register("servereye:new", name="New", tags=["a", "b"], site="Lisbon", muted_until=until)
    assert (new.name, new.tags, new.site, new.muted_until) == ("New", ("a", "b"), "Lisbon", until)
    assert [device.id for device in client.devices(sites=["Lisbon"], tags=["b", "a"])] == [new.id]
    assert client.change(new.id, name="Newer", muted_until=None).muted_until is None
    client.delete(new.id)
    with pytest.raises(NotFound):
        client.device(new.id)


def test_list_of_several_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is read page by page, and has each command once."""
    monkeypatch.setattr("pushd.client.api.MAX_PAGE", 2)
    client.register("servereye:pages")
    sent = [client.send("servereye:pages", {"control": "REFRESH_AGENT"}).id for _ in range(5)]
    listed = list(client.commands(device="servereye:pages"))
    assert [command.id for command in listed] == sent[::-1]
    assert listed[0].payload is None
    assert list(client.commands(device="servereye:pages", since=datetime.now(UTC) + timedelta(hours=1))) == []


def test_several_threads(client: Client) -> None:
    """Several threads use one client at the same time, and each gets its own answers."""

    def send(number: int) -> bool:
        command = client.send(CONTAINER, {"control": "REFRESH_AGENT", "data": str(number)}, wait=30)
        return command.payload is not None and command.payload["data"] == str(number) and command.has_ended

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(send, range(24)))


def test_string_instead_of_a_list(client: Client) -> None:
    """A string where a list of strings is expected is refused, instead of matching nothing."""
    with pytest.raises(TypeError, match="list of strings"):
        client.events(devices=READER)
    with pytest.raises(TypeError, match="list of strings"):
        list(client.devices(sites="Lisbon"))


def test_info_and_other_calls(client: Client) -> None:
    """The client tells what the server has, and makes any other call of the API."""
    assert client.info().counts["devices"] >= 3
    assert client.call("GET", "catalogue", "servereye")["dialect"] == "servereye"


def test_problems(client: Client, fleet: Server, make_client: MakeClient) -> None:
    """Each problem is an error of its own class, with the fields that are wrong."""
    with pytest.raises(InvalidFields) as invalid:
        client.send(READER, {"endpoint": "load_objects"}, ttl=-1)
    assert (invalid.value.status, invalid.value.type) == (422, "invalid-fields")
    assert "#/ttl" in {error.pointer for error in invalid.value.errors}
    with pytest.raises(NotFound) as missing:
        client.send("controlid:999", LOAD_USERS)
    assert "controlid:999" in str(missing.value)
    with pytest.raises(Unauthenticated):
        make_client(url_of(fleet), "wrong").info()


def test_device_port(fleet: Server, make_client: MakeClient) -> None:
    """A client that is given the device port says so."""
    with pytest.raises(UnexpectedAnswer, match="answered 404 without problem details; is it the admin port"):
        make_client(f"http://{HOST}:{fleet.devices.number}", fleet.token).info()


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "403 Forbidden"])
def test_page_of_a_proxy(make_client: MakeClient, status: str) -> None:
    """A page that a proxy sends instead of the answer is reported by its status and the URL, without its HTML."""
    page = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
    with HostileServer(page.encode()).running() as url, pytest.raises(UnexpectedAnswer) as failed:
        make_client(url, "token").info()
    said = "the response is not from pushd, but for example from a proxy in between; is it the admin port of pushd?"
    assert str(failed.value) == f"{url.rstrip('/')} answered {status}; {said}"


@pytest.mark.parametrize("url", ["127.0.0.1:8081", "ftp://127.0.0.1", "http://", "http://127.0.0.1:8081/?a=1"])
def test_invalid_url(url: str) -> None:
    """What cannot be the URL of a server is refused at once."""
    with pytest.raises(ValueError, match="must be the URL of the admin port"):
        Client(url, "token")


def test_token_is_not_shown(client: Client, fleet: Server) -> None:
    """The token is in no representation of the client."""
    assert fleet.token not in repr(vars(client))
