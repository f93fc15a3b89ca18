"""JSON on the wire (RFC 8259): a reader that is stricter than Python's, with one error for all, and a fast writer."""

import json
from collections.abc import Callable, Collection, Iterator
from json.scanner import make_scanner
from math import isfinite
from typing import Any, NoReturn
from urllib.parse import quote

from pushd.lib.text import one_line as text_line

LARGE = 64 * 1024
"""Characters of a JSON text from which on it is large: it is read and written off the reactor's thread."""

MAX_DEPTH = 100
"""Levels of nesting that a payload may have; Python's encoder gives up somewhere below a thousand."""

MAX_LINE = 1000
"""Characters to which a device's error is cut; the whole of it is in the result."""


_WHITE_SPACE = " \t\n\r"
_PIECE = 64 * 1024
_FEW = 16
"""Characters of a string, and values in a list or object, that are written at a time."""


class LargeObject(dict[str, Any]):
    """An object whose text is large, so that it is checked on a thread, in pieces."""


class UnreadableBody(Exception):
    """A body is not what its content type, or the call, promises; the message is one sentence for a person."""


def decode(body: bytes) -> str:
    """The text of a body in UTF-8, without the byte order mark that some clients put in front.

    :raises UnreadableBody: if it is not UTF-8.
    """
    try:
        return body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UnreadableBody("The body is not UTF-8.") from error


def parse(text: str) -> Any:
    """The value of a JSON text: no NaN, no float that overflows, no nesting too deep for Python; integers stay exact.

    :raises UnreadableBody: if it is not JSON.
    """
    text = text.strip(_WHITE_SPACE)
    try:
        value, end = _scan(text, 0)
    except (ValueError, RecursionError, StopIteration) as error:
        raise UnreadableBody("The body is not JSON.") from error
    if end != len(text):
        raise UnreadableBody("The body is not JSON.")
    return value


def one_line(value: object) -> str:
    """A device's error, whatever JSON value it is, as one printable line of at most :data:`MAX_LINE` characters."""
    return text_line(value if isinstance(value, str) else _outline(value), MAX_LINE)


def below(pointer: str, *keys: str | int) -> str:
    """The JSON pointer, as a URI fragment, to what is found at ``pointer`` by these keys, one below the other."""
    tokens = (str(key).replace("~", "~0").replace("/", "~1") for key in keys)
    return "/".join([pointer, *(quote(token, safe="~", errors="replace") for token in tokens)])


def find_unwritable(value: object, pointer: str) -> Iterator[tuple[str, str]]:
    """What in ``value``, found at ``pointer``, cannot be written as JSON in UTF-8: pointers, each with the reason."""
    if _is_writable(value):
        return
    todo: list[tuple[object, tuple[str | int, ...]]] = [(value, ())]
    while todo:
        value, keys = todo.pop()
        if problem := _problem(value, len(keys)):
            yield below(pointer, *keys), problem
        elif isinstance(value, dict):
            todo.extend((item, (*keys, key)) for key, item in value.items())
        elif isinstance(value, list):
            todo.extend((item, (*keys, index)) for index, item in enumerate(value))


def _is_writable(value: object) -> bool:
    """Whether there is surely nothing wrong: to write a value costs less than to check each of its parts."""
    brackets = 0
    try:
        for text in _pieces(value) if isinstance(value, LargeObject) else (write(value),):
            text.encode()
            brackets += text.count("{") + text.count("[")
    except (ValueError, RecursionError):
        return False
    return brackets <= MAX_DEPTH


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
    """:meth:`json.JSONEncoder.encode` with one C encoder for all values; the original makes one per call, which takes
    longer than to write most values.
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


_scan: Callable[[str, int], tuple[Any, int]] = make_scanner(
    json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)  # type: ignore[arg-type]  # it takes a decoder
)
"""What :meth:`json.JSONDecoder.decode` calls, between two searches for white space."""

write = _writer(ensure_ascii=False)
"""The shortest JSON text of a value, with other characters than ASCII as themselves."""

write_ascii = _writer(ensure_ascii=True)
"""The shortest JSON text of a value, in ASCII."""


def encode_in_pieces(value: object) -> bytes:
    """What :data:`write` writes of a large value, in UTF-8, with pauses: no other thread runs while C code writes a
    piece.
    """
    return b"".join(map(str.encode, _pieces(value)))


def _pieces(value: object) -> Iterator[str]:
    if isinstance(value, str) and len(value) > _PIECE:
        yield '"'
        for start in range(0, len(value), _PIECE):
            yield write(value[start : start + _PIECE])[1:-1]
        yield '"'
    elif isinstance(value, dict) and not _are_few(value.values()):
        begin = "{"
        for key, item in value.items():
            yield f"{begin}{write(key)}:"
            yield from _pieces(item)
            begin = ","
        yield "}"
    elif isinstance(value, list) and not _are_few(value):
        begin = "["
        for item in value:
            yield begin
            yield from _pieces(item)
            begin = ","
        yield "]"
    else:
        yield write(value)


def _are_few(values: Collection[object]) -> bool:
    """Whether these values are written at once."""
    if len(values) > _FEW:
        return False
    return not any(isinstance(each, dict | list) or (isinstance(each, str) and len(each) > _PIECE) for each in values)
