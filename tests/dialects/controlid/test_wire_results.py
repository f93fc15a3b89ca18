"""Tests of how :mod:`pushd.dialects.controlid.wire` reads results."""

import json
from base64 import b64decode
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.dialects.controlid import wire
from pushd.model.lifecycle import Move
from tests.results import text_of

QUERY = wire.PollQuery(device="4408801109440198", uuid="0d9f4bd6", endpoint="load_objects")
COMMAND = {"endpoint": "load_objects"}
FORM = "application/x-www-form-urlencoded"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize(
    "content_type", ["application/json", None, "", "text/plain", FORM, "application/octet-stream"]
)
def test_result_whatever_its_type(content_type: str | None) -> None:
    """A JSON result is read with any content type, and kept unchanged."""
    body = b'{ "response" : {"users":[{"id":4408801109440198, "name":"Jos\xc3\xa9", "x": 1.50}]} }\r\n'
    report = wire.read_result(body, content_type, QUERY)
    assert report.result == '{ "response" : {"users":[{"id":4408801109440198, "name":"José", "x": 1.50}]} }\r\n'
    assert report.judge(COMMAND).move is Move.SUCCEED


def test_fields_of_a_result() -> None:
    """A result has what is needed to find its command, and the body unchanged."""
    body = b'{"response": ""}'
    report = wire.read_result(body, None, QUERY)
    assert (report.message, report.uuid, report.endpoint) == (None, "0d9f4bd6", "load_objects")
    assert (report.raw, report.size) == (body, 16)


def test_result_with_byte_order_mark() -> None:
    """A byte order mark is not part of the result."""
    report = wire.read_result(b'\xef\xbb\xbf{"response": {}}', "application/json", QUERY)
    assert report.result == '{"response": {}}'
    assert report.judge(COMMAND).move is Move.SUCCEED


def test_result_with_half_a_surrogate_pair() -> None:
    """An escape of half a surrogate pair stays an escape, so that every store can keep it."""
    body = rb'{"response": "\ud83d", "note": "\u0000"}'
    report = wire.read_result(body, None, QUERY)
    assert report.result == body.decode("ascii")


@pytest.mark.parametrize("content_type", [FORM, FORM + "; charset=UTF-8", FORM.upper(), None, "application/json"])
def test_result_as_form(content_type: str | None) -> None:
    """A result may be a form, whatever its content type; it is kept as JSON."""
    body = b"response=%7B%22users%22%3A%5B%7B%22id%22%3A4408801109440198%7D%5D%7D&error="
    report = wire.read_result(body, content_type, QUERY)
    assert report.result == r'{"response":"{\"users\":[{\"id\":4408801109440198}]}","error":""}'
    assert report.judge(COMMAND).move is Move.SUCCEED


def test_result_as_form_with_error() -> None:
    """A form may contain an error, in any language."""
    report = wire.read_result(b"error=Usu%C3%A1rio+n%C3%A3o+encontrado", FORM, QUERY)
    assert report.result == '{"error":"Usuário não encontrado"}'
    assert report.judge(COMMAND).error == "Usuário não encontrado"


def test_result_as_form_in_latin_1() -> None:
    """A form with a letter that is not UTF-8 is still read."""
    verdict = wire.read_result(b"error=Usu%E1rio+inv%E1lido", FORM, QUERY).judge(COMMAND)
    assert verdict.move is Move.FAIL
    assert verdict.error == "Usu\N{REPLACEMENT CHARACTER}rio inv\N{REPLACEMENT CHARACTER}lido"


def test_result_as_form_with_batch() -> None:
    """In a form the results of a batch are a JSON text."""
    body = b"transactions_results=%5B%7B%22transactionid%22%3A1%2C%22success%22%3Atrue%7D%5D"
    report = wire.read_result(body, FORM, QUERY)
    assert report.judge({"transactions": [COMMAND]}).move is Move.SUCCEED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"5",
        b"[]",
        b"{}",
        b'"response"',
        b'{"users": []}',
        b'{"Response": {}}',
        b'{"response": {}',
        b'{"response": "a&error=b',
        b'[{"response": "a&response=b"}',
        b'{"response": NaN}',
        b'{"response": -Infinity}',
        b'{"response": 1e999}',
        b'{"response": ' + b"9" * 5000 + b"}",
        b'{"response": ' + b"[" * 100_000,
        b'{"response": "caf\xe9"}',
        '{"response": ""}'.encode("utf-16"),
        b'{"transactions_results": null}',
        b'{"transactions_results": ""}',
        b'{"transactions_results": {"1": true}}',
        b'{"transactions_results": "[{]"}',
        b"error",
        b"out of memory",
        b"a=b&c=d",
        b"\x00\x01\x02",
        b"response=x" + b"&a=b" * 2000,
    ],
)
def test_result_unreadable(body: bytes) -> None:
    """An unreadable result makes the command unknown, and all its bytes are kept."""
    report = wire.read_result(body, None, QUERY)
    verdict = report.judge(COMMAND)
    assert (verdict.move, verdict.error) == (Move.GARBLE, "unreadable result")
    assert b64decode(json.loads(text_of(report.result))["raw"]) == body
    assert (report.uuid, report.size) == ("0d9f4bd6", len(body))


def test_result_that_claims_to_be_a_form() -> None:
    """A key without a value counts if the content type is that of a form, and is mere text otherwise."""
    assert wire.read_result(b"response", FORM.upper(), QUERY).judge(COMMAND).move is Move.SUCCEED
    assert wire.read_result(b"response", "text/plain", QUERY).judge(COMMAND).move is Move.GARBLE


@pytest.mark.parametrize(
    "body", [b'{"error": "a&response=b', b'["a&response=b', b'"a&response=b', b' \n{"a&response=b']
)
def test_result_cut_short(body: bytes) -> None:
    """A part of a JSON text is never read as a form, whatever its content type."""
    assert wire.read_result(body, FORM, QUERY).judge(COMMAND).move is Move.GARBLE


def test_result_of_12_megabytes() -> None:
    """A large result is kept whole; of an orphan result only the first 64 KiB are kept."""
    user = b'{"id":4408801109440198,"registration":"0042","name":"Jo\xc3\xa3o da Silva","password":"","salt":""}'
    body = b'{"response":{"users":[' + b",".join([user] * 140_000) + b"]}}"
    assert len(body) > 12_000_000
    report = wire.read_result(body, "application/json", QUERY)
    assert report.judge(COMMAND).move is Move.SUCCEED
    assert text_of(report.result) == body.decode()
    assert (report.raw, report.size) == (body[:65536], len(body))


def test_result_with_photo_of_12_megabytes() -> None:
    """A large photo is read as base64, in JSON or in a form."""
    photo = b"/9j/4AAQSkZJRgABAQEASABIAAD+2wBD" * 375_000
    for body in (b'{"response":"' + photo + b'"}', b"response=" + quote_plus(photo).encode()):
        report = wire.read_result(body, None, QUERY)
        assert json.loads(text_of(report.result)) == {"response": photo.decode()}
        assert report.judge(COMMAND).move is Move.SUCCEED


def test_result_too_large() -> None:
    """A result that was too large makes the command unknown, with an error that has the size."""
    report = wire.oversized(20_000_000, QUERY)
    verdict = report.judge(COMMAND)
    assert verdict.move is Move.GARBLE
    assert "20000000" in (verdict.error or "")
    assert (report.uuid, report.endpoint) == ("0d9f4bd6", "load_objects")
    assert (report.result, report.raw, report.size) == (None, b"", 20_000_000)


fragments = st.sampled_from(
    b"{ } [ ] : , & = % 1 \xff \\ud800 false error response transactions_results"
    b' " "error" "response" "transactions_results" "transactionid"'.split(b" ")
)
result_bytes = st.binary(max_size=60) | st.lists(fragments, max_size=14).map(b"".join)


@given(result_bytes, st.none() | st.sampled_from(["application/json", FORM]) | texts)
def test_result_of_any_bytes(body: bytes, content_type: str | None) -> None:
    """Arbitrary bytes cause no unexpected error, and what is kept of them is JSON that every store can keep."""
    report = wire.read_result(body, content_type, QUERY)
    for payload in (COMMAND, {"transactions": [COMMAND, COMMAND]}):
        error = report.judge(payload).error
        assert error is None or error.encode()
    assert isinstance(json.loads(text_of(report.result).encode()), dict)


# what a simulated device sends


def test_write_result() -> None:
    """A device reports a response, or else an error."""
    outcome = wire.CommandOutcome(response={"ids": [7]})
    assert wire.write_result(outcome) == b'{"response":"{\\"ids\\":[7]}"}'
    assert wire.write_result(outcome, as_object=True) == b'{"response":{"ids":[7]}}'
    assert wire.write_result(wire.CommandOutcome(error="unknown endpoint")) == b'{"error":"unknown endpoint"}'


def test_write_results() -> None:
    """A device reports a batch with numbers for ids of digits, and with responses as text."""
    outcomes = {
        "1": wire.CommandOutcome(response={"ids": [7]}),
        "door": wire.CommandOutcome(error="no door"),
        "3": wire.CommandOutcome(),
    }
    assert wire.write_results(outcomes) == (
        b'{"transactions_results":['
        b'{"transactionid":1,"success":true,"response":"{\\"ids\\":[7]}"},'
        b'{"transactionid":"door","success":false,"error":"no door"},'
        b'{"transactionid":3,"success":true,"response":""}]}'
    )


@given(
    st.dictionaries(st.from_regex(r"[1-9][0-9]?|[a-z]+", fullmatch=True), st.none() | texts, min_size=1, max_size=5)
)
def test_results_round_trip(errors: dict[str, str | None]) -> None:
    """A batch that a device reports succeeds if, and only if, all of its entries do."""
    outcomes = {name: wire.CommandOutcome(error=error) for name, error in errors.items()}
    payload = {"transactions": [{"transactionid": name, "endpoint": "load_objects"} for name in errors]}
    verdict = wire.read_result(wire.write_results(outcomes), None, QUERY).judge(payload)
    worked = all(error is None for error in errors.values())
    assert verdict.move is (Move.SUCCEED if worked else Move.FAIL)
