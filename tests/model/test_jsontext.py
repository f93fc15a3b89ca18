"""Tests of JSON as it comes and goes over the wire."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.lib.strict_json import MAX_DEPTH, MAX_LINE, below, compact, decode, flaws, one_line, parse, write
from pushd.model.errors import UnreadableBody

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
def test_what_is_written_is_read_as_the_same(value: object) -> None:
    """A value comes back from its text as it went in."""
    assert parse(write(value)) == value
    assert list(flaws(value, "#")) == []


@given(values)
def test_what_is_written_is_what_python_writes(value: object) -> None:
    """Whatever is done for speed, texts are to the letter those of Python's own encoder."""
    assert write(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert compact(value) == json.dumps(value, separators=(",", ":"))


@pytest.mark.parametrize("value", [float("nan"), {"a": [float("inf")]}, {1, 2}])
def test_what_is_no_json_is_not_written(value: object) -> None:
    """A value for which JSON has no text is refused, also behind others."""
    with pytest.raises((ValueError, TypeError)):
        write(value)


def test_texts_are_short_and_keep_their_characters() -> None:
    """No spaces, and letters of any language as themselves."""
    assert write({"nome": "João", "n": [1, 2]}) == '{"nome":"João","n":[1,2]}'


def test_sixteen_digits_stay_exact() -> None:
    """A device id never passes a float."""
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
def test_what_is_not_json_is_unreadable(text: str) -> None:
    """Text that other readers would refuse, or choke on, is refused with one kind of error."""
    with pytest.raises(UnreadableBody):
        parse(text)


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    """Duplicate keys are no error."""
    assert parse('{"a":1,"a":2}') == {"a": 2}


def test_the_mark_of_some_clients_is_skipped() -> None:
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
    """Whatever a device gives as its error fits into a line of a table or a log."""
    assert one_line(value) == line


def test_a_long_error_is_cut() -> None:
    """A line that is too long is cut, and shows that it was."""
    assert one_line("x" * MAX_LINE) == "x" * MAX_LINE
    assert one_line("x" * (MAX_LINE + 1)) == "x" * (MAX_LINE - 1) + "…"


@given(st.text(alphabet=st.characters()))
def test_any_error_can_be_stored_and_shown(text: str) -> None:
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
def test_half_a_character_is_found(text: str, pointers: list[str]) -> None:
    """A string that could not be sent in UTF-8 is pointed at."""
    assert sorted(flaw.pointer for flaw in flaws(json.loads(text), "#/payload")) == pointers


def test_an_endless_number_is_found() -> None:
    """A value that JSON cannot write is pointed at."""
    assert [flaw.pointer for flaw in flaws({"ttl": float("inf"), "n": 1.5}, "#")] == ["#/ttl"]


def test_a_value_may_be_nested_so_deep_and_no_deeper() -> None:
    """What is nested deeper than we hand on is found, however deep it is."""
    assert not list(flaws(nested(MAX_DEPTH), "#"))
    assert len(list(flaws(nested(MAX_DEPTH + 1), "#"))) == 1
    assert len(list(flaws(nested(100_000), "#"))) == 1
