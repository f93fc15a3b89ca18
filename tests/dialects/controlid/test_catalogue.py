"""Tests of :mod:`pushd.dialects.controlid.catalogue`."""

from typing import Any

import pytest

from pushd.dialects.controlid.catalogue import check_parameters
from pushd.model.errors import FieldError, InvalidFields

OCTETS = "application/octet-stream"
SKIPS = "(unchecked=1 skips this check)"


def errors(payload: dict[str, Any]) -> list[FieldError]:
    """What is wrong with a payload."""
    try:
        check_parameters(payload)
    except InvalidFields as error:
        return list(error.errors)
    return []


@pytest.mark.parametrize(
    "payload",
    [
        {"endpoint": "own_call", "body": {"a": 1}, "verb": "GET"},
        {"endpoint": "load_objects"},
        {"endpoint": "load_objects", "body": {"object": "users", "where": [{"object": "users"}], "new": 1}},
        {"endpoint": "load_objects", "body": '{"object": "users"}'},
        {"endpoint": "load_objects", "body": "what only the device understands"},
        {"endpoint": "load_objects", "body": "[]"},
        {"endpoint": "load_objects", "queryString": "object=users", "body": {}},
        {"endpoint": "create_objects", "body": '{"object": 1' + " " * 70000},
        {"endpoint": "user_get_image", "queryString": "user_id=7"},
        {"endpoint": "user_get_image", "body": {"user_id": 7}},
        {"endpoint": "user_set_image", "contentType": f"{OCTETS}; x=y", "queryString": "user_id=7", "body": "AAAA"},
        {"endpoint": "reboot", "verb": "GET"},
        {"endpoint": "user_get_image", "verb": "POST", "queryString": "user_id=7"},
        {"transactions": [{"endpoint": "reboot"}, {"endpoint": "own_call", "body": {}}]},
    ],
)
def test_accepts(payload: dict[str, Any]) -> None:
    """What might work is accepted, and a read without parameters, which harms nothing."""
    assert errors(payload) == []


@pytest.mark.parametrize(
    ("payload", "pointer", "detail"),
    [
        ({"endpoint": "load_objects", "body": {}}, "body/object", "is required: the kind of objects"),
        ({"endpoint": "load_objects", "body": ""}, "body", "object is required: the kind of objects"),
        ({"endpoint": "load_objects", "body": '{"object": 7}'}, "body", "object must be a string"),
        ({"endpoint": "execute_actions"}, "body/actions", "is required: the actions"),
        ({"endpoint": "execute_actions", "body": {"actions": {}}}, "body/actions", "must be a list"),
        ({"endpoint": "execute_actions", "body": {"actions": ["door"]}}, "body/actions/0", "must be an object"),
        ({"endpoint": "remote_enroll", "body": {"type": "hand"}}, "body/type", "must be one of card, face, biometry"),
        ({"endpoint": "user_get_image", "queryString": ""}, "queryString", "user_id is required: the user"),
        ({"endpoint": "user_get_image", "queryString": "user_id=x"}, "queryString", "user_id must be a whole number"),
        (
            {"endpoint": "user_set_image", "contentType": OCTETS, "body": "AAAA"},
            "queryString",
            "user_id is required: the user",
        ),
        (
            {"endpoint": "user_set_image", "queryString": "user_id=7", "body": "AAAA"},
            "contentType",
            f"must be {OCTETS} for user_set_image",
        ),
        (
            {"endpoint": "modify_objects", "verb": "GET", "body": {"object": "users", "values": {}}},
            "verb",
            "must be POST for modify_objects",
        ),
        (
            {"transactions": [{"endpoint": "reboot"}, {"endpoint": "load_objects", "body": {"object": []}}]},
            "transactions/1/body/object",
            "must be a string",
        ),
    ],
)
def test_refuses(payload: dict[str, Any], pointer: str, detail: str) -> None:
    """What is certain to fail is an error that says what is right, and how it can be sent nevertheless."""
    (error,) = errors(payload)
    assert error.pointer == f"#/payload/{pointer}"
    assert error.detail.startswith(detail)
    assert error.detail.endswith(SKIPS)
