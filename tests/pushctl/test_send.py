"""Tests of ``pushctl send``."""

import json
from pathlib import Path

import pytest

from tests.pushctl.recorded import COMMAND, SENT, SUCCEEDED, Answer, Desk, RecordedServer

READER = "controlid:4408801109440198"
SEND = f"POST /v1/devices/{READER}/commands"
LOOK = f"GET /v1/commands/{COMMAND['id']}"


def test_accepted_command_shows_its_id(server: RecordedServer, desk: Desk) -> None:
    """Without --wait the command is accepted, its id is shown, and the exit code is 0."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    result = desk.pushctl("send", READER, "load_objects", '{"object": "users"}')
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{COMMAND['id']} queued")
    (asked,) = server.calls(SEND)
    assert asked.body == {"payload": {"endpoint": "load_objects", "body": {"object": "users"}}}
    assert asked.query == {}


def test_terms_go_as_numbers(server: RecordedServer, desk: Desk) -> None:
    """The terms of delivery reach the server as what they are, and only those that were given."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    words = "--ttl 60 --lease 2.5 --priority 9 --delivery at_least_once --max-attempts 3 --deadline 90 --queue"
    desk.pushctl("send", READER, "get_configuration", *words.split(), "--not-before", "2030-01-02T03:04:05Z")
    (asked,) = server.calls(SEND)
    assert asked.query == {"queue": ["1"]}
    assert json.dumps(asked.body, sort_keys=True) == (
        '{"deadline": 90, "delivery": "at_least_once", "lease": 2.5, "max_attempts": 3,'
        ' "not_before": "2030-01-02T03:04:05Z", "payload": {"endpoint": "get_configuration"},'
        ' "priority": 9, "ttl": 60}'
    )


def test_each_call_has_its_own_key(server: RecordedServer, desk: Desk) -> None:
    """Each call carries a key of its own, or the one that the operator gives."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    for more in ([], [], ["--idempotency-key", "mine"]):
        desk.pushctl("send", READER, "get_configuration", *more)
    keys = [asked.headers["idempotency-key"] for asked in server.calls(SEND)]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


@pytest.mark.parametrize(
    ("state", "code"),
    [("succeeded", 0), ("failed", 3), ("unknown", 4), ("expired", 5), ("cancelled", 6)],
)
def test_exit_code_tells_the_outcome(server: RecordedServer, desk: Desk, state: str, code: int) -> None:
    """With --wait the exit code says how the command ended."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body={**SENT, "state": state, "error": "as it were"}, takes=3))
    result = desk.pushctl("send", READER, "load_objects", "--wait")
    assert result.exit_code == code
    assert result.stdout == f"{COMMAND['id']} {state}, on its way after 12 ms: as it were\n"


def test_result_of_the_device_is_shown(server: RecordedServer, desk: Desk) -> None:
    """What the device answered is shown, for people or as one line for programs."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body=SUCCEEDED, takes=0.5))
    assert '"users": []' in desk.pushctl("send", READER, "load_objects", "--wait", "10").stdout
    assert json.loads(desk.pushctl("send", READER, "load_objects", "--wait", "10", "--json").stdout) == SUCCEEDED


def test_wait_goes_on_until_the_command_ends(server: RecordedServer, desk: Desk) -> None:
    """A command that takes longer than the server waits is asked for again and again."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body=SENT, takes=60), Answer(body=SENT, takes=60), Answer(body=SUCCEEDED, takes=20))
    assert desk.pushctl("send", READER, "load_objects", "--wait").exit_code == 0
    assert [asked.query for asked in server.calls(LOOK)] == [{"wait": ["60"]}] * 3


def test_wait_ends_when_the_operator_says(server: RecordedServer, desk: Desk) -> None:
    """A command that is still open when the wait ends has an exit code of its own."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body=SENT, takes=60), Answer(body=SENT, takes=30))
    result = desk.pushctl("send", READER, "load_objects", "--wait", "90")
    assert (result.exit_code, result.stdout) == (7, f"{COMMAND['id']} sent, on its way after 12 ms\n")
    assert [asked.query for asked in server.calls(LOOK)] == [{"wait": ["60"]}, {"wait": ["30"]}]


def test_impatient_server_is_not_hammered(server: RecordedServer, desk: Desk) -> None:
    """A server that does not wait as it was asked to is asked once a second, no more."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body=SENT))
    assert desk.pushctl("send", READER, "load_objects", "--wait", "5").exit_code == 7
    assert len(server.calls(LOOK)) <= 6


def test_interrupted_wait_says_how_to_go_on(server: RecordedServer, desk: Desk) -> None:
    """Ctrl-C ends the wait, not the command, and the operator is told how to see it again."""
    server.on(SEND, Answer(status=201, body=COMMAND))
    server.on(LOOK, Answer(body=SENT, takes=60))
    desk.interrupt_after = 10
    result = desk.pushctl("send", READER, "load_objects", "--wait")
    assert result.exit_code == 7
    assert f"pushctl show {COMMAND['id']} --wait" in result.stderr


def test_refusal_points_at_the_field(server: RecordedServer, desk: Desk) -> None:
    """A refused payload shows in one line which field is wrong, and why."""
    problem = {
        "title": "Invalid fields",
        "detail": "one field is wrong",
        "errors": [{"pointer": "#/payload/endpoint", "detail": "has no leading slash"}],
    }
    server.on(SEND, Answer(status=422, body=problem))
    result = desk.pushctl("send", READER, "/load_objects")
    assert result.exit_code == 1
    assert result.stderr == "pushctl: refused (422): #/payload/endpoint has no leading slash\n"


def test_lost_answer_names_the_key_that_asks_again(server: RecordedServer, desk: Desk) -> None:
    """If the answer is lost the command may have been accepted: the key that makes it safe to ask again is shown."""
    server.on(SEND, Answer(cut=True))
    result = desk.pushctl("send", READER, "load_objects")
    assert result.exit_code == 1
    (asked,) = server.calls(SEND)
    assert f"--idempotency-key {asked.headers['idempotency-key']}" in result.stderr
    assert "hung up without an answer" in result.stderr


def test_interrupted_send_names_the_key_that_asks_again(server: RecordedServer, desk: Desk) -> None:
    """Ctrl-C before the answer leaves open whether the command was accepted, and the key is shown too."""
    server.on(SEND, Answer(takes=60))
    desk.interrupt_after = 1
    result = desk.pushctl("send", READER, "load_objects", "--idempotency-key", "mine")
    assert result.exit_code == 130
    assert "--idempotency-key mine asks again" in result.stderr


def test_photo_is_encoded_from_its_file(server: RecordedServer, desk: Desk, tmp_path: Path) -> None:
    """A file, or standard input, for an octet-stream body is sent in base64."""
    photo = tmp_path / "face.jpg"
    photo.write_bytes(b"\xff\xd8\xff\x00")
    server.on(SEND, Answer(status=201, body=COMMAND))
    words = ("--content-type", "application/octet-stream", "--query-string", "user_id=7&match=0")
    assert desk.pushctl("send", READER, "user_set_image", f"@{photo}", *words).exit_code == 0
    assert desk.pushctl("send", READER, "user_set_image", "-", *words, stdin=photo.read_bytes()).exit_code == 0
    payload = {
        "endpoint": "user_set_image",
        "body": "/9j/AA==",
        "contentType": "application/octet-stream",
        "queryString": "user_id=7&match=0",
    }
    assert [asked.body for asked in server.calls(SEND)] == [{"payload": payload}] * 2


def test_payload_comes_from_standard_input(server: RecordedServer, desk: Desk) -> None:
    """A whole payload can be piped in, and its big integers arrive unchanged."""
    payload = {"transactions": [{"endpoint": "get_configuration", "body": {"id": 9007199254740993}}]}
    server.on(SEND, Answer(status=201, body=COMMAND))
    assert desk.pushctl("send", READER, "--payload", "-", stdin=json.dumps(payload)).exit_code == 0
    assert server.calls(SEND)[0].body == {"payload": payload}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["reader", "load_objects"], "neither controlid:<deviceId> nor servereye:<containerId>"),
        ([READER], "Which ENDPOINT?"),
        (["servereye:abc"], "Which CONTROL?"),
        ([READER, "load_objects", "{object: users}"], "BODY is not JSON"),
        ([READER, "load_objects", "[1]"], "BODY must be a JSON object"),
        ([READER, "load_objects", '{"a": NaN}'], "NaN is no JSON number"),
        ([READER, "load_objects", '{"a": 1e999}'], "1e999 is too large a number"),
        ([READER, "load_objects", "[" * 100_000], "BODY is not JSON"),
        ([READER, "load_objects", "--data", "x"], "--data does not fit here"),
        (["servereye:abc", "REFRESH_AGENT", "--verb", "GET"], "--verb does not fit here"),
        (["servereye:abc", "REFRESH_AGENT", "x", "--data", "x"], "Give the data once"),
        ([READER, "load_objects", "--payload", "{}"], "--payload is the whole payload"),
        ([READER, "--payload", "{}", "--verb", "GET"], "--verb does not fit here"),
        ([READER, "--payload", "[]"], "--payload must be a JSON object"),
        ([READER, "load_objects", "@/nowhere"], "/nowhere cannot be read"),
        ([READER, "load_objects", "--ttl", "nan"], "is not a duration"),
        ([READER, "load_objects", "--ttl", "-1"], "is not a duration"),
        ([READER, "load_objects", "--wait", "soon"], "is not a number of seconds"),
        ([READER, "load_objects", "--priority", "10"], "10 is not in the range"),
    ],
)
def test_wrong_call_sends_nothing(server: RecordedServer, desk: Desk, words: list[str], complaint: str) -> None:
    """A call that makes no sense is explained, has exit code 2, and asks the server nothing."""
    result = desk.pushctl("send", *words)
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.split())
    assert server.asked == []


def test_help_teaches(desk: Desk) -> None:
    """The help text has an example for each dialect and the meaning of each exit code."""
    text = desk.pushctl("send", "--help").stdout
    assert "pushctl send controlid:" in text
    assert "pushctl send servereye:" in text
    for line in ("3    the device reported failure", "4    it may have run", "7    it was still open"):
        assert line in text
