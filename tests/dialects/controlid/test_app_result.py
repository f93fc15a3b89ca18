"""Tests of :mod:`pushd.dialects.controlid.app`: results, in bytes."""

import base64
import json
from typing import Any

import pytest

from tests.connection import Response, request
from tests.in_memory_server import InMemoryServer

DEVICE = "controlid:4408801109440198"
POLL = request("GET /push?deviceId=4408801109440198&uuid=0d9f4bd6")
RESULT = "POST /result?deviceId=4408801109440198&uuid=0d9f4bd6&endpoint=load_objects"
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"

LOAD = {"endpoint": "load_objects", "body": {"object": "users"}}


@pytest.fixture
def command(server: InMemoryServer) -> str:
    """A command that was sent to the device, and is not sent again."""
    server.register(DEVICE)
    sent = server.put(DEVICE, LOAD, delivery="at_most_once")
    assert server.device_request(POLL).answer().body
    return sent


def send_result(server: InMemoryServer, body: bytes, *headers: str, line: str = RESULT) -> Response:
    """Send a result; the response is always an empty 200 that must not be cached."""
    answer = server.device_request(request(line, body, *headers)).answer()
    assert (answer.code, answer.body, answer.headers["content-length"]) == (200, b"", "0")
    assert "content-type" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    return answer


SUCCESSES = {
    "object": (b'{"response": {"users": [{"id": 4408801109440198}]}}', [JSON]),
    "string-of-json": (b'{"response": "{\\"users\\": []}"}', [JSON]),
    "string": (b'{"response": "ok"}', [JSON]),
    "empty-string": (b'{"response": ""}', [JSON]),
    "empty-error": (b'{"response": {}, "error": ""}', [JSON]),
    "charset": (b'{"response": {}}', ["Content-Type: application/json; charset=utf-8"]),
    "byte-order-mark": (b'\xef\xbb\xbf{"response": {}}', [JSON]),
    "wrong-content-type": (b'{"response": {}}', [FORM]),
    "text-content-type": (b'{"response": {}}', ["Content-Type: text/html"]),
    "strange-content-type": (b'{"response": {}}', ["Content-Type: \xff"]),
    "no-content-type": (b'{"response": {}}', []),
    "form": (b"response=%7B%22users%22%3A%5B%5D%7D", [FORM]),
    "form-without-content-type": (b"response=ok", []),
}


@pytest.mark.parametrize("kind", SUCCESSES)
def test_success(server: InMemoryServer, command: str, kind: str) -> None:
    """A result with a response succeeds, in each form that devices send."""
    body, headers = SUCCESSES[kind]
    send_result(server, body, *headers)
    found = server.command(command)
    assert (found["state"], found["evidence"], found["matched_by"]) == ("succeeded", "device", "uuid")
    assert "response" in found["result"]
    assert found["error"] is None


FAILURES = {
    "text": (b'{"error": "no such object"}', JSON, "no such object"),
    "object": (b'{"error": {"code": 3}}', JSON, '{"code":3}'),
    "form": (b"error=no+such+object", FORM, "no such object"),
    "empty": (b'{"error": ""}', JSON, "the device gave no reason"),
    "with-response": (b'{"response": "", "error": "half"}', JSON, "half"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failure(server: InMemoryServer, command: str, kind: str) -> None:
    """A result with an error fails, and an operator sees the error."""
    body, header, error = FAILURES[kind]
    send_result(server, body, header)
    found = server.command(command)
    assert (found["state"], found["error"]) == ("failed", error)


def test_result_is_kept_unchanged(server: InMemoryServer, command: str) -> None:
    """A result is shown unchanged: each digit, each space, each key."""
    body = '{ "response" : {"id": 4408801109440198, "x": 1.10, "name": "Zoë \\u00e9"}, "more": null }'
    send_result(server, body.encode(), JSON)
    shown = server.ask(f"GET /v1/commands/{command}").body
    assert f'"result":{body}}}'.encode() in shown


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"response": ',
        b"[]",
        b'"ok"',
        b"null",
        b"{}",
        b'{"users": []}',
        b"\xff\xfe",
        b'{"response": NaN}',
        b"[" * 5000,
    ],
)
def test_unreadable_result(server: InMemoryServer, command: str, body: bytes) -> None:
    """An unreadable result makes the command unknown at once, and its bytes are kept."""
    send_result(server, body, JSON)
    found = server.command(command)
    assert (found["state"], found["error"]) == ("unknown", "unreadable result")
    assert base64.b64decode(found["result"]["raw"]) == body


BATCH = {"transactions": [{"endpoint": "reboot"}, {"endpoint": "load_objects"}]}


@pytest.mark.parametrize(
    ("results", "state", "error"),
    [
        ([{"transactionid": 1, "success": True}, {"transactionid": 2, "response": "{}"}], "succeeded", None),
        ([{"transactionid": "2", "success": True}, {"transactionid": "1", "success": True}], "succeeded", None),
        (
            [{"transactionid": 1, "success": True}, {"transactionid": 2, "success": False, "error": "full"}],
            "failed",
            "transaction 2: full",
        ),
        ([{"transactionid": 2, "success": True}], "failed", "transaction 1: no answer"),
    ],
)
def test_batch_result(server: InMemoryServer, results: list[Any], state: str, error: str | None) -> None:
    """A batch succeeds if each entry does, also if ids come back as numbers; failed entries are named."""
    server.register(DEVICE)
    command = server.put(DEVICE, BATCH)
    server.device_request(POLL)
    send_result(server, json.dumps({"transactions_results": results}).encode(), JSON)
    found = server.command(command)
    assert (found["state"], found["error"]) == (state, error)
    assert found["result"] == {"transactions_results": results}


def test_single_command_answered_by_a_list_of_one(server: InMemoryServer, command: str) -> None:
    """A device that answers a command as a batch of one settles it, and an operator sees its reason."""
    send_result(server, b'{"transactions_results": [{"transactionid": 1, "success": false, "response": "no user 7"}]}')
    found = server.command(command)
    assert (found["state"], found["error"], found["matched_by"]) == ("failed", "no user 7", "uuid")


def test_succeeded_means_that_it_ran(server: InMemoryServer, command: str) -> None:
    """A refusal within the response does not fail the command: it ran, and explain points to the result."""
    send_result(server, b'{"response": "{\\"success\\": false, \\"message\\": \\"face not found\\"}"}', JSON)
    assert server.command(command)["state"] == "succeeded"
    explained = server.ask(f"GET /v1/commands/{command}/explain").json
    assert explained["reason"] == "reported"
    assert explained["sentence"].endswith("That is, it ran: what the device answered is in the result.")


PUSHED = "POST /push?deviceId=4408801109440198"


@pytest.mark.parametrize("line", [PUSHED, f"{PUSHED}&uuid=0d9f4bd6", f"{PUSHED}&uuid=ffffffff"])
@pytest.mark.parametrize("body", [b"", b"{}", b'{"access_logs": [{"id": 1}]}', b"[]", b"not json", b"x" * 100_000])
def test_sign_of_life(server: InMemoryServer, command: str, line: str, body: bytes) -> None:
    """What some models post to /push is a heartbeat: it settles nothing, takes no command, and is no orphan."""
    server.clock.advance(30)
    queued = server.put(DEVICE, LOAD)
    send_result(server, body, line=line)
    assert server.device(DEVICE)["last_seen_at"] == "2027-01-15T08:00:30.000Z"
    assert (server.command(command)["state"], server.command(queued)["state"]) == ("sent", "queued")
    assert server.orphans(DEVICE) == []


@pytest.mark.parametrize("size", [20, 100_000])
@pytest.mark.parametrize("query", ["&uuid=0d9f4bd6&endpoint=load_objects", "&uuid=0d9f4bd6", ""])
def test_result_posted_to_push(server: InMemoryServer, command: str, query: str, size: int) -> None:
    """Some models post a result to /push: it settles its command like any other."""
    send_result(server, b'{"response": ""}' + b" " * (size - 16), line=PUSHED + query)
    assert server.command(command)["state"] == "succeeded"


def test_too_large_sign_of_life(server: InMemoryServer, command: str) -> None:
    """What is posted to /push need not be a result: one that is too large settles nothing."""
    send_result(server, b" " * (16 * 1024 * 1024 + 1), line=f"{PUSHED}&uuid=0d9f4bd6")
    assert server.command(command)["state"] == "sent"


def test_sign_of_life_of_a_refused_device(server: InMemoryServer, command: str) -> None:
    """A blocked device is answered alike, but does not count as seen, and settles nothing."""
    server.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "blocked"})
    before = server.device(DEVICE)["last_seen_at"]
    server.clock.advance(30)
    send_result(server, b'{"response": ""}', line=f"{PUSHED}&uuid=0d9f4bd6")
    assert server.device(DEVICE)["last_seen_at"] == before
    assert server.command(command)["state"] == "sent"


def test_repeated_result(server: InMemoryServer, command: str) -> None:
    """A repeated result is answered as the first one, and changes nothing."""
    send_result(server, b'{"response": {"n": 1}}', JSON)
    before = server.command(command)
    server.clock.advance(3)
    send_result(server, b'{"response": {"n": 1}}', JSON)
    assert server.command(command) == before
    assert server.orphans(DEVICE) == []


def test_contradicting_result(server: InMemoryServer, command: str) -> None:
    """A result that contradicts the first one changes nothing, and an operator can see it."""
    send_result(server, b'{"response": {}}', JSON)
    before = server.command(command)
    send_result(server, b'{"error": "on second thought"}', JSON)
    assert server.command(command) == before
    (orphan,) = server.orphans(DEVICE)
    assert base64.b64decode(orphan["raw"]) == b'{"error": "on second thought"}'
    assert (orphan["reference"], orphan["reason"]) == ("0d9f4bd6", "the command is succeeded already")


@pytest.mark.parametrize(
    "query",
    ["uuid=ffffffff", "uuid=ffffffff&endpoint=load_objects", "endpoint=reboot", "uuid=%ff%00", "uuid=" + "u" * 900],
)
def test_orphan_result(server: InMemoryServer, command: str, query: str) -> None:
    """A result that matches no command is answered like any other, and kept as an orphan."""
    send_result(server, b'{"response": 1}', line=f"POST /result?deviceId=4408801109440198&{query}")
    assert server.command(command)["state"] == "sent"
    (orphan,) = server.orphans(DEVICE)
    assert (base64.b64decode(orphan["raw"]), orphan["size"]) == (b'{"response": 1}', 15)
    assert server.events(DEVICE)[-1] == "result.orphaned"


def test_result_of_another_device(server: InMemoryServer, command: str) -> None:
    """A device can settle only commands that were sent to itself."""
    server.register("controlid:7")
    send_result(server, b'{"response": 1}', line="POST /result?deviceId=7&uuid=0d9f4bd6")
    assert server.command(command)["state"] == "sent"
    assert len(server.orphans("controlid:7")) == 1


@pytest.mark.parametrize("query", ["", "&endpoint=load_objects", "&endpoint=/load_objects.fcgi", "&uuid="])
def test_result_without_uuid(server: InMemoryServer, command: str, query: str) -> None:
    """A result without a uuid belongs to the sent command."""
    send_result(server, b'{"response": 1}', line=f"POST /result?deviceId=4408801109440198{query}")
    found = server.command(command)
    assert (found["state"], found["matched_by"]) == ("succeeded", "order")


def test_late_result(server: InMemoryServer, command: str) -> None:
    """A result that arrives after the lease has expired settles its command."""
    server.tick(61)
    assert server.command(command)["state"] == "unknown"
    send_result(server, b'{"response": 1}', JSON)
    found = server.command(command)
    assert (found["state"], found["late"]) == ("succeeded", True)


def test_result_while_the_store_is_down(server: InMemoryServer, command: str) -> None:
    """While the store fails, the response to a result is not a 200: the device keeps the result."""
    server.fail_store()
    answer = server.device_request(request(RESULT, b'{"response": 1}', JSON)).answer()
    assert (answer.code, answer.body, answer.headers["cache-control"]) == (503, b"", "no-store")
