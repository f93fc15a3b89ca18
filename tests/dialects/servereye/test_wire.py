"""Tests of how :mod:`pushd.dialects.servereye.wire` reads ids and writes messages."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.dialects.servereye import wire
from pushd.lib.strict_json import UnreadableBody
from pushd.model.errors import InvalidQuery

CONTAINER = "0f8fad5b-d9cb-469f-a165-70867728950e"
MESSAGE = "01928f6e-7c5b-7aaa-8bbb-123456789abc"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
containers = st.from_regex(r"[A-Za-z0-9._~-]{1,128}", fullmatch=True)


# ids


@pytest.mark.parametrize("text", [CONTAINER, "0f8fad5bd9cb469fa16570867728950e", "ABC.def_~-9", "x", "x" * 128])
def test_canonical(text: str) -> None:
    """A containerId is kept unchanged, with its case."""
    assert wire.canonical(text) == text


@pytest.mark.parametrize("text", ["", "x" * 129, "a b", "a/b", "a\n", "a%20", "ü", "٣", "a:b", "\ud800"])
def test_canonical_refuses(text: str) -> None:
    """A containerId with characters that a path contains only percent-encoded is refused."""
    with pytest.raises(InvalidQuery):
        wire.canonical(text)


@given(texts | containers)
def test_canonical_is_idempotent(text: str) -> None:
    """A canonical containerId stays as it is."""
    try:
        written = wire.canonical(text)
    except InvalidQuery:
        return
    assert wire.canonical(written) == written == text


# answers


def test_idle() -> None:
    """The idle response has no success and no data key, which would stop the C++ client."""
    assert wire.IDLE == b'{"success":false,"message":"no message"}'


def test_write_answer() -> None:
    """The response to an acknowledgement, a result or a sign-off is an envelope without data."""
    assert wire.write_answer(True, "grüezi") == b'{"success":true,"message":"gr\xc3\xbcezi"}'


@pytest.mark.parametrize(
    ("payload", "message", "data"),
    [
        ({"control": "REFRESH_AGENT"}, b"message", b'""'),
        ({"control": "REFRESH_AGENT", "message": "", "data": ""}, b"", b'""'),
        ({"control": "REFRESH_AGENT", "message": "now", "data": "as it is"}, b"now", b'"as it is"'),
        ({"control": "REFRESH_AGENT", "data": '{"a": 1}'}, b"message", b'"{\\"a\\": 1}"'),
        ({"control": "REFRESH_AGENT", "data": {"n": 4408801109440198}}, b"message", b'"{\\"n\\":4408801109440198}"'),
        ({"control": "REFRESH_AGENT", "data": [1, "ü"]}, b"message", b'"[1,\\"\xc3\xbc\\"]"'),
        ({"control": "REFRESH_AGENT", "data": 5}, b"message", b'"5"'),
        ({"control": "REFRESH_AGENT", "data": False}, b"message", b'"false"'),
        ({"control": "REFRESH_AGENT", "data": None}, b"message", b'"null"'),
    ],
)
def test_write_message(payload: dict[str, Any], message: bytes, data: bytes) -> None:
    """A message contains its container three times, and each value of its data is a string."""
    assert wire.write_message("c1", "m1", payload) == (
        b'{"success":true,"message":"' + message + b'","data":{"rootContainerId":"c1","containerId":"c1",'
        b'"senderId":"c1","messageId":"m1","control":"REFRESH_AGENT","data":' + data + b"}}"
    )


@given(st.fixed_dictionaries({"control": texts}, optional={"message": texts, "data": values}))
def test_message_is_strings(payload: dict[str, Any]) -> None:
    """Whatever the payload, the C++ client finds only strings."""
    envelope = json.loads(wire.write_message(CONTAINER, MESSAGE, payload))
    assert envelope["success"] is True
    assert {type(value) for value in [envelope["message"], *envelope["data"].values()]} == {str}


@given(containers, texts, st.fixed_dictionaries({"control": texts}, optional={"message": texts, "data": values}))
def test_message_round_trip(container: str, message_id: str, payload: dict[str, Any]) -> None:
    """A client reads the message that was written, with its data unchanged."""
    read = wire.read_message(wire.write_message(container, message_id, payload))
    assert read is not None
    assert (read.container, read.message_id, read.control) == (container, message_id, payload["control"])
    assert read.message == payload.get("message", "message")
    data = payload.get("data", "")
    assert (read.data if isinstance(data, str) else json.loads(read.data)) == data


def test_read_message_of_the_vendor() -> None:
    """A client reads a message of the vendor's server."""
    body = (
        b'{\n  "success" : true,\n  "data" : {\n'
        b'    "rootContainerId" : "c0", "containerId" : "c1", "senderId" : "c2",\n'
        b'    "messageId" : "m1", "control" : "REMOTE_ACTION", "data" : "{\\"a\\":1}", "extra" : ""\n  }\n}\n'
    )
    assert wire.read_message(body) == wire.Message(
        container="c1", message_id="m1", control="REMOTE_ACTION", data='{"a":1}', message=""
    )


@pytest.mark.parametrize(
    "body", [wire.IDLE, b'{"success": false}', b'{"success": false, "message": "x", "data": null}']
)
def test_read_message_idle(body: bytes) -> None:
    """An envelope without success has no message."""
    assert wire.read_message(body) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"success": "true"}',
        b'{"success": 1}',
        b'{"success": true}',
        b'{"success": true, "data": null}',
        b'{"success": true, "data": "x"}',
        b'{"success": true, "data": {}}',
        b'{"success": true, "data": {"containerId": "c", "messageId": "m", "control": "A"}}',
        b'{"success": true, "data": {"containerId": "c", "messageId": 5, "control": "A", "data": ""}}',
        b'{"success": true, "data": {"containerId": "c", "messageId": "m", "control": "A", "data": {}}}',
        b'{"success": true, "data": {"containerId": "c", "messageId": "m", "control": "A", "data": "", "x": null}}',
        b"<html>",
    ],
)
def test_read_message_unreadable(body: bytes) -> None:
    """A response that would stop the vendor's clients is not read as a message."""
    with pytest.raises(UnreadableBody):
        wire.read_message(body)
