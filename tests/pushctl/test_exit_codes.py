"""Tests of the exit codes."""

import pytest

from pushd.pushctl.exit_codes import ExitCode, exit_code, exit_code_help


@pytest.mark.parametrize("state", ["queued", "sent", "acknowledged", "a state of a later version"])
def test_command_that_has_not_ended_is_open(state: str) -> None:
    """A command in any other state than the final ones is open."""
    assert exit_code({"state": state}) is ExitCode.OPEN


def test_codes_are_fixed() -> None:
    """The numbers never change, because scripts rely on them."""
    assert {code.name: code.value for code in ExitCode} == {
        "SUCCEEDED": 0,
        "REFUSED": 1,
        "MISUSED": 2,
        "FAILED": 3,
        "UNKNOWN": 4,
        "EXPIRED": 5,
        "CANCELLED": 6,
        "OPEN": 7,
        "TROUBLE": 8,
        "INTERRUPTED": 130,
    }


def test_each_code_is_explained() -> None:
    """The help text has a line for each code that a command may have: of ``status``, only its own help."""
    assert len(exit_code_help().splitlines()) == len(ExitCode) - 1
    assert len(exit_code_help(ExitCode.OPEN).splitlines()) == len(ExitCode) - 2
