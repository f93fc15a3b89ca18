"""Tests of payloads from the words of a command line."""

from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.pushctl.commands.payloads import OCTETS, Words, build_payload, read_json
from pushd.pushctl.text import compact

READER = "controlid:4408801109440198"
CONTAINER = "servereye:abc"


@pytest.mark.parametrize(
    ("words", "payload"),
    [
        (Words(what="get_configuration"), {"endpoint": "get_configuration"}),
        (
            Words(what="load_objects", body='{"object": "users"}', verb="POST"),
            {"verb": "POST", "endpoint": "load_objects", "body": {"object": "users"}},
        ),
        (Words(what="load_objects", body='"{}"'), {"endpoint": "load_objects", "body": "{}"}),
        (
            Words(what="load_objects", body="{}", content_type="application/json; charset=utf-8"),
            {"endpoint": "load_objects", "body": {}, "contentType": "application/json; charset=utf-8"},
        ),
        (
            Words(what="user_set_image", body="/9j/", content_type=OCTETS, query_string="user_id=7"),
            {
                "endpoint": "user_set_image",
                "body": "/9j/",
                "contentType": OCTETS,
                "queryString": "user_id=7",
            },
        ),
    ],
)
def test_reader_gets_what_was_written(words: Words, payload: dict[str, Any]) -> None:
    """Fields that were not written are left out; an object stays an object, and a string a string."""
    assert build_payload(READER, words) == payload


@pytest.mark.parametrize(
    ("words", "payload"),
    [
        (Words(what="REFRESH_AGENT"), {"control": "REFRESH_AGENT"}),
        (Words(what="MY_WORD", message="hello"), {"control": "MY_WORD", "message": "hello"}),
        (Words(what="REMOTE_ACTION", body='{"a": 1}'), {"control": "REMOTE_ACTION", "data": '{"a": 1}'}),
        (Words(what="REMOTE_ACTION", data="plain"), {"control": "REMOTE_ACTION", "data": "plain"}),
    ],
)
def test_container_gets_what_was_written(words: Words, payload: dict[str, Any]) -> None:
    """Data goes as the text that was written, whether it is JSON or not."""
    assert build_payload(CONTAINER, words) == payload


def test_text_is_read_from_a_file(tmp_path: Path) -> None:
    """A file gives the text of a body or of data, as UTF-8."""
    (tmp_path / "body").write_text('{"name": "Zoë"}', encoding="utf-8")
    source = f"@{tmp_path / 'body'}"
    assert build_payload(READER, Words(what="x", body=source))["body"] == {"name": "Zoë"}
    assert build_payload(CONTAINER, Words(what="x", data=source))["data"] == '{"name": "Zoë"}'


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A binary file where text is wanted is named."""
    (tmp_path / "photo").write_bytes(b"\xff\xd8")
    with pytest.raises(click.UsageError, match="photo does not hold UTF-8 text"):
        build_payload(CONTAINER, Words(what="x", data=f"@{tmp_path / 'photo'}"))


def test_device_of_another_dialect_takes_a_whole_payload() -> None:
    """A dialect that this program does not know can still be sent a payload."""
    assert build_payload("later:1", Words(payload='{"a": 1}')) == {"a": 1}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(), st.lists))
def test_json_is_read_as_it_was_written(value: Any) -> None:
    """Every JSON value, however large its integers, is read as what it is."""
    assert read_json(compact(value), "BODY") == value
