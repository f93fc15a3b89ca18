"""Options in environment variables: their names, and how flags and lists are written."""

import json


def variable(option: str) -> str:
    """The variable of an option: ``PUSHD_DATA_DIR`` of ``data-dir``."""
    return "PUSHD_" + option.upper().replace("-", "_")


def parse_flag(text: str) -> bool:
    """The value of a flag.

    :raises ValueError: if it is neither 1 nor 0.
    """
    if text not in ("0", "1"):
        raise ValueError("must be 1 or 0")
    return text == "1"


def parse_list(text: str) -> list[str]:
    """The values of a list: separated by commas, or a JSON array where they have commas themselves.

    :raises ValueError: if it begins like a JSON array and is none of strings.
    """
    if not text.startswith("["):
        return [part.strip() for part in text.split(",")]
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("must be a JSON array of strings, or values separated by commas")
    return values
