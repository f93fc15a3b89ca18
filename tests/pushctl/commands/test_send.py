"""Tests of ``pushctl send``."""

import json
from pathlib import Path

import pytest

from tests.pushctl.fake_server import COMMAND, SENT, SUCCEEDED, Answer, FakeServer, Pushctl

READER = "controlid:4408801109440198"
SEND = f"POST /v1/devices/{READER}/commands"
LOOK = f"GET /v1/commands/{COMMAND['id']}"


def test_accepted_command_shows_its_id(server: FakeServer, pushctl: Pushctl) -> None:
    """Without --wait the command is accepted, its id is shown, and the exit code is 0."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    result = pushctl("send", READER, "load_objects", '{"object": "users"}')
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{COMMAND['id']} queued")
    (request,) = server.calls(SEND)
    assert request.body == {"payload": {"endpoint": "load_objects", "body": {"object": "users"}}}
    assert request.query == {}


def test_delivery_options_are_sent_as_numbers(server: FakeServer, pushctl: Pushctl) -> None:
    """Delivery options are sent with their JSON types, and only those that were given."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    options = "--ttl 60 --lease 2.5 --priority 9 --delivery at_least_once --max-attempts 3 --deadline 90 --queue"
    pushctl(
        "send", READER, "get_configuration", *options.split(), "--not-before", "2030-01-02T03:04:05Z", "--trace", "T 7"
    )
    (request,) = server.calls(SEND)
    assert request.query == {"queue": ["1"]}
    assert json.dumps(request.body, sort_keys=True) == (
        '{"deadline": 90, "delivery": "at_least_once", "lease": 2.5, "max_attempts": 3,'
        ' "not_before": "2030-01-02T03:04:05Z", "payload": {"endpoint": "get_configuration"},'
        ' "priority": 9, "trace": "T 7", "ttl": 60}'
    )


def test_unchecked_command(server: FakeServer, pushctl: Pushctl) -> None:
    """A command that the device is known to reject is sent with --unchecked."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    pushctl("send", READER, "remote_enroll", '{"type": "hand"}', "--unchecked")
    (request,) = server.calls(SEND)
    assert request.query == {"unchecked": ["1"]}


def test_each_call_has_its_own_key(server: FakeServer, pushctl: Pushctl) -> None:
    """Each call sends an idempotency key of its own, or the one that was given."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    for more in ([], [], ["--idempotency-key", "mine"]):
        pushctl("send", READER, "get_configuration", *more)
    keys = [request.headers["idempotency-key"] for request in server.calls(SEND)]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


@pytest.mark.parametrize(
    ("state", "code"),
    [("succeeded", 0), ("failed", 3), ("unknown", 4), ("expired", 5), ("cancelled", 6)],
)
def test_exit_code_tells_the_outcome(server: FakeServer, pushctl: Pushctl, state: str, code: int) -> None:
    """With --wait, the exit code says how the command ended."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body={**SENT, "state": state, "error": "an error"}, takes=3))
    result = pushctl("send", READER, "load_objects", "--wait")
    assert result.exit_code == code
    assert result.stdout == f"{COMMAND['id']} {state}, sent after 12 ms: an error\n"


def test_result_of_the_device_is_shown(server: FakeServer, pushctl: Pushctl) -> None:
    """The result is shown, over several lines or, with --json, in one."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body=SUCCEEDED, takes=0.5))
    assert '"users": []' in pushctl("send", READER, "load_objects", "--wait", "10").stdout
    assert json.loads(pushctl("send", READER, "load_objects", "--wait", "10", "--json").stdout) == SUCCEEDED


@pytest.mark.parametrize(
    "arguments",
    [
        ("--wait", READER, "load_objects"),
        (READER, "--wait", "load_objects"),
        (READER, "--wait", "10", "load_objects"),
        ("--wait=10s", READER, "load_objects"),
        ("--wait", "--ttl", "5m", READER, "load_objects"),
    ],
)
def test_wait_may_stand_anywhere(server: FakeServer, pushctl: Pushctl, arguments: tuple[str, ...]) -> None:
    """Before the device or behind it, with a duration or without: the device is not taken for the duration."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body=SUCCEEDED))
    assert pushctl("send", *arguments).exit_code == 0


def test_wait_until_the_command_ends(server: FakeServer, pushctl: Pushctl) -> None:
    """A command that takes longer than the server waits is requested again."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body=SENT, takes=60), Answer(body=SENT, takes=60), Answer(body=SUCCEEDED, takes=20))
    assert pushctl("send", READER, "load_objects", "--wait").exit_code == 0
    assert [request.query for request in server.calls(LOOK)] == [{"wait": ["60"]}] * 3


def test_wait_has_a_limit(server: FakeServer, pushctl: Pushctl) -> None:
    """If the command is still open when the wait ends, the exit code is 7."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body=SENT, takes=60), Answer(body=SENT, takes=30))
    result = pushctl("send", READER, "load_objects", "--wait", "90")
    assert (result.exit_code, result.stdout) == (7, f"{COMMAND['id']} sent, sent after 12 ms\n")
    assert [request.query for request in server.calls(LOOK)] == [{"wait": ["60"]}, {"wait": ["30"]}]


def test_server_that_does_not_wait_is_not_flooded(server: FakeServer, pushctl: Pushctl) -> None:
    """A server that does not wait as it was asked to gets one request per second at most."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body=SENT))
    assert pushctl("send", READER, "load_objects", "--wait", "5").exit_code == 7
    assert len(server.calls(LOOK)) <= 6


def test_interrupted_wait_can_be_continued(server: FakeServer, pushctl: Pushctl) -> None:
    """Ctrl-C ends the wait, not the command, and stderr says how to wait again."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body=SENT, takes=60))
    pushctl.interrupt_after = 10
    result = pushctl("send", READER, "load_objects", "--wait")
    assert result.exit_code == 7
    assert f"pushctl show {COMMAND['id']} --wait" in result.stderr


def test_refusal_points_at_the_field(server: FakeServer, pushctl: Pushctl) -> None:
    """If the payload is refused, one line says which field is wrong, and why."""
    problem = {
        "title": "Invalid fields",
        "detail": "one field is wrong",
        "errors": [{"pointer": "#/payload/endpoint", "detail": "has no leading slash"}],
    }
    server.on(SEND, Answer(status=422, body=problem))
    result = pushctl("send", READER, "/load_objects")
    assert result.exit_code == 1
    assert result.stderr == "pushctl: refused (422): #/payload/endpoint has no leading slash\n"


def test_lost_answer_names_the_idempotency_key(server: FakeServer, pushctl: Pushctl) -> None:
    """If the answer is lost, the command may have been accepted: the key with which to repeat the call is shown."""
    server.on(SEND, Answer(cut=True))
    result = pushctl("send", READER, "load_objects")
    assert result.exit_code == 4
    (request,) = server.calls(SEND)
    assert f"--idempotency-key {request.headers['idempotency-key']}" in result.stderr
    assert "closed the connection without an answer" in result.stderr


@pytest.mark.parametrize("status", [502, 503, 504])
def test_proxy_without_an_answer(server: FakeServer, pushctl: Pushctl, status: int) -> None:
    """If a proxy got no answer from the server, the command may have been accepted, too."""
    server.on(SEND, Answer(status=status, body=b"<html>"))
    result = pushctl("send", READER, "load_objects")
    assert result.exit_code == 4
    (request,) = server.calls(SEND)
    assert f"--idempotency-key {request.headers['idempotency-key']}" in result.stderr
    assert f"answered {status} " in result.stderr


@pytest.mark.parametrize("ended", [False, True])
def test_server_that_is_lost_meanwhile(server: FakeServer, pushctl: Pushctl, ended: bool) -> None:
    """If the server exits while pushctl waits, the outcome is unknown, and the command is named."""
    server.on(SEND, Answer(body=SUCCEEDED if ended else COMMAND))
    server.on(LOOK, Answer(body=SENT), Answer(cut=True))
    result = pushctl("send", READER, "load_objects", "--wait", "--json")
    assert result.exit_code == (0 if ended else 4)
    assert json.loads(result.stdout) == (SUCCEEDED if ended else SENT)
    assert (f"the command was accepted. To wait again: pushctl show {COMMAND['id']} --wait" in result.stderr) != ended


def test_interrupted_send_names_the_idempotency_key(server: FakeServer, pushctl: Pushctl) -> None:
    """If Ctrl-C comes before the answer, the command may have been accepted: the key is shown, too."""
    server.on(SEND, Answer(takes=60))
    pushctl.interrupt_after = 1
    result = pushctl("send", READER, "load_objects", "--idempotency-key", "mine")
    assert result.exit_code == 130
    assert "--idempotency-key mine does not send it twice" in result.stderr


def test_photo_is_encoded_from_its_file(server: FakeServer, pushctl: Pushctl, tmp_path: Path) -> None:
    """A file, or standard input, is sent in base64 if the body is an octet stream."""
    photo = tmp_path / "face.jpg"
    photo.write_bytes(b"\xff\xd8\xff\x00")
    server.on(SEND, Answer(status=201, body=COMMAND))
    options = ("--content-type", "application/octet-stream", "--query-string", "user_id=7&match=0")
    assert pushctl("send", READER, "user_set_image", f"@{photo}", *options).exit_code == 0
    assert pushctl("send", READER, "user_set_image", "-", *options, stdin=photo.read_bytes()).exit_code == 0
    payload = {
        "endpoint": "user_set_image",
        "body": "/9j/AA==",
        "contentType": "application/octet-stream",
        "queryString": "user_id=7&match=0",
    }
    assert [request.body for request in server.calls(SEND)] == [{"payload": payload}] * 2


def test_payload_comes_from_standard_input(server: FakeServer, pushctl: Pushctl) -> None:
    """A whole payload can be piped in; large integers are not rounded."""
    payload = {"transactions": [{"endpoint": "get_configuration", "body": {"id": 9007199254740993}}]}
    server.on(SEND, Answer(status=201, body=COMMAND))
    assert pushctl("send", READER, "--payload", "-", stdin=json.dumps(payload)).exit_code == 0
    assert server.calls(SEND)[0].body == {"payload": payload}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reader", "load_objects"], "neither controlid:<deviceId> nor servereye:<containerId>"),
        ([READER], "Missing ENDPOINT."),
        (["servereye:abc"], "Missing CONTROL."),
        ([READER, "load_objects", "{object: users}"], "BODY is not JSON"),
        ([READER, "load_objects", "[1]"], "BODY must be a JSON object"),
        ([READER, "load_objects", '{"a": NaN}'], "BODY is not JSON: NaN"),
        ([READER, "load_objects", '{"a": 1e999}'], "BODY is not JSON: 1e999 is too large"),
        ([READER, "load_objects", "[" * 100_000], "BODY is not JSON"),
        ([READER, "load_objects", "--data", "x"], "--data cannot be used here"),
        (["servereye:abc", "REFRESH_AGENT", "--verb", "GET"], "--verb cannot be used here"),
        (["servereye:abc", "REFRESH_AGENT", "x", "--data", "x"], "Give the data once"),
        ([READER, "load_objects", "--payload", "{}"], "--payload is the whole payload"),
        ([READER, "--payload", "{}", "--verb", "GET"], "--verb cannot be used here"),
        ([READER, "--payload", "[]"], "--payload must be a JSON object"),
        ([READER, "load_objects", "@/nowhere"], "cannot read /nowhere"),
        ([READER, "load_objects", "--ttl", "nan"], "is not a duration"),
        ([READER, "load_objects", "--ttl", "-1"], "is not a duration"),
        ([READER, "load_objects", "--wait=soon"], "is not a duration"),
        ([READER, "load_objects", "--wait", "5min"], "is not a duration"),
        ([READER, "load_objects", "--priority", "10"], "10 is not in the range"),
    ],
)
def test_wrong_call_sends_nothing(server: FakeServer, pushctl: Pushctl, arguments: list[str], message: str) -> None:
    """A usage error is explained, has exit code 2, and sends no request."""
    result = pushctl("send", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert server.received == []


def test_help_has_examples_and_exit_codes(pushctl: Pushctl) -> None:
    """The help text has an example for each dialect and the meaning of each exit code."""
    text = pushctl("send", "--help").stdout
    assert "pushctl send controlid:" in text
    assert "pushctl send servereye:" in text
    for line in ("3    the device reported a failure", "4    the command may have run", "7    it had not ended"):
        assert line in text
