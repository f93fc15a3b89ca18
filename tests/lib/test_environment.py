"""Tests of options in environment variables."""

import pytest

from pushd.lib.environment import parse_flag, parse_list, variable


def test_name_of_a_variable() -> None:
    """The variable of an option is its name in capitals, with underscores."""
    assert variable("smtp-password-file") == "PUSHD_SMTP_PASSWORD_FILE"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("0", False)])
def test_flag(text: str, value: bool) -> None:
    """A flag is 1 or 0."""
    assert parse_flag(text) is value


@pytest.mark.parametrize("text", ["", "true", "yes", "2", "-1"])
def test_no_other_flags(text: str) -> None:
    """Nothing else is guessed to be a flag."""
    with pytest.raises(ValueError, match="must be 1 or 0"):
        parse_flag(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a", ["a"]),
        ("a, b,c", ["a", "b", "c"]),
        ('["ssl:443:privateKey=a,b", "tcp:80"]', ["ssl:443:privateKey=a,b", "tcp:80"]),
        ("[]", []),
    ],
)
def test_list(text: str, values: list[str]) -> None:
    """A list is separated by commas, or a JSON array for values with commas."""
    assert parse_list(text) == values


@pytest.mark.parametrize("text", ['["a"', "[1]", '["a", null]', "[a]", "[" * 100_000])
def test_no_other_lists(text: str) -> None:
    """What begins like a JSON array must be one, of strings."""
    with pytest.raises(ValueError, match="must be a JSON array of strings"):
        parse_list(text)
