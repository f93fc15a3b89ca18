"""Tests of the options of a command: defaults and bounds."""

import pytest

from pushd.model.command import SendOptions
from pushd.model.errors import InvalidFields
from pushd.model.lifecycle import Delivery


def test_the_defaults_are_careful() -> None:
    """By default the time to live is five minutes, a command is sent once, and the deadline is an hour."""
    terms = SendOptions()
    assert (terms.ttl, terms.delivery, terms.priority) == (300, Delivery.AT_MOST_ONCE, 5)
    assert (terms.deadline, terms.max_attempts, terms.not_before, terms.lease) == (3600, 5, None, None)
    terms.check()


@pytest.mark.parametrize(
    ("field", "value"),
    [("ttl", 0.001), ("priority", 0), ("priority", 9), ("lease", 86_400.0), ("deadline", 1.0), ("max_attempts", 1)],
)
def test_values_within_bounds_are_valid(field: str, value: float) -> None:
    """The lowest and the highest value are valid."""
    SendOptions(**{field: value}).check()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ttl", 0.0),
        ("ttl", -1.0),
        ("ttl", float("nan")),
        ("ttl", float("inf")),
        ("priority", -1),
        ("priority", 10),
        ("lease", 0.0),
        ("lease", 86_401.0),
        ("deadline", 0.0),
        ("max_attempts", 0),
        ("max_attempts", 1001),
    ],
)
def test_values_out_of_bounds_are_named(field: str, value: float) -> None:
    """The error names the field and its bounds."""
    with pytest.raises(InvalidFields, match=f"^#/{field}: must be ") as caught:
        SendOptions(**{field: value}).check()  # type: ignore[arg-type]
    assert [error.pointer for error in caught.value.errors] == [f"#/{field}"]


def test_all_values_out_of_bounds_are_named_together() -> None:
    """The error names each field that is wrong."""
    with pytest.raises(InvalidFields) as caught:
        SendOptions(ttl=0.0, priority=10).check()
    assert [error.pointer for error in caught.value.errors] == ["#/ttl", "#/priority"]
