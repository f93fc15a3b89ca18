"""Tests of :mod:`pushd.lib.large_json`: what is read of large JSON texts is what Python's reader would read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.lib import large_json, strict_json
from pushd.lib.large_json import MAX_VALUES, TooManyValues
from pushd.lib.strict_json import UnreadableBody

NAMES = ("a", "b")

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"]))
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner), max_leaves=8
)


def shown(value: Any) -> Any:
    """A value as :func:`large_json.read_members` shows it."""
    return strict_json.write(value) if isinstance(value, list | dict) and value else value


@given(st.dictionaries(st.sampled_from("abc"), values))
def test_members(fields: dict[str, Any]) -> None:
    """The members with the names that are asked for are read, lists and objects as their text."""
    read = large_json.read_members(strict_json.write(fields), NAMES)
    assert {
        name: json.loads(value) if isinstance(fields[name], list | dict) and value else value
        for name, value in read.items()
    } == {name: fields[name] for name in NAMES if name in fields}
    assert all(type(value) is type(shown(fields[name])) for name, value in read.items())


@given(st.lists(values, max_size=5))
def test_items(items: list[Any]) -> None:
    """Of each object in a list, the members are read, and its text is kept; anything else is None."""
    text = strict_json.write({"list": items})
    read = large_json.read_items(text, "$.list", NAMES, limit=5)
    for item, found in zip(items, read, strict=True):
        assert isinstance(found, large_json.Item) == isinstance(item, dict)
        if isinstance(found, large_json.Item):
            assert found == {name: shown(item[name]) for name in NAMES if name in item}
            assert json.loads(found.text) == item


@pytest.mark.parametrize(
    "text",
    ["", "[]", "1", '{"a":NaN}', '{"a":1,}', "{a:1}", "{'a':1}", '{"a":1} x', '{"a":01}', '{"a":"\n"}', "\ud800"],
)
def test_texts_that_are_no_object(text: str) -> None:
    """What is not JSON (RFC 8259), or no object, is refused."""
    with pytest.raises(UnreadableBody):
        large_json.read_members(text, NAMES)


@pytest.mark.parametrize("text", ['{"list":{}}', '{"list":"[]"}', "{}", '{"list":[1,]}', "\ud800"])
def test_texts_without_a_list(text: str) -> None:
    """Where no list is, none is read."""
    with pytest.raises(UnreadableBody):
        large_json.read_items(text, "$.list", NAMES, limit=5)


def test_too_many_items() -> None:
    """A list that is too long is refused."""
    with pytest.raises(UnreadableBody, match="more than 5 results"):
        large_json.read_items('{"list":[1,2,3,4,5,6]}', "$.list", NAMES, limit=5)


def test_long_string() -> None:
    """A string is cut to what can be shown, or read whole."""
    text = strict_json.write({"a": "ä" * 100_000, "b": {"c": "x" * 100_000}})
    read = large_json.read_members(text, NAMES)
    assert (len(read["a"]), len(read["b"])) == (2 * strict_json.MAX_LINE, 2 * strict_json.MAX_LINE)
    assert large_json.read_string(text, "a") == "ä" * 100_000


@pytest.mark.parametrize("item", ["1", "[]", '{"a":1}', '"x"', "null"])
def test_number_of_values(item: str) -> None:
    """A large text may have a bounded number of values, whatever they are."""
    count = MAX_VALUES // 2 - 1 if item == '{"a":1}' else MAX_VALUES - 1
    values = f"[{','.join([item] * count)}]"
    assert len(large_json.parse(values)) == count
    with pytest.raises(TooManyValues):
        large_json.parse(f"{values[:-1]},{item},{item}]")


def test_separators_in_strings_are_no_values() -> None:
    """A large string may have any number of commas and brackets."""
    text = strict_json.write(["1,[{" * MAX_VALUES])
    assert large_json.parse(text) == ["1,[{" * MAX_VALUES]
