"""A device's line to its server."""

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pushd.simulator.http import AT_ONCE, NoAnswer, Reading
from tests.simulator.counterpart import Counterpart


def get(server: Counterpart, reading: Reading = AT_ONCE) -> Deferred[bytes]:
    """Ask for a thing, with ten seconds of patience."""
    return Deferred.fromCoroutine(server.line().get("a", "b", query={"c": "d&e"}, patience=10, reading=reading))


def outcome(asking: Deferred[bytes]) -> bytes | str:
    """What was answered, or why nothing was."""
    results: list[object] = []
    asking.addBoth(results.append)
    assert results, "still waiting"
    result = results[0]
    if isinstance(result, Failure):
        result.trap(NoAnswer)
        return result.getErrorMessage()
    assert isinstance(result, bytes)
    return result


def test_get(server: Counterpart) -> None:
    """What the server answers with 200 arrives."""
    asking = get(server)
    asked = server.take("GET", "/a/b")
    assert asked.args == {"c": "d&e"}
    asked.answer(b"yes")
    assert outcome(asking) == b"yes"


def test_post(server: Counterpart) -> None:
    """A body is sent as JSON, an empty one without a content type."""
    asking = Deferred.fromCoroutine(server.line().post("a", query={}, patience=10, body=b"{}"))
    asked = server.take("POST", "/a")
    assert (asked.body, asked.content_type) == (b"{}", "application/json")
    asked.answer()
    assert outcome(asking) == b""
    asking = Deferred.fromCoroutine(server.line().post("a", query={}, patience=10))
    asked = server.take("POST", "/a")
    assert (asked.body, asked.content_type) == (b"", None)
    asked.answer()
    assert outcome(asking) == b""


@pytest.mark.parametrize("code", [302, 403, 503])
def test_other_than_200(server: Counterpart, code: int) -> None:
    """Any other status is no answer."""
    asking = get(server)
    server.take("GET", "/a/b").answer(b"why", code)
    assert outcome(asking) == f"HTTP {code}"


def test_patience(server: Counterpart) -> None:
    """When its patience is over, a device hangs up, and the server sees that."""
    asking = get(server)
    asked = server.take("GET", "/a/b")
    server.advance(9.9)
    assert not asked.hung_up()
    server.advance(0.2)
    assert asked.hung_up()
    assert outcome(asking) == "no answer within 10 s"


def test_patience_halfway(server: Counterpart) -> None:
    """A server that begins an answer and does not end it is hung up on alike."""
    asking = get(server)
    asked = server.take("GET", "/a/b")
    asked.begin(b"ye")
    server.advance(10)
    assert asked.hung_up()
    assert outcome(asking) == "no answer within 10 s"


def test_cut(server: Counterpart) -> None:
    """A line that is cut takes the beginning of an answer, and closes."""
    asking = get(server, Reading(cut=True))
    asked = server.take("GET", "/a/b")
    asked.begin(b"ye")
    server.advance(0)
    assert asked.hung_up()
    assert outcome(asking) == "the connection was cut"


def test_late(server: Counterpart) -> None:
    """A slow reader takes an answer only some time after it came."""
    asking = get(server, Reading(late=3))
    server.take("GET", "/a/b").answer(b"yes")
    server.advance(2.9)
    assert not asking.called
    server.advance(0.1)
    assert outcome(asking) == b"yes"


def test_too_late(server: Counterpart) -> None:
    """A slow reader whose patience is over before it reads hangs up."""
    asking = get(server, Reading(late=11))
    asked = server.take("GET", "/a/b")
    server.advance(1)
    asked.begin(b"ye")
    server.advance(9)
    assert asked.hung_up()
    assert outcome(asking) == "no answer within 10 s"


def test_lost(server: Counterpart) -> None:
    """A server that closes the connection gives no answer."""
    asking = get(server)
    asked = server.take("GET", "/a/b")
    asked.lose()
    assert "Connection" in str(outcome(asking))


def test_lost_halfway(server: Counterpart) -> None:
    """Half of an answer is none."""
    asking = get(server)
    asked = server.take("GET", "/a/b")
    asked.begin(b"ye")
    asked.lose()
    assert "Connection" in str(outcome(asking))


def test_cancel(server: Counterpart) -> None:
    """Giving a question up hangs up."""
    asking = get(server)
    asked = server.take("GET", "/a/b")
    asking.cancel()
    server.advance(0)
    assert asked.hung_up()
    assert outcome(asking) == "hung up"


def test_root(server: Counterpart) -> None:
    """The path of the server's address stays in front, however it is written."""
    for root in ("http://pushd.example/x/y", "http://pushd.example/x/y/"):
        line = server.line(root)
        asking = Deferred.fromCoroutine(line.get("push", query={}, patience=1))
        server.take("GET", "/x/y/push").answer(b"ok")
        assert outcome(asking) == b"ok"
