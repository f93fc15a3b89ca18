"""Tests of the strict reader and the fast writer of JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.lib import strict_json
from pushd.lib.strict_json import (
    MAX_DEPTH,
    MAX_LINE,
    LargeObject,
    UnreadableBody,
    below,
    decode,
    encode_in_pieces,
    find_unwritable,
    one_line,
    parse,
    write,
    write_ascii,
)

PIECE = 64 * 1024

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def nested(depth: int) -> object:
    """A list in a list in a list."""
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@given(values)
def test_a_value_survives_writing_and_reading(value: object) -> None:
    """A value comes back from its text as it went in."""
    assert parse(write(value)) == value
    assert list(find_unwritable(value, "#")) == []


@given(values)
def test_the_fast_writer_writes_what_the_standard_library_writes(value: object) -> None:
    """Both writers give, to the letter, what Python's own encoder gives."""
    assert write(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert write_ascii(value) == json.dumps(value, separators=(",", ":"))


@given(values)
def test_pieces_are_the_same_text(value: object) -> None:
    """However a value is cut, its text is the same."""
    with pytest.MonkeyPatch.context() as patched:
        for piece, few in ((1, 0), (2, 1), (1000, 16)):
            patched.setattr(strict_json, "_PIECE", piece)
            patched.setattr(strict_json, "_FEW", few)
            assert encode_in_pieces(value) == write(value).encode()
            if isinstance(value, dict):
                assert list(find_unwritable(LargeObject(value), "#")) == []


@pytest.mark.parametrize(
    "value",
    [
        {"data": "ä" * 20 * PIECE},
        {"data": {"text": '"' * 20 * PIECE}, "control": "X"},
        {"transactions": [{"endpoint": "user_set_image", "body": "x" * 1000}] * 5000},
        {"data": [[["x" * 1000] * 20] * 20] * 10},
    ],
    ids=["text", "nested text", "batch", "nested lists"],
)
def test_no_piece_of_a_large_value_is_large(monkeypatch: pytest.MonkeyPatch, value: dict[str, Any]) -> None:
    """While C code writes, no other thread runs; so it writes a bounded part at a time, also to check a payload."""
    sizes = []

    def recording_write(part: object) -> str:
        sizes.append(len(text := write(part)))
        return text

    monkeypatch.setattr(strict_json, "write", recording_write)
    assert list(find_unwritable(LargeObject(value), "#")) == []
    assert encode_in_pieces(value) == write(value).encode()
    assert max(sizes) < 4 * PIECE


@pytest.mark.parametrize("value", [float("nan"), {"a": [float("inf")]}, {1, 2}])
def test_a_value_without_a_json_text_is_refused(value: object) -> None:
    """NaN, infinity and values of other types are refused, also inside of a list."""
    with pytest.raises((ValueError, TypeError)):
        write(value)


def test_texts_are_short_and_keep_their_characters() -> None:
    """There are no spaces, and letters of any language are not escaped."""
    assert write({"nome": "João", "n": [1, 2]}) == '{"nome":"João","n":[1,2]}'


def test_sixteen_digits_stay_exact() -> None:
    """A device id is an integer that a float could not hold."""
    assert parse("4408801109440198") == 4408801109440198
    assert parse("9007199254740993") == 9007199254740993


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nothing",
        "{'single': 1}",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        "-1e999",
        "9" * 5000,
        "[" * 100_000,
        '{"a":' * 100_000,
        '"\n"',
        "1 2",
    ],
    ids=lambda text: text[:20] or "nothing at all",
)
def test_text_that_is_not_json_is_refused(text: str) -> None:
    """Text that RFC 8259 does not allow, or that would overflow a reader, is refused with one kind of error."""
    with pytest.raises(UnreadableBody):
        parse(text)


def test_the_last_of_duplicate_keys_counts() -> None:
    """Duplicate keys are no error."""
    assert parse('{"a":1,"a":2}') == {"a": 2}


def test_a_byte_order_mark_is_skipped() -> None:
    """A byte order mark in front of a body does not make it unreadable."""
    assert decode(b'\xef\xbb\xbf{"a":1}') == '{"a":1}'


def test_bytes_that_are_not_utf_8_are_unreadable() -> None:
    """A body in another encoding is refused."""
    with pytest.raises(UnreadableBody):
        decode("João".encode("latin-1"))


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("door\r\nopen\tnow", "door open now"),
        ("  much   space  ", "much space"),
        ("bell\x07 and \u202eturned", "bell and turned"),
        ("half \ud800 a pair", "half ? a pair"),
        ({"code": 7}, '{"code":7}'),
        (["a", None], '["a",null]'),
        (nested(100_000), "(nested too deeply to be shown)"),
        ("", ""),
    ],
    ids=range(8),
)
def test_an_error_becomes_one_line(value: object, line: str) -> None:
    """Any JSON value that a device gives as its error fits into one line of a table or a log."""
    assert one_line(value) == line


def test_a_long_error_is_cut() -> None:
    """A line that is too long is cut, and shows that it was."""
    assert one_line("x" * MAX_LINE) == "x" * MAX_LINE
    assert one_line("x" * (MAX_LINE + 1)) == "x" * (MAX_LINE - 1) + "…"


@given(st.text(alphabet=st.characters()))
def test_one_line_is_printable_and_encodable(text: str) -> None:
    """One line never breaks a line, a screen or an encoder."""
    line = one_line(text)
    assert line.encode().decode() == line
    assert line.isprintable()
    assert len(line) <= MAX_LINE


@pytest.mark.parametrize(
    ("key", "pointer"),
    [
        ("body", "#/payload/body"),
        (0, "#/payload/0"),
        ("a/b", "#/payload/a~1b"),
        ("a~b", "#/payload/a~0b"),
        ("a b%", "#/payload/a%20b%25"),
        ("é", "#/payload/%C3%A9"),
        ("\ud800", "#/payload/%3F"),
    ],
)
def test_a_pointer_names_any_key(key: str | int, pointer: str) -> None:
    """The pointer to a field at fault is a JSON pointer in the form for a URI fragment."""
    assert below("#/payload", key) == pointer


@pytest.mark.parametrize(
    ("text", "pointers"),
    [
        (r'{"a": {"b": ["fine", "\ud800"]}}', ["#/payload/a/b/1"]),
        (r'{"\udfff": 1}', ["#/payload"]),
        (r'{"pair": "\ud83d\ude00"}', []),
        (r'["\ud800", "\ud801"]', ["#/payload/0", "#/payload/1"]),
    ],
)
def test_a_lone_surrogate_is_found(text: str, pointers: list[str]) -> None:
    """A string that could not be sent in UTF-8 is pointed at."""
    assert sorted(pointer for pointer, _ in find_unwritable(json.loads(text), "#/payload")) == pointers


def test_an_infinite_number_is_found() -> None:
    """A number that JSON cannot write is pointed at."""
    assert [pointer for pointer, _ in find_unwritable({"ttl": float("inf"), "n": 1.5}, "#")] == ["#/ttl"]


def test_nesting_beyond_the_limit_is_found() -> None:
    """A value that is nested deeper than the limit is found, however deep it is."""
    assert not list(find_unwritable(nested(MAX_DEPTH), "#"))
    assert len(list(find_unwritable(nested(MAX_DEPTH + 1), "#"))) == 1
    assert len(list(find_unwritable(nested(100_000), "#"))) == 1
