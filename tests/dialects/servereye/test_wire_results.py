"""Tests of how :mod:`pushd.dialects.servereye.wire` reads and writes results."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.dialects.servereye import wire
from pushd.lib.strict_json import UnreadableBody
from pushd.model.lifecycle import Move
from pushd.model.result import Verdict
from tests.results import text_of

MESSAGE = "01928f6e-7c5b-7aaa-8bbb-123456789abc"
PAYLOAD = {"control": "REFRESH_AGENT"}


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b'{"success": true}', Verdict(move=Move.SUCCEED)),
        (b'{"success": true, "message": "did great", "data": {"my": "data"}}', Verdict(move=Move.SUCCEED)),
        (b'{"containerId": "c", "messageId": "m", "success": true, "data": null}', Verdict(move=Move.SUCCEED)),
        (b'{"success": false, "message": "no such agent"}', Verdict(move=Move.FAIL, error="no such agent")),
        (b'{"success": false, "message": "one\\r\\ntwo"}', Verdict(move=Move.FAIL, error="one two")),
        (b'{"success": false, "message": "half \\ud83d"}', Verdict(move=Move.FAIL, error="half ?")),
        (b'{"success": false, "message": {"code": 5}}', Verdict(move=Move.FAIL, error='{"code":5}')),
        (b'{"success": false}', Verdict(move=Move.FAIL, error="the device gave no reason")),
        (b'{"success": false, "message": ""}', Verdict(move=Move.FAIL, error="the device gave no reason")),
        (b'{"success": false, "message": null}', Verdict(move=Move.FAIL, error="the device gave no reason")),
        (b'\xef\xbb\xbf{"success": true}', Verdict(move=Move.SUCCEED)),
    ],
)
def test_result(body: bytes, verdict: Verdict) -> None:
    """A result says whether the command succeeded, and if not, why; it is kept unchanged."""
    report = wire.read_result(body, MESSAGE)
    assert report.judge(PAYLOAD) == verdict
    assert report.result == body.decode("utf-8-sig")
    assert (report.message, report.uuid, report.raw, report.size) == (MESSAGE, None, body, len(body))


def test_result_concerns() -> None:
    """A result belongs to the message in its path, whatever the payload."""
    assert wire.read_result(b'{"success": true}', MESSAGE).concerns(PAYLOAD)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"true",
        b"[]",
        b"{}",
        b'{"message": "did great"}',
        b'{"success": null}',
        b'{"success": 1}',
        b'{"success": "true"}',
        b'[{"success": true}]',
        b'{"success": true',
        b'{"success": true, "data": NaN}',
        b'{"success": true, "data": 1e999}',
        b'{"success": true, "data": ' + b"9" * 5000 + b"}",
        b'{"success": true, "data": ' + b"[" * 100_000,
        b'{"success": true, "message": "caf\xe9"}',
        '{"success": true}'.encode("utf-16"),
        b"success=true",
    ],
)
def test_result_unreadable(body: bytes) -> None:
    """A result that is not an object with a boolean success is refused."""
    with pytest.raises(UnreadableBody):
        wire.read_result(body, MESSAGE)


@given(
    st.binary(max_size=60)
    | st.tuples(st.just(b'{"success":false,"message":'), st.binary(max_size=20), st.just(b"}")).map(b"".join)
)
def test_result_of_any_bytes(body: bytes) -> None:
    """Arbitrary bytes cause no unexpected error."""
    try:
        report = wire.read_result(body, MESSAGE)
    except UnreadableBody:
        return
    assert isinstance(json.loads(text_of(report.result).encode())["success"], bool)


@pytest.mark.parametrize("depth", [10, 300, 500, 700, 800, 850, 900, 950])
def test_result_with_deep_message(depth: int) -> None:
    """A message that is nested deeply still fails the command."""
    body = b'{"success": false, "message": ' + b"[" * depth + b"1" + b"]" * depth + b"}"
    try:
        report = wire.read_result(body, MESSAGE)
    except UnreadableBody:
        assert depth > 300
    else:
        assert report.judge(PAYLOAD).move is Move.FAIL


def test_result_of_12_megabytes() -> None:
    """A large result is kept whole; of an orphan result only 64 KiB would be kept."""
    body = b'{"success":true,"data":"' + b"x" * 12_000_000 + b'"}'
    report = wire.read_result(body, MESSAGE)
    assert text_of(report.result) == body.decode()
    assert (report.raw, report.size) == (body[:65536], len(body))


def test_result_too_large() -> None:
    """A result that was too large makes the command unknown, with an error that has the size."""
    report = wire.oversized(20_000_000, MESSAGE)
    verdict = report.judge(PAYLOAD)
    assert verdict.move is Move.GARBLE
    assert "20000000" in (verdict.error or "")
    assert (report.message, report.result, report.raw, report.size) == (MESSAGE, None, b"", 20_000_000)


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ((True,), b'{"success":true,"message":""}'),
        ((False, "no such agent"), b'{"success":false,"message":"no such agent"}'),
        ((True, "did great", {"my": "data"}), b'{"success":true,"message":"did great","data":{"my":"data"}}'),
        ((True, "", 0), b'{"success":true,"message":"","data":0}'),
    ],
)
def test_write_result(fields: tuple[Any, ...], body: bytes) -> None:
    """A client reports success, a message, and data if there is any."""
    assert wire.write_result(*fields) == body
