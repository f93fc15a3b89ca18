"""Tests of what a sender may ask for."""

import pytest

from pushd.model.command import SendOptions
from pushd.model.errors import InvalidFields
from pushd.model.lifecycle import Delivery


def test_a_command_is_careful_unless_its_sender_says_otherwise() -> None:
    """By default a command lives five minutes, is sent once, and has an hour to be worked on."""
    terms = SendOptions()
    assert (terms.ttl, terms.delivery, terms.priority) == (300, Delivery.AT_MOST_ONCE, 5)
    assert (terms.deadline, terms.max_attempts, terms.not_before, terms.lease) == (3600, 5, None, None)
    terms.check()


@pytest.mark.parametrize(
    ("field", "value"),
    [("ttl", 0.001), ("priority", 0), ("priority", 9), ("lease", 86_400.0), ("deadline", 1.0), ("max_attempts", 1)],
)
def test_terms_within_their_bounds_are_taken(field: str, value: float) -> None:
    """The least and the most that may be asked for may be asked for."""
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
def test_terms_out_of_their_bounds_are_pointed_at(field: str, value: float) -> None:
    """Whoever asks for what cannot be is told which field is wrong, and what it may be."""
    with pytest.raises(InvalidFields, match=f"^#/{field}: must be ") as caught:
        SendOptions(**{field: value}).check()  # type: ignore[arg-type]
    assert [error.pointer for error in caught.value.errors] == [f"#/{field}"]


def test_all_terms_that_are_wrong_are_told_at_once() -> None:
    """Whoever asks for several impossible things reads of each of them."""
    with pytest.raises(InvalidFields) as caught:
        SendOptions(ttl=0.0, priority=10).check()
    assert [error.pointer for error in caught.value.errors] == ["#/ttl", "#/priority"]
