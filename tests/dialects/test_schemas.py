"""The JSON Schemas of each dialect say what can be sent to its devices, and what these report."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator, meta

from pushd.dialects.controlid import wire as controlid
from pushd.dialects.servereye import wire as servereye
from pushd.lib.strict_json import UnreadableBody
from pushd.model.dialect import Dialect, JsonSchema
from pushd.model.errors import FieldError, InvalidFields
from pushd.option_values import DIALECTS

BEYOND_SCHEMAS = ("must be unique", "different endpoints", "is nested deeper")
"""Parts of errors that no schema can say; the description of a batch does."""

SPACES = st.sampled_from(["", " ", "\t", "\x1c", "\x85", "\u2003", "\ufeff", "\u200b"])
SLASHES = st.sampled_from(["", "/", "//"])
NAMES = st.builds("".join, st.tuples(SLASHES, SPACES, st.sampled_from(["", "a", "/", ".fcgi", "a.fcgi"]), SPACES))
OCTETS = st.sampled_from(["application/octet-stream", "Application/OCTET-stream", "application/octet-streams"])
CONTENT_TYPES = st.builds("".join, st.tuples(SPACES, OCTETS, SPACES, st.sampled_from(["", ";", ";x", "\n", ";\n"])))
BASE64 = st.one_of(st.text("Aa+/=-\n", max_size=9), st.sampled_from(["AAAA", "AAA=", "AA==", "AA=A", "A===", "===="]))
LONG = st.sampled_from(["a" * 256, "a" * 257, "☺" * 256])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.one_of(
    SCALARS,
    NAMES,
    CONTENT_TYPES,
    BASE64,
    LONG,
    st.sampled_from(["GET", "POST", "get"]),
    st.text(max_size=3),
    st.lists(SCALARS, max_size=2),
    st.dictionaries(st.text(max_size=2), SCALARS, max_size=2),
)
OBJECT_OR_TEXT = st.one_of(BASE64, st.dictionaries(st.text(max_size=2), SCALARS, max_size=2))


def _mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Such values, and now and then any other."""
    return st.integers(0, 9).flatmap(lambda number: right if number else VALUES)


def _object(required: Mapping[str, Any], optional: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with mostly the right fields."""
    known = {name: _mostly(value) for name, value in {**required, **optional}.items()}
    right = st.fixed_dictionaries(
        {name: known[name] for name in required}, optional={name: known[name] for name in optional}
    )
    others = st.dictionaries(st.sampled_from([*known, "transactions", "more"]), VALUES, max_size=3)
    return st.integers(0, 9).flatmap(lambda number: right if number else st.builds(dict.__or__, right, others))


_OPTIONAL = {
    "verb": st.sampled_from(["GET", "POST"]),
    "body": OBJECT_OR_TEXT,
    "contentType": st.one_of(CONTENT_TYPES, st.text(max_size=3)),
    "queryString": st.text(max_size=3),
}
_ENTRY = _object({"endpoint": NAMES}, _OPTIONAL | {"transactionid": st.one_of(st.text(max_size=2), st.integers())})
PAYLOADS: Mapping[str, st.SearchStrategy[Any]] = {
    "controlid": st.one_of(
        _object({"endpoint": NAMES}, _OPTIONAL), _object({"transactions": st.lists(_mostly(_ENTRY), max_size=3)}, {})
    ),
    "servereye": _object({"control": NAMES}, {"message": st.text(max_size=3), "data": VALUES}),
}
"""By dialect: payloads of which about half can be sent."""


def _validator(schema: JsonSchema) -> Draft202012Validator:
    return Draft202012Validator(dict(schema))


def _errors(dialect: Dialect, payload: dict[str, Any]) -> tuple[FieldError, ...]:
    try:
        dialect.check(payload)
    except InvalidFields as error:
        return error.errors
    return ()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_schemas_are_valid(dialect: Dialect) -> None:
    """Each is a JSON Schema with a title."""
    for schema in (dialect.payload_schema, dialect.result_schema):
        assert schema["title"]
        assert meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


@given(st.sampled_from(DIALECTS), st.data())
def test_payloads(dialect: Dialect, data: st.DataObject) -> None:
    """A payload is as the schema says if and only if it can be sent, but for what no schema can say."""
    payload = data.draw(PAYLOADS[dialect.name])
    errors = _errors(dialect, payload)
    if not all(any(words in error.detail for words in BEYOND_SCHEMAS) for error in errors):
        assert not _validator(dialect.payload_schema).is_valid(payload), errors
    else:
        _validator(dialect.payload_schema).validate(payload)


@given(st.sampled_from(DIALECTS), st.data())
def test_what_is_stored(dialect: Dialect, data: st.DataObject) -> None:
    """A payload as it is stored and shown is as the schema says, too, and could be sent again."""
    payload = data.draw(PAYLOADS[dialect.name].filter(lambda payload: not _errors(dialect, payload)))
    stored = dialect.check(payload)
    _validator(dialect.payload_schema).validate(stored)
    assert dialect.check(stored) is stored


RESULTS = st.dictionaries(
    st.sampled_from([*controlid._FIELDS, "success", "message", "data", "raw", "more"]),
    st.one_of(VALUES, st.lists(st.dictionaries(st.sampled_from(["transactionid", "error", "success"]), VALUES))),
)
BODIES = st.one_of(RESULTS.map(json.dumps), st.text(), st.sampled_from(["response=&error=", "error=no", "[]", "{}"]))


@given(BODIES)
@example('{"transactions_results": [{"transactionid": "1", "success": true}]}')
def test_results_of_readers(body: str) -> None:
    """What is stored of whatever a Control iD device posts is as the schema says, and so is each part of a batch."""
    query = controlid.PollQuery(device="7", uuid=None, endpoint=None)
    whole = controlid.read_result(body.encode("utf-8", "replace"), None, query)
    for found in (whole, whole.part(1)):
        if found is not None:
            assert isinstance(found.result, str)
            _validator(DIALECTS[0].result_schema).validate(json.loads(found.result))


@given(BODIES)
@example('{"success": true, "data": 5}')
def test_results_of_containers(body: str) -> None:
    """What is stored of whatever a Server-Eye container posts is as the schema says."""
    try:
        found = servereye.read_result(body.encode("utf-8", "replace"), "message")
    except UnreadableBody:
        return
    assert isinstance(found.result, str)
    _validator(DIALECTS[1].result_schema).validate(json.loads(found.result))
