"""Tests of how tests ask for programs that may be missing."""

import pytest

from tests.programs import needs_program


def test_installed_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test whose programs are installed runs."""
    needs_program("sh")


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_missing_program(monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]) -> None:
    """A test whose program is missing is skipped, but fails in continuous integration."""
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="not installed: no-such-program"):
        needs_program("sh", "no-such-program")
