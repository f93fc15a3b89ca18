"""Tests of repeated calls: through a proxy that loses requests and answers."""

import pytest

from pushd.client import Client, DeviceKnown, Outcome, Unavailable, Unreachable
from tests.client.conftest import ABSENT, READER, MakeClient
from tests.client.flaky_proxy import FlakyProxy, Loss
from tests.docs.terminal import free_port
from tests.integration.calls import HOST
from tests.integration.server import Server

pytestmark = pytest.mark.slow

LOAD_USERS = {"endpoint": "load_objects", "body": {"object": "users"}}


@pytest.fixture
def client(fleet: Server, proxy: FlakyProxy, make_client: MakeClient) -> Client:
    """A client behind the proxy."""
    return make_client(proxy.url, fleet.token)


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.ANSWER, Loss.SERVER, Loss.STORE])
def test_command_is_sent_once(client: Client, proxy: FlakyProxy, loss: Loss) -> None:
    """Whatever is lost on the way, a command is sent, and sent once."""
    proxy.losses.extend([loss, loss])
    trace = f"once, without {loss}"
    sent = client.send(ABSENT, LOAD_USERS, trace=trace)
    assert [command.id for command in client.commands(trace=trace)] == [sent.id]
    sends = [line for line in proxy.passed if line.startswith("POST")]
    assert len(sends) == (3 if loss is Loss.ANSWER else 1)


def test_wait_goes_on(client: Client, proxy: FlakyProxy) -> None:
    """A sender that waits, and loses the answer, gets the outcome of the same command."""
    proxy.losses.append(Loss.ANSWER)
    assert client.send(READER, LOAD_USERS, wait=30, trace="waited").state == "succeeded"
    assert len(list(client.commands(trace="waited"))) == 1


def test_door_opens_once(client: Client, proxy: FlakyProxy) -> None:
    """A door whose answer is lost does not open a second time."""
    proxy.losses.append(Loss.ANSWER)
    assert client.open(READER, trace="one ticket").outcome == Outcome.OPENED
    assert len(list(client.commands(trace="one ticket"))) == 1


def test_what_must_not_be_repeated(client: Client, proxy: FlakyProxy) -> None:
    """A registration whose answer is lost is not repeated, as the second answer would be wrong."""
    proxy.losses.append(Loss.ANSWER)
    with pytest.raises(Unreachable) as lost:
        client.register("servereye:lost")
    assert not lost.value.never_sent
    with pytest.raises(DeviceKnown):
        client.register("servereye:lost")


def test_end_of_the_retries(fleet: Server, proxy: FlakyProxy, make_client: MakeClient) -> None:
    """Calls are repeated for as long as ``retry_for`` says, and then fail."""
    proxy.losses.extend([Loss.REQUEST] * 50)
    with pytest.raises(Unreachable, match="gave no answer"):
        make_client(proxy.url, fleet.token, retry_for=0.5).device(READER)
    assert 2 <= 50 - len(proxy.losses) <= 5


def test_proxy_without_a_server(fleet: Server, proxy: FlakyProxy, make_client: MakeClient) -> None:
    """The error about an answer of the proxy says so, with its status and the URL, and without its HTML."""
    proxy.losses.append(Loss.SERVER)
    with pytest.raises(Unreachable) as failed:
        make_client(proxy.url, fleet.token, retry_for=0).device(READER)
    assert not failed.value.never_sent
    said = "answered 502 Bad Gateway; the response is not from pushd, but for example from a proxy in between"
    assert str(failed.value) == f"{proxy.url} {said}"


def test_no_command_is_sent_after_its_time(fleet: Server, proxy: FlakyProxy, make_client: MakeClient) -> None:
    """A command whose time to live is over is not sent by a repeat, however long calls are repeated."""
    proxy.losses.extend([Loss.REQUEST] * 50)
    with pytest.raises(Unreachable):
        make_client(proxy.url, fleet.token, retry_for=60).send(ABSENT, LOAD_USERS, ttl=0.5)
    assert len(proxy.losses) >= 45


def test_server_that_cannot_write(fleet: Server, proxy: FlakyProxy, make_client: MakeClient) -> None:
    """If the server still cannot write at the end of the retries, that is the error."""
    proxy.losses.extend([Loss.STORE] * 50)
    with pytest.raises(Unavailable, match="Disk full"):
        make_client(proxy.url, fleet.token, retry_for=0.3).send(ABSENT, LOAD_USERS)


def test_server_that_does_not_run(make_client: MakeClient) -> None:
    """A call to a port where nothing listens fails, and certainly had no effect."""
    with pytest.raises(Unreachable) as refused:
        make_client(f"http://{HOST}:{free_port()}", "token", retry_for=0.3).register("servereye:a")
    assert refused.value.never_sent


def test_server_that_does_not_answer(fleet: Server, proxy: FlakyProxy, make_client: MakeClient) -> None:
    """A call ends after its timeout."""
    slow = make_client(proxy.url, fleet.token, timeout=0.2, retry_for=0)
    with pytest.raises(Unreachable, match="gave no answer"):
        slow.call("GET", "events", query=[("after", "now"), ("wait", "5")])
