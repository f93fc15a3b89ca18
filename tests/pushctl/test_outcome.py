"""Tests of the exit codes."""

import pytest

from pushd.pushctl.exit_codes import Outcome, explained, outcome


@pytest.mark.parametrize("state", ["queued", "sent", "acknowledged", "a state of a later version"])
def test_command_that_has_not_ended_is_open(state: str) -> None:
    """Whatever is not known to have ended is open."""
    assert outcome({"state": state}) is Outcome.OPEN


def test_codes_are_fixed() -> None:
    """Scripts rely on the numbers, so they never change."""
    assert {code.name: code.value for code in Outcome} == {
        "SUCCEEDED": 0,
        "REFUSED": 1,
        "MISUSED": 2,
        "FAILED": 3,
        "UNKNOWN": 4,
        "EXPIRED": 5,
        "CANCELLED": 6,
        "OPEN": 7,
        "INTERRUPTED": 130,
    }


def test_each_code_is_explained() -> None:
    """The help text has a line for each code."""
    assert len(explained().splitlines()) == len(Outcome)
