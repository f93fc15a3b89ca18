"""JSON as it comes and goes over the wire: stricter than Python's own reader, and with one error for all that is
wrong.
"""

import json
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any, NoReturn
from urllib.parse import quote

from pushd.lib.text import one_line as text_line
from pushd.model.errors import FieldError, UnreadableBody

MAX_DEPTH = 100
"""Levels of nesting that we hand on; Python's encoder gives up somewhere below a thousand."""

MAX_LINE = 1000
"""Characters of an error that we keep in one line; the whole of it is in the result."""


def decode(body: bytes) -> str:
    """The text of a body in UTF-8, without the mark that some clients put in front.

    :raises UnreadableBody: if it is not UTF-8.
    """
    try:
        return body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UnreadableBody("The body is not UTF-8.") from error


def parse(text: str) -> Any:
    """The value of a JSON text (RFC 8259): no NaN, no number that is too large, no bottomless nesting.

    :raises UnreadableBody: if it is not JSON.
    """
    try:
        return _READER.decode(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableBody("The body is not JSON.") from error


def write(value: object) -> str:
    """The shortest JSON text of ``value``, with other characters than ASCII as themselves."""
    return _write(value)


def one_line(value: object) -> str:
    """A device's words as one line that any store and any screen can take, cut where it is too long."""
    return text_line(value if isinstance(value, str) else _outline(value), MAX_LINE)


def below(pointer: str, *keys: str | int) -> str:
    """The JSON pointer, in its form for a URI fragment, to what ``pointer`` holds at ``keys``, one below the other."""
    tokens = (str(key).replace("~", "~0").replace("/", "~1") for key in keys)
    return "/".join([pointer, *(quote(token, safe="~", errors="replace") for token in tokens)])


def flaws(value: object, pointer: str) -> Iterator[FieldError]:
    """What in ``value``, found at ``pointer``, could not be written as JSON in UTF-8."""
    if _is_sound(value):
        return
    todo: list[tuple[object, tuple[str | int, ...]]] = [(value, ())]
    while todo:
        value, keys = todo.pop()
        if problem := _problem(value, len(keys)):
            yield FieldError(below(pointer, *keys), problem)
        elif isinstance(value, dict):
            todo.extend((item, (*keys, key)) for key, item in value.items())
        elif isinstance(value, list):
            todo.extend((item, (*keys, index)) for index, item in enumerate(value))


def _is_sound(value: object) -> bool:
    """Whether there is surely nothing wrong; it costs less to write a value than to look at all that is in it."""
    try:
        text = write(value)
        text.encode()
    except (ValueError, RecursionError):
        return False
    return text.count("{") + text.count("[") <= MAX_DEPTH


def _problem(value: object, depth: int) -> str | None:
    if depth > MAX_DEPTH:
        return f"is nested deeper than {MAX_DEPTH} levels"
    if isinstance(value, str) and not _encodable(value):
        return "holds half of a surrogate pair; send whole characters"
    if isinstance(value, dict) and not _encodable("".join(value)):
        return "has a key with half of a surrogate pair; send whole characters"
    if isinstance(value, float) and not isfinite(value):
        return "must be a finite number"
    return None


def _outline(value: object) -> str:
    try:
        return write(value)
    except RecursionError:  # the reader goes a little deeper than the writer
        return "(nested too deeply to be shown)"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _writer(ensure_ascii: bool) -> Callable[[object], str]:
    """What :meth:`json.JSONEncoder.encode` does, with one encoder for all values: it makes one for each, which takes
    longer than most values do.
    """
    whole = json.JSONEncoder(ensure_ascii=ensure_ascii, allow_nan=False, separators=(",", ":"))
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # not CPython
        return whole.encode
    strings = json.encoder.encode_basestring_ascii if ensure_ascii else json.encoder.encode_basestring
    pieces = make(None, whole.default, strings, None, ":", ",", False, False, False)
    return lambda value: "".join(pieces(value, 0))


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"{digits} is too large")
    return number


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_READER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
_write = _writer(ensure_ascii=False)
compact = _writer(ensure_ascii=True)
"""The shortest JSON text of a value, in ASCII, as it is stored."""
