"""Tests of :mod:`pushd.dialects.servereye.payload`."""

from typing import Any

import pytest

from pushd.dialects.servereye.payload import check
from pushd.model.errors import InvalidFields


def pointers(payload: dict[str, Any]) -> list[str]:
    """The pointers of all errors in ``payload``."""
    with pytest.raises(InvalidFields) as caught:
        check(payload)
    return sorted(error.pointer for error in caught.value.errors)


@pytest.mark.parametrize(
    "payload",
    [
        {"control": "REFRESH_AGENT"},
        {"control": "our own word", "message": ""},
        {"control": "REMOTE_ACTION", "data": "as it is"},
        {"control": "ADD_OR_UPDATE_AGENT", "data": {"agent": {"id": 4408801109440198, "tags": ["ü", None, 1.5]}}},
        {"control": "DELETE_AGENT", "data": [1, 2]},
        {"control": "DELETE_AGENT", "data": None},
        {"control": "DELETE_AGENT", "data": False},
    ],
)
def test_accepts(payload: dict[str, Any]) -> None:
    """A payload needs a control; its data may be any value."""
    check(payload)


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({}, "control"),
        ({"control": ""}, "control"),
        ({"control": "  "}, "control"),
        ({"control": 5}, "control"),
        ({"control": None}, "control"),
        ({"control": "A", "message": 5}, "message"),
        ({"control": "A", "message": None}, "message"),
        ({"control": "A", "messageId": "1"}, "messageId"),
        ({"control": "A", "Data": ""}, "Data"),
        ({"control": "A", "a/b~c": ""}, "a~1b~0c"),
        ({"control": "A\ud800"}, "control"),
        ({"control": "A", "message": "\udc00"}, "message"),
        ({"control": "A", "data": "\ud83d"}, "data"),
        ({"control": "A", "data": {"x": ["\ud83d"]}}, "data/x/0"),
        ({"control": "A", "data": {"\ud83d": 1}}, "data"),
        ({"control": "A", "data": {"x": float("inf")}}, "data/x"),
    ],
)
def test_refuses(payload: dict[str, Any], pointer: str) -> None:
    """An unknown field, or one with an invalid value, is an error with its pointer."""
    assert pointers(payload) == [f"#/payload/{pointer}"]


def test_all_at_once() -> None:
    """All errors are reported at once."""
    payload = {"message": 5, "when": "now", "data": {"x": "\ud800"}}
    assert pointers(payload) == ["#/payload/control", "#/payload/data/x", "#/payload/message", "#/payload/when"]


def test_deep_data() -> None:
    """Data that is nested too deeply to be written is refused."""
    data: list[Any] = []
    for _ in range(5000):
        data = [data]
    (pointer,) = pointers({"control": "A", "data": data})
    assert pointer.startswith("#/payload/data/0/0/0")


def test_names_of_controls_are_bounded() -> None:
    """They are part of each event of a command, so they must be short."""
    check({"control": "X" * 256})
    assert pointers({"control": "X" * 257}) == ["#/payload/control"]
