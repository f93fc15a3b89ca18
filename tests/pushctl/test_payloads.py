"""Tests of payloads made from a command line."""

from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.pushctl.output import compact
from pushd.pushctl.payloads import OCTET_STREAM, PayloadArguments, build_payload, read_json

READER = "controlid:4408801109440198"
CONTAINER = "servereye:abc"


@pytest.mark.parametrize(
    ("arguments", "payload"),
    [
        (PayloadArguments(what="get_configuration"), {"endpoint": "get_configuration"}),
        (
            PayloadArguments(what="load_objects", body='{"object": "users"}', verb="POST"),
            {"verb": "POST", "endpoint": "load_objects", "body": {"object": "users"}},
        ),
        (PayloadArguments(what="load_objects", body='"{}"'), {"endpoint": "load_objects", "body": "{}"}),
        (
            PayloadArguments(what="load_objects", body="{}", content_type="application/json; charset=utf-8"),
            {"endpoint": "load_objects", "body": {}, "contentType": "application/json; charset=utf-8"},
        ),
        (
            PayloadArguments(what="user_set_image", body="/9j/", content_type=OCTET_STREAM, query_string="user_id=7"),
            {
                "endpoint": "user_set_image",
                "body": "/9j/",
                "contentType": OCTET_STREAM,
                "queryString": "user_id=7",
            },
        ),
    ],
)
def test_payload_for_controlid(arguments: PayloadArguments, payload: dict[str, Any]) -> None:
    """Options that were not given are left out; an object stays an object, and a string a string."""
    assert build_payload(READER, arguments) == payload


@pytest.mark.parametrize(
    ("arguments", "payload"),
    [
        (PayloadArguments(what="REFRESH_AGENT"), {"control": "REFRESH_AGENT"}),
        (PayloadArguments(what="MY_CONTROL", message="hello"), {"control": "MY_CONTROL", "message": "hello"}),
        (PayloadArguments(what="REMOTE_ACTION", body='{"a": 1}'), {"control": "REMOTE_ACTION", "data": '{"a": 1}'}),
        (PayloadArguments(what="REMOTE_ACTION", data="plain"), {"control": "REMOTE_ACTION", "data": "plain"}),
    ],
)
def test_payload_for_servereye(arguments: PayloadArguments, payload: dict[str, Any]) -> None:
    """Data is sent as the text that was given, whether it is JSON or not."""
    assert build_payload(CONTAINER, arguments) == payload


def test_text_is_read_from_a_file(tmp_path: Path) -> None:
    """@FILE is replaced by the UTF-8 text of the file."""
    (tmp_path / "body").write_text('{"name": "Zoë"}', encoding="utf-8")
    source = f"@{tmp_path / 'body'}"
    assert build_payload(READER, PayloadArguments(what="x", body=source))["body"] == {"name": "Zoë"}
    assert build_payload(CONTAINER, PayloadArguments(what="x", data=source))["data"] == '{"name": "Zoë"}'


def test_binary_file_is_refused_as_text(tmp_path: Path) -> None:
    """A file that must be text and is not UTF-8 is named in the error."""
    (tmp_path / "photo").write_bytes(b"\xff\xd8")
    with pytest.raises(click.UsageError, match="photo is not UTF-8 text"):
        build_payload(CONTAINER, PayloadArguments(what="x", data=f"@{tmp_path / 'photo'}"))


def test_device_of_another_dialect_takes_a_whole_payload() -> None:
    """A device of a dialect that pushctl does not know can be sent a whole payload."""
    assert build_payload("later:1", PayloadArguments(payload='{"a": 1}')) == {"a": 1}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(), st.lists))
def test_json_is_read_as_it_was_written(value: Any) -> None:
    """Every JSON value is read as it was written, with integers of any size."""
    assert read_json(compact(value), "BODY") == value
