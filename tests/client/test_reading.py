"""Tests of how JSON becomes values."""

from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError

from pushd.client import Event, Opening, UnexpectedAnswer
from pushd.client.errors import PROBLEMS, Conflict, Problem, ProblemDetails, problem_of
from pushd.client.reading import read
from pushd.http.error_status import STATUS

EVENT: dict[str, Any] = {
    "seq": "1-1",
    "type": "device.changed",
    "at": "2027-01-15T08:00:00.000Z",
    "device": "servereye:a",
    "by": None,
    "command": None,
    "data": {},
}


def test_newer_server() -> None:
    """Fields and words of a newer server are tolerated."""
    event = read(Event, EVENT | {"type": "device.moved", "where": [1, 2]})
    assert event.type == "device.moved"
    assert not hasattr(event, "where")


def test_frozen() -> None:
    """A value cannot be changed."""
    with pytest.raises(FrozenInstanceError):
        read(Event, EVENT).type = "other"  # type: ignore[misc]  # that is tested


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": None}, "type: must be a string"),
        ({"at": 7}, "at: must be a time"),
        ({"at": "soon"}, "at: "),
        ({"data": []}, "data: must be an object"),
        ({"device": 7}, "device: must be a string"),
    ],
)
def test_wrong_types(changes: dict[str, Any], message: str) -> None:
    """A field of another type is an error that names it."""
    with pytest.raises(UnexpectedAnswer, match=message):
        read(Event, EVENT | changes)


def test_missing_field() -> None:
    """A field that is missing is an error that names it, and so is anything but an object."""
    with pytest.raises(UnexpectedAnswer, match="command is missing"):
        read(Opening, {"outcome": "opened", "reason": "succeeded", "detail": ""})
    with pytest.raises(UnexpectedAnswer, match="must be an object"):
        read(Event, None)


def test_each_problem_has_a_class() -> None:
    """Each type of problem that the server answers is a class of its own."""
    assert PROBLEMS.keys() == STATUS.keys()
    assert len(set(PROBLEMS.values())) == len(PROBLEMS)
    assert all(issubclass(PROBLEMS[kind], Conflict) for kind, status in STATUS.items() if status == 409)


def test_problem_of_a_newer_server() -> None:
    """A type that is not known yet is an error by its status."""
    assert type(problem_of(409, ProblemDetails(type="door-jammed"))) is Conflict
    error = problem_of(418, ProblemDetails(type="teapot", detail="It is one."))
    assert (type(error), error.status, error.type, str(error)) == (Problem, 418, "teapot", "It is one. (418 teapot)")
