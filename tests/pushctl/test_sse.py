"""Tests of the client for server-sent events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.pushctl.errors import UnexpectedResponse
from pushd.pushctl.sse import Parser, ServerSentEvent

STREAM = b'retry: 1000\r\nid: 7\n\n:\n\nid: 8\nevent: x\ndata: {"a":\ndata:1}\n\n: here\nid: 9\n\nid: 10\ndata: lost'
MESSAGES = [
    ServerSentEvent(id="7", data=""),
    ServerSentEvent(id="8", data='{"a":\n1}'),
    ServerSentEvent(id="9", data=""),
]


@given(st.lists(st.integers(1, 20), max_size=20))
def test_cut_anywhere(cuts: list[int]) -> None:
    """The messages are the same wherever the network cuts the stream; an incomplete one is left out."""
    parser, rest, messages = Parser(), STREAM, []
    for cut in [*cuts, len(STREAM)]:
        messages += list(parser.feed(rest[:cut]))
        rest = rest[cut:]
    assert messages == MESSAGES


@pytest.mark.parametrize("piece", [b"x" * 10, b"data: x\n"])
def test_message_without_end(piece: bytes) -> None:
    """A line, or a message, that never ends is an error."""
    parser = Parser(max_message=100)

    def read() -> None:
        for _ in range(20):
            list(parser.feed(piece))

    with pytest.raises(UnexpectedResponse, match="without end"):
        read()


def test_many_messages_are_no_long_message() -> None:
    """The limit is one of each message, not of the stream."""
    parser = Parser(max_message=30)
    messages = [message for _ in range(100) for message in parser.feed(b"id: 1\ndata: x\n\nid: 2\nda")]
    assert len(messages) == 100
