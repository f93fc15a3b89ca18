"""Tests of reading server-sent events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.pushctl.errors import Unintelligible
from pushd.pushctl.sse import Message, Messages

STORY = b'retry: 1000\r\nid: 7\n\n:\n\nid: 8\nevent: x\ndata: {"a":\ndata:1}\n\n: here\nid: 9\n\nid: 10\ndata: lost'
TOLD = [Message(id="7", data=""), Message(id="8", data='{"a":\n1}'), Message(id="9", data="")]


@given(st.lists(st.integers(1, 20), max_size=20))
def test_cut_anywhere(cuts: list[int]) -> None:
    """Wherever the network cuts a stream, it tells the same; what is not complete was not told."""
    messages, rest, told = Messages(), STORY, []
    for cut in [*cuts, len(STORY)]:
        told += list(messages.feed(rest[:cut]))
        rest = rest[cut:]
    assert told == TOLD


@pytest.mark.parametrize("piece", [b"x" * 10, b"data: x\n"])
def test_message_without_end(piece: bytes) -> None:
    """A line, or a message, that never ends is not read for ever."""
    messages = Messages(longest=100)

    def read() -> None:
        for _ in range(20):
            list(messages.feed(piece))

    with pytest.raises(Unintelligible, match="without end"):
        read()


def test_much_is_not_too_long() -> None:
    """Any number of messages may follow one another."""
    messages = Messages(longest=30)
    told = [message for _ in range(100) for message in messages.feed(b"id: 1\ndata: x\n\nid: 2\nda")]
    assert len(told) == 100
