"""Tests of :mod:`pushd.lib.http_client`."""

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionLost, DNSLookupError
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss

from pushd.lib.http_client import BodyReader, cause_of, describe, unwrap_cancellation


def reading(**bounds: int) -> BodyReader:
    """A reader that is connected."""
    reader = BodyReader(**bounds)
    reader.makeConnection(StringTransport())
    return reader


def is_closed(reader: BodyReader) -> bool:
    """Whether the reader has closed its connection."""
    transport: Any = reader.transport
    return bool(transport.disconnecting)


def outcome(done: Deferred[Any]) -> Any:
    """What a Deferred fired or failed with; ``...`` if it did not yet."""
    found: list[Any] = []
    done.addCallbacks(found.append, lambda failure: found.append(failure.type))
    return found[0] if found else ...


@pytest.mark.parametrize("end", [ResponseDone, PotentialDataLoss])
def test_whole_body(end: type[Exception]) -> None:
    """A body without bounds is read to its end, which need not be announced by a length."""
    reader = reading()
    reader.dataReceived(b"ab")
    reader.dataReceived(b"cd")
    assert not reader.done.called
    reader.connectionLost(Failure(end()))
    assert (outcome(reader.done), reader.body) == (None, b"abcd")


def test_only_the_beginning_is_kept() -> None:
    """A body is read to its end, so that its connection can be used again, while memory holds its beginning only."""
    reader = reading(keep=3)
    for _ in range(100):
        reader.dataReceived(b"ab")
    reader.connectionLost(Failure(ResponseDone()))
    assert (outcome(reader.done), reader.body) == (None, b"aba")


def test_connection_is_closed_beyond_the_limit() -> None:
    """A body without an end is not read for ever; what still comes is dropped."""
    reader = reading(limit=3)
    reader.dataReceived(b"abc")
    assert not is_closed(reader)
    reader.dataReceived(b"d")
    assert is_closed(reader)
    reader.dataReceived(b"e")
    reader.connectionLost(Failure(ConnectionLost()))
    assert (outcome(reader.done), reader.body) == (None, b"abcd")


def test_lost_connection_is_an_error() -> None:
    """A body that breaks off is not taken for a whole one; what has come can be read."""
    reader = reading()
    reader.dataReceived(b"ab")
    reader.connectionLost(Failure(ConnectionLost()))
    assert (outcome(reader.done), reader.body) == (ConnectionLost, b"ab")


def test_cancelling_closes_the_connection() -> None:
    """A reader that is cancelled leaves no connection open."""
    reader = reading()
    reader.done.cancel()
    assert is_closed(reader)
    reader.connectionLost(Failure(ConnectionLost()))
    assert outcome(reader.done) is CancelledError


def test_causes() -> None:
    """What went wrong is the first of what Agent collected, and is described even if it has no message."""
    lookup_error = DNSLookupError("no such name")
    assert cause_of(ResponseFailed([Failure(lookup_error), Failure(KeyError())])) is lookup_error
    assert cause_of(lookup_error) is lookup_error
    assert describe(ResponseFailed([Failure(OSError("no route"))])) == "no route"
    assert describe(KeyError()) == "KeyError"


@pytest.mark.parametrize("error", [CancelledError(), ConnectingCancelledError(None)])
def test_cancelled_request(error: Exception) -> None:
    """A request that was cancelled fails as any cancelled Deferred does, so that ``addTimeout`` recognizes it."""
    with pytest.raises(CancelledError):
        unwrap_cancellation(Failure(ResponseFailed([Failure(error)])))
    other = Failure(ResponseFailed([Failure(OSError())]))
    assert unwrap_cancellation(other) is other
