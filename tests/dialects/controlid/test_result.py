"""Tests of :mod:`pushd.dialects.controlid.result`: what a result means for its command."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.dialects.controlid import wire
from pushd.dialects.controlid.result import normalized_id, with_transaction_ids
from pushd.model.lifecycle import Move
from pushd.model.result import Verdict

COMMAND = {"endpoint": "load_objects"}
BATCH = {"transactions": [{"endpoint": "load_objects"}, {"transactionid": "2", "endpoint": "execute_actions"}]}

BOTH = b'{"transactionid": 1, "success": true}, {"transactionid": 2, "success": true}'
"""What a device answers to the batch when all of it worked."""


def judge(body: bytes, payload: dict[str, Any] = COMMAND, *, uuid: str | None = "0d9f4bd6") -> Verdict:
    """The verdict of the result ``body`` for a command with ``payload``."""
    return wire.read_result(body, "application/json", _query(None, uuid)).judge(payload)


def _query(endpoint: str | None, uuid: str | None = None) -> wire.PollQuery:
    return wire.PollQuery(device="4408801109440198", uuid=uuid, endpoint=endpoint)


# single commands


@pytest.mark.parametrize(
    "body",
    [
        b'{"response": {"users": [{"id": 1}]}}',
        b'{"response": {}}',
        b'{"response": ""}',
        b'{"response": "{\\"users\\": []}"}',
        b'{"response": "OK"}',
        b'{"response": null}',
        b'{"response": [], "error": ""}',
        b'{"response": {}, "error": null}',
        b'{"response": {}, "error": {}}',
        b'{"response": "", "error": "  "}',
        b'{"response": {}, "transactions_results": null}',
        b'{"response": {}, "transactions_results": " "}',
    ],
)
def test_response_is_success(body: bytes) -> None:
    """A response without an error succeeds, also if it is empty."""
    assert judge(body) == Verdict(move=Move.SUCCEED)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error": "Invalid endpoint"}', "Invalid endpoint"),
        (b'{"error": "Usu\\u00e1rio inv\\u00e1lido"}', "Usuário inválido"),
        (b'{"error": {"code": 400, "message": "no such object"}}', '{"code":400,"message":"no such object"}'),
        (b'{"error": 400}', "400"),
        (b'{"error": ["a"]}', '["a"]'),
        (b'{"error": true}', "true"),
        (b'{"response": {}, "error": "half done"}', "half done"),
        (b'{"error": "first line\\r\\n\\tsecond line\\u0000"}', "first line second line"),
        (b'{"error": "half \\ud83d"}', "half ?"),
        (b'{"error": {"half": "\\ud83d"}}', '{"half":"?"}'),
        (b'{"error": "\\u0000"}', "the device gave no reason"),
        (b'{"error": ""}', "the device gave no reason"),
        (b'{"error": null}', "the device gave no reason"),
    ],
)
def test_error_is_failure(body: bytes, error: str) -> None:
    """An error, as text or object, fails the command, and is shown as one line."""
    assert judge(body) == Verdict(move=Move.FAIL, error=error)


def test_long_error_is_cut() -> None:
    """Of a long error only the beginning is shown; the result has all of it."""
    verdict = judge(b'{"error": "' + b"x" * 1_000_000 + b'"}')
    assert verdict == Verdict(move=Move.FAIL, error="x" * 999 + "…")


def test_deep_error() -> None:
    """An error that is nested deeply still fails the command."""
    moves = {judge(b'{"error": ' + b"[" * depth + b"1" + b"]" * depth + b"}").move for depth in range(1, 1100, 3)}
    assert moves == {Move.FAIL, Move.GARBLE}


@pytest.mark.parametrize(
    ("entry", "verdict"),
    [
        (b'{"transactionid": 1, "success": true, "response": "{}"}', Verdict(move=Move.SUCCEED)),
        (b'{"transactionid": "0d9f4bd6", "response": {}}', Verdict(move=Move.SUCCEED)),
        (b'{"success": true}', Verdict(move=Move.SUCCEED)),
        (b'{"transactionid": null, "error": "no door"}', Verdict(move=Move.FAIL, error="no door")),
        (b'{"success": false, "response": "no door"}', Verdict(move=Move.FAIL, error="no door")),
        (b'{"transactionid": 1}', Verdict(move=Move.FAIL, error="the device gave no reason")),
    ],
)
@pytest.mark.parametrize("key", [b"transactions_results", b"transaction_results"])
def test_single_command_answered_by_a_list_of_one(entry: bytes, verdict: Verdict, key: bytes) -> None:
    """A device that answers every command as a batch is understood: the only entry is the result."""
    body = b'{"%b": [%b]}' % (key, entry)
    assert judge(body) == verdict
    assert judge(body, uuid=None).move is Move.GARBLE, "only the order says that it belongs to this command"


@pytest.mark.parametrize("entries", [b"", b"5", BOTH])
def test_batch_answer_to_a_single_command(entries: bytes) -> None:
    """Any other results of a batch make a command that was no batch unknown."""
    verdict = judge(b'{"transactions_results": [' + entries + b"]}")
    assert verdict.move is Move.GARBLE
    assert "batch" in (verdict.error or "")


# batches


@pytest.mark.parametrize(
    "entries",
    [
        b'{"transactionid":1,"success":true,"response":"{}"},{"transactionid":2,"success":true,"response":"{}"}',
        b'{"transactionid": "2", "response": ""}, {"transactionid": "1", "success": true}',
        b'{"transactionid": 1.0, "success": true}, {"transactionid": 2.0, "success": true, "error": ""}',
        b'{"transactionid": 1, "success": 1, "response": {}}, {"transactionid": 2, "success": "true"}',
        BOTH + b', {"transactionid": 3, "error": "of another batch"}',
        BOTH + b', {"transactionid": 1, "success": true}, {"transactionid": 2}',
        BOTH + b', null, 5, {}, {"transactionid": true, "error": "?"}, {"transactionid": [1], "error": "?"}',
    ],
)
def test_batch_succeeds(entries: bytes) -> None:
    """A batch succeeds if each entry that was sent does, whatever the type of its id; other entries are ignored."""
    assert judge(b'{"transactions_results": [' + entries + b"]}", BATCH) == Verdict(move=Move.SUCCEED)


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        (b"", "transaction 1: no answer; transaction 2: no answer"),
        (b'{"transactionid": 2, "success": true}', "transaction 1: no answer"),
        (b'{"transactionid": 1, "success": true, "response": "{}"}', "transaction 2: no answer"),
        (b'{"transactionid": 1, "success": true}, {"transactionid": 2}', "transaction 2: no answer"),
        (
            b'{"transactionid": 1, "success": true}, {"transactionid": 2, "error": "no door"}',
            "transaction 2: no door",
        ),
        (
            b'{"transactionid": 1, "success": true}, {"transactionid": 2, "success": true, "error": {"code": 3}}',
            'transaction 2: {"code":3}',
        ),
        (
            b'{"transactionid": 1, "success": false, "response": ""}, {"transactionid": 3, "success": true}',
            "transaction 1: the device gave no reason; transaction 2: no answer",
        ),
        (
            (
                b'{"transactionid": 1, "success": false, "response": "UNIQUE constraint\\nfailed: users.id"}, '
                b'{"transactionid": 2, "success": false, "response": {"code": 3}}'
            ),
            'transaction 1: UNIQUE constraint failed: users.id; transaction 2: {"code":3}',
        ),
        (
            (
                b'{"transactionid": 1, "success": false, "error": "full", "response": "at once"}, '
                b'{"transactionid": 2, "success": false, "error": "", "response": {}}'
            ),
            "transaction 1: full; transaction 2: the device gave no reason",
        ),
        (
            b'{"transactionid": 1, "success": "false"}, {"transactionid": 2, "success": 0}',
            "transaction 1: the device gave no reason; transaction 2: the device gave no reason",
        ),
        (b'{"transactionid": 1, "error": "no"}, ' + BOTH, "transaction 1: no"),
        (BOTH + b', {"transactionid": 1, "error": "no"}', "transaction 1: no"),
        (
            b'{"transactionid": 1.5, "success": true}, {"transactionid": 2, "success": true}',
            "transaction 1: no answer",
        ),
    ],
)
def test_batch_fails(entries: bytes, error: str) -> None:
    """A batch fails if an entry that was sent fails, or has no result; the error names each."""
    assert judge(b'{"transactions_results": [' + entries + b"]}", BATCH) == Verdict(move=Move.FAIL, error=error)


def test_long_reason_of_a_transaction_is_cut() -> None:
    """Of a long response of a failed transaction only the beginning is shown as its reason."""
    body = b'{"transactions_results": [{"transactionid": 1, "success": false, "response": "%b"}]}' % (b"x" * 100_000)
    error = judge(body, {"transactions": [COMMAND]}).error or ""
    assert error.startswith("transaction 1: xxx")
    assert len(error) == 1000


def test_batch_fails_as_a_whole() -> None:
    """An error beside the results of a batch, or instead of them, fails the batch."""
    assert judge(b'{"error": "out of memory"}', BATCH) == Verdict(move=Move.FAIL, error="out of memory")
    whole = b'{"error": "stopped", "transactions_results": [{"transactionid": 1, "success": true}]}'
    assert judge(whole, BATCH) == Verdict(move=Move.FAIL, error="stopped")


def test_batch_with_empty_error() -> None:
    """An empty error beside the results of a batch is ignored."""
    assert judge(b'{"error": "", "transactions_results": [' + BOTH + b"]}", BATCH) == Verdict(move=Move.SUCCEED)


def test_batch_answered_as_a_single_command() -> None:
    """A response without the results of a batch is no result of its entries."""
    verdict = judge(b'{"response": {}}', BATCH)
    assert verdict == Verdict(move=Move.FAIL, error="transaction 1: no answer; transaction 2: no answer")


def test_batch_of_one_answered_as_a_single_command() -> None:
    """The response to a batch with one entry is the result of that entry."""
    payload = {"transactions": [COMMAND]}
    assert judge(b'{"response": {}}', payload) == Verdict(move=Move.SUCCEED)
    assert judge(b'{"response": {}}', payload, uuid=None).move is Move.FAIL


@pytest.mark.parametrize("sent", [7, "7", "07", -1, 1.5, 10**30])
def test_batch_with_numbers_as_ids(sent: object) -> None:
    """An operator's ids may be numbers, and match by value whatever the device makes of them."""
    payload = {"transactions": [{"transactionid": sent, "endpoint": "a"}, {"endpoint": "b"}]}
    for returned in (sent, str(sent)):
        entries = [{"transactionid": returned, "success": True}, {"transactionid": 2, "response": ""}]
        assert judge(json.dumps({"transactions_results": entries}).encode(), payload) == Verdict(move=Move.SUCCEED)
    failed = judge(b'{"transactions_results": [{"transactionid": "2", "success": true}]}', payload)
    assert failed == Verdict(move=Move.FAIL, error=f"transaction {sent}: no answer")


def test_batch_with_own_ids() -> None:
    """The operator's own transactionids are matched, also if the device makes numbers of them."""
    ids = ("door", "0042", "4408801109440198", "-7", "1.5")
    payload = {"transactions": [{"transactionid": name, "endpoint": "execute_actions"} for name in ids]}
    body = (
        b'{"transactions_results": ['
        b'{"transactionid": "door", "success": true}, {"transactionid": 42, "success": true},'
        b'{"transactionid": 4408801109440198, "success": true}, {"transactionid": -7, "success": true},'
        b'{"transactionid": 1.5, "success": true}]}'
    )
    assert judge(body, payload) == Verdict(move=Move.SUCCEED)


def test_batch_of_many_errors() -> None:
    """Thousands of errors are shown as one short line."""
    payload = {"transactions": [COMMAND] * 5000}
    error = judge(b'{"transactions_results": []}', payload).error or ""
    assert error.startswith("transaction 1: no answer; transaction 2: no answer; ")
    assert len(error) == 1000


# which command it is about


@pytest.mark.parametrize(
    ("endpoint", "concerned"),
    [
        (None, True),
        ("load_objects", True),
        ("/load_objects", True),
        ("load_objects.fcgi", True),
        ("/load_objects.fcgi", True),
        ("Load_Objects", False),
        ("create_objects", False),
        ("load_objects2", False),
        ("objects", False),
    ],
)
def test_concerns(endpoint: str | None, concerned: bool) -> None:
    """A result with an endpoint, in either spelling, belongs only to a command for that endpoint."""
    report = wire.read_result(b'{"response": {}}', None, _query(endpoint))
    assert report.concerns(COMMAND) is concerned


@pytest.mark.parametrize(
    ("endpoint", "concerned"),
    [(None, True), ("load_objects", True), ("execute_actions.fcgi", True), ("create_objects", False)],
)
def test_concerns_batch(endpoint: str | None, concerned: bool) -> None:
    """A result with an endpoint can belong to a batch with an entry for that endpoint."""
    report = wire.read_result(b'{"transactions_results": []}', None, _query(endpoint))
    assert report.concerns(BATCH) is concerned


# ids in a batch


@pytest.mark.parametrize(
    ("given_id", "compared"),
    [
        ("1", "1"),
        (1, "1"),
        (1.0, "1"),
        ("01", "1"),
        ("-0", "0"),
        ("1.0", "1.0"),
        (1.5, "1.5"),
        ("door", "door"),
        ("-", "-"),
        ("--1", "--1"),
        ("٣", "٣"),
        ("9" * 5000, "9" * 5000),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_normalized_id(given_id: object, compared: str | None) -> None:
    """Two transactionids are the same if their values are, whether string or number."""
    assert normalized_id(given_id) == compared


@given(st.integers(-(10**30), 10**30))
def test_normalized_id_of_numbers(number: int) -> None:
    """A number and the string of its digits are the same transactionid, with every digit kept."""
    assert normalized_id(number) == normalized_id(str(number)) == str(number)


def test_with_transaction_ids() -> None:
    """An entry without a transactionid gets its place in the list; the operator's own is kept."""
    entries = [{"endpoint": "a"}, {"endpoint": "b", "transactionid": "x"}, {"endpoint": "c"}]
    assert [entry["transactionid"] for entry in with_transaction_ids(entries)] == ["1", "x", "3"]
