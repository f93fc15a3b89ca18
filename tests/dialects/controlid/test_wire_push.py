"""Tests of how :mod:`pushd.dialects.controlid.wire` writes and reads commands."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.dialects.controlid import wire
from pushd.lib.strict_json import UnreadableBody

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
commands = st.fixed_dictionaries(
    {"endpoint": texts},
    optional={
        "verb": st.sampled_from(["GET", "POST"]),
        "body": texts | st.dictionaries(texts, values, max_size=4),
        "contentType": texts,
        "queryString": texts,
    },
)


def test_idle() -> None:
    """The idle response is empty."""
    assert wire.IDLE == b""


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        (
            {
                "verb": "POST",
                "endpoint": "load_objects",
                "body": {"object": "users"},
                "contentType": "application/json",
            },
            b'{"verb":"POST","endpoint":"load_objects","body":{"object":"users"},"contentType":"application/json"}',
        ),
        (
            {"endpoint": "load_objects", "body": '{"object": "users"}'},
            b'{"endpoint":"load_objects","body":"{\\"object\\": \\"users\\"}"}',
        ),
        ({"verb": "GET", "endpoint": "system_information"}, b'{"verb":"GET","endpoint":"system_information"}'),
        (
            {
                "endpoint": "user_set_image",
                "contentType": "application/octet-stream",
                "queryString": "user_id=7&match=0&timestamp=1700000000",
                "body": "/9j/4AAQSkZJRg==",
            },
            (
                b'{"endpoint":"user_set_image","contentType":"application/octet-stream",'
                b'"queryString":"user_id=7&match=0&timestamp=1700000000","body":"/9j/4AAQSkZJRg=="}'
            ),
        ),
        (
            {"endpoint": "create_objects", "body": {"id": 4408801109440198, "name": "José ☺"}},
            b'{"endpoint":"create_objects","body":{"id":4408801109440198,"name":"Jos\xc3\xa9 \xe2\x98\xba"}}',
        ),
    ],
)
def test_write_push(payload: dict[str, Any], body: bytes) -> None:
    """A device gets the fields that the operator gave: objects as objects, strings as strings, and no others."""
    assert wire.write_push(payload) == body


def test_write_push_batch() -> None:
    """Entries of a batch without a transactionid get their place in the list, from 1."""
    payload = {
        "transactions": [
            {"endpoint": "load_objects", "body": {"object": "users"}},
            {"transactionid": "door", "verb": "POST", "endpoint": "execute_actions"},
            {"endpoint": "system_information"},
        ]
    }
    assert wire.write_push(payload) == (
        b'{"transactions":['
        b'{"transactionid":"1","endpoint":"load_objects","body":{"object":"users"}},'
        b'{"transactionid":"door","verb":"POST","endpoint":"execute_actions"},'
        b'{"transactionid":"3","endpoint":"system_information"}]}'
    )


def test_write_push_leaves_payload_alone() -> None:
    """Writing a batch does not change the command that is stored."""
    payload = {"transactions": [{"endpoint": "load_objects"}]}
    wire.write_push(payload)
    assert payload == {"transactions": [{"endpoint": "load_objects"}]}


@given(commands)
def test_push_round_trip(payload: dict[str, Any]) -> None:
    """A device reads the command that was written."""
    assert wire.read_push(wire.write_push(payload)) == payload


@given(st.lists(commands, min_size=1, max_size=4))
def test_push_round_trip_batch(entries: list[dict[str, Any]]) -> None:
    """A device reads the batch that was written, each entry with its id."""
    read = wire.read_push(wire.write_push({"transactions": entries}))
    assert read == {"transactions": [entry | {"transactionid": str(n)} for n, entry in enumerate(entries, 1)]}


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\xef\xbb\xbf", b"{}", b"[]", b'{"verb":"POST","body":{}}'])
def test_read_push_idle(body: bytes) -> None:
    """A device reads a blank response, and one without a command, as idle."""
    assert wire.read_push(body) is None


def test_read_push_of_the_vendor() -> None:
    """A device reads a command of the vendor's server."""
    body = b'{\n  "verb": "POST",\n  "endpoint": "load_objects",\n  "body": {"id": 4408801109440198}\n}\n'
    assert wire.read_push(body) == {"verb": "POST", "endpoint": "load_objects", "body": {"id": 4408801109440198}}


@pytest.mark.parametrize("body", [b"null", b"[{}]", b"nothing", b'{"endpoint":', b'{"body": NaN}', b"\xff"])
def test_read_push_unreadable(body: bytes) -> None:
    """A response that is not a command is refused."""
    with pytest.raises(UnreadableBody):
        wire.read_push(body)
