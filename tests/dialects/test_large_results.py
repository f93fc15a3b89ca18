"""Tests of large results on the device port, in both dialects."""

import json
from json import JSONDecoder
from typing import Any

import pytest
from attrs import define
from twisted.python.failure import Failure

from pushd.dialects.controlid.result import MAX_TRANSACTIONS
from pushd.http.bodies import LARGE, SMALL
from pushd.lib import strict_json
from pushd.lib.large_json import MAX_VALUES
from pushd.model.token import Role
from pushd.rules import queueing
from tests.connection import request
from tests.dialects.dialect_devices import READER, DialectDevice
from tests.in_memory_server import BuildServer, InMemoryServer

TWELVE_MEGABYTES = 12 * 1024 * 1024


def test_large_result(server: InMemoryServer, device: DialectDevice) -> None:
    """A result of 12 MB settles its command and is kept whole."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    body = device.padded(TWELVE_MEGABYTES)
    assert server.device_request(device.result(command, body)).answer().code == 200
    assert server.command(command)["state"] == "succeeded"
    shown = server.ask(f"GET /v1/commands/{command}").body
    assert b'"result":' + body + b"}" in shown


@pytest.mark.parametrize("size", [SMALL, SMALL + 1], ids=["small", "large"])
def test_result_whose_sender_does_not_wait(server: InMemoryServer, device: DialectDevice, size: int) -> None:
    """A result that has arrived whole counts, though the device disconnects without waiting for the response."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    server.threads_are_busy = True
    server.device_request(device.result(command, device.padded(size))).hang_up()
    server.run_threads()
    assert server.command(command)["state"] == "succeeded"


def test_unreadable_result_whose_sender_does_not_wait(
    server: InMemoryServer, device: DialectDevice, no_logged_failure: list[Failure]
) -> None:
    """A large result that cannot be read, of a device that has disconnected, logs no traceback."""
    server.register(device.id)
    server.put(device.id, device.payload)
    server.device_request(device.poll())
    server.threads_are_busy = True
    server.device_request(device.result("x", b"{" * (SMALL + 1))).hang_up()
    server.run_threads()
    assert no_logged_failure == []


def test_unexpected_large_result(server: InMemoryServer, device: DialectDevice) -> None:
    """A large result without an outstanding command is read and dropped; the device is answered as usual."""
    server.register(device.id)
    connection = server.device_request(device.result("x", device.padded(TWELVE_MEGABYTES)))
    assert connection.answer().code == 200
    assert server.off_reactor == 0
    assert server.orphans(device.id) == []
    connection.send(device.poll())
    assert server.device(device.id)["polling"] is True


def test_unexpected_large_result_keeps_a_device_online(server: InMemoryServer, device: DialectDevice) -> None:
    """A large result that is dropped still keeps its device online."""
    server.register(device.id)
    server.device_request(device.result("x", device.padded(SMALL + 1)))
    assert server.device(device.id)["presence"] == "online"


def test_large_result_of_a_blocked_device(server: InMemoryServer, device: DialectDevice) -> None:
    """A blocked device is refused, however large its result."""
    server.register(device.id, admission="blocked")
    answer = server.device_request(device.result("x", device.padded(SMALL + 1))).answer()
    code, part = device.refusal
    assert answer.code == code
    assert part in answer.body


@pytest.mark.parametrize(
    "refused", [{"admission": "blocked"}, {"allow_from": ["10.0.0.0/8"]}], ids=["blocked", "not-in-network"]
)
@pytest.mark.parametrize("body", [b"{", b" " * (SMALL + 1)], ids=["small", "large"])
def test_result_of_a_refused_device_is_not_parsed(
    server: InMemoryServer, device: DialectDevice, refused: dict[str, Any], body: bytes
) -> None:
    """The result of a device that is blocked, or not in its networks, is refused unparsed, and settles nothing."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    server.ask(f"PATCH /v1/devices/{device.id}", refused)
    answer = server.device_request(device.result(command, body)).answer()
    code, part = device.refusal
    assert (answer.code, part in answer.body, server.off_reactor) == (code, True, 0)
    assert server.command(command)["state"] == "sent"
    assert server.orphans(device.id) == []


def test_unexpected_small_result(server: InMemoryServer, device: DialectDevice) -> None:
    """A result of up to 64 KiB is always parsed, and kept as an orphan if it settles no command."""
    server.register(device.id)
    server.device_request(device.result("x", device.padded(SMALL)))
    (orphan,) = server.orphans(device.id)
    assert orphan["size"] == SMALL


def test_result_at_the_limit(server: InMemoryServer, device: DialectDevice) -> None:
    """A result of exactly 16 MiB is accepted."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    server.device_request(device.result(command, device.padded(LARGE)))
    assert server.command(command)["state"] == "succeeded"


def test_result_over_the_limit(server: InMemoryServer, device: DialectDevice) -> None:
    """A result over 16 MiB is answered as usual; its command becomes unknown, with an error that has the size."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    size = LARGE + 1
    connection = server.device_request(device.result(command, device.padded(size)))
    assert connection.answer().code == 200
    found = server.command(command)
    assert (found["state"], found["error"]) == ("unknown", f"the result was too large: {size} bytes")
    assert found["result"] is None
    connection.send(device.poll())
    assert server.device(device.id)["polling"] is True


def test_large_result_of_an_unknown_command(server: InMemoryServer, device: DialectDevice) -> None:
    """A large result settles its command after the lease has expired, too."""
    server.register(device.id)
    command = server.put(device.id, device.payload, delivery="at_most_once")
    server.device_request(device.poll())
    server.tick(61)
    assert server.command(command)["state"] == "unknown"
    server.device_request(device.result(command, device.padded(SMALL + 1)))
    assert server.command(command)["state"] == "succeeded"


def test_large_body_of_a_poll(server: InMemoryServer, device: DialectDevice) -> None:
    """The body of a poll is dropped, and the poll is held as any other."""
    data = device.poll("", f"Content-Length: {SMALL + 9}") + b"x" * (SMALL + 9)
    server.device_request(data)
    assert server.device(device.id)["polling"] is True
    assert server.budgets.used == 0


def test_large_orphan_is_cut(server: InMemoryServer) -> None:
    """Only the first 64 KiB of an orphan result are kept."""
    server.register(READER.id)
    server.put(READER.id, READER.payload)
    server.device_request(READER.poll())
    foreign = READER.result("", READER.padded(SMALL + 9)).replace(b"uuid=a", b"uuid=b")
    server.device_request(foreign)
    (orphan,) = server.orphans(READER.id)
    assert orphan["size"] == SMALL + 9
    assert len(orphan["raw"]) == (SMALL + 2) // 3 * 4


@pytest.fixture
def on_reactor(server: InMemoryServer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the large JSON texts that are read or written on the reactor's thread."""
    sizes: list[int] = []
    read, write = JSONDecoder.decode, strict_json.write

    def record(text: str) -> None:
        if len(text) > SMALL and not server.is_in_thread:
            sizes.append(len(text))

    def recording_read(decoder: JSONDecoder, text: str) -> Any:
        record(text)
        return read(decoder, text)

    def recording_write(value: object) -> str:
        text = write(value)
        record(text)
        return text

    monkeypatch.setattr(JSONDecoder, "decode", recording_read)
    monkeypatch.setattr(strict_json, "write", recording_write)
    monkeypatch.setattr(queueing, "write_ascii", recording_write)
    return sizes


def many(entry: str, size: int = TWELVE_MEGABYTES) -> bytes:
    """The text of a list of so many bytes."""
    return f"[{','.join([entry] * (size // (len(entry) + 1)))}]".encode()


LARGE_RESPONSES = {
    "values": many("[]"),
    "records": many('{"id":1,"time":1700000000,"event":7,"user_id":0}'),
    "text": b'"%b"' % (b"1,2;\\n" * 2_000_000),
}


@pytest.mark.parametrize("response", LARGE_RESPONSES.values(), ids=LARGE_RESPONSES)
def test_large_result_leaves_the_reactor_alone(
    server: InMemoryServer, on_reactor: list[int], device: DialectDevice, response: bytes
) -> None:
    """A result of any number of values settles its command and is kept as it came; the reactor reads none of it."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    body = device.success[:-1] + b',"data":' + response + b"}"
    assert server.device_request(device.result(command, body)).answer().code == 200
    answer = server.ask(f"GET /v1/commands/{command}")
    assert on_reactor == []
    assert b'"state":"succeeded"' in answer.body
    assert answer.body.endswith(b'"result":' + body + b"}")


def batch_result(*entries: bytes, size: int) -> bytes:
    """The result of a batch, with these entries and a large one."""
    large = b'{"transactionid":"1","success":true,"response":"%b"}' % (b"x" * size)
    return b'{"transactions_results":[%b]}' % b",".join([large, *entries])


def test_large_result_of_a_batch(server: InMemoryServer, on_reactor: list[int]) -> None:
    """The result of a batch says what became of each entry, however large it is."""
    server.register(READER.id)
    transactions = [{"endpoint": "load_objects"}, {"endpoint": "set_configuration"}]
    command = server.put(READER.id, {"transactions": transactions})
    server.device_request(READER.poll())
    body = batch_result(b'{"transactionid":2,"success":false,"error":"no such object"}', size=TWELVE_MEGABYTES)
    server.device_request(READER.result(command, body))
    found = server.ask(f"GET /v1/commands/{command}?").body
    assert on_reactor == []
    assert b'"state":"failed"' in found
    assert b'"error":"transaction 2: no such object"' in found


def test_large_result_of_commands_that_were_sent_together(build_server: BuildServer) -> None:
    """Each of several commands of one answer gets its own entry of a large result."""
    server = build_server(batch=2)
    server.register(READER.id)
    first, second = (server.put(READER.id, READER.payload) for _ in range(2))
    server.device_request(READER.poll())
    body = batch_result(b'{"transactionid":2,"success":false,"error":"no such object"}', size=SMALL)
    server.device_request(READER.result(first, body))
    assert [server.command(command)["state"] for command in (first, second)] == ["succeeded", "failed"]
    assert server.command(second)["result"] == {"transactionid": 2, "success": False, "error": "no such object"}


@pytest.mark.parametrize("entry", ['{"transactionid":"f","success":true}', "[]"])
def test_result_with_foreign_entries(server: InMemoryServer, on_reactor: list[int], entry: str) -> None:
    """A result with very many entries that were not asked for makes its command unknown, and stops nothing else."""
    server.register(READER.id)
    command = server.put(READER.id, {"transactions": [READER.payload]})
    server.device_request(READER.poll())
    assert server.device_request(
        READER.result(command, b'{"transactions_results":' + many(entry, 4 * 1024 * 1024) + b"}")
    ).answer()
    assert on_reactor == []
    found = server.ask(f"GET /v1/commands/{command}").body
    assert b'"state":"unknown"' in found


def test_large_command(server: InMemoryServer, on_reactor: list[int]) -> None:
    """A large command is sent as the text that the operator sent; the reactor neither reads nor writes it."""
    server.register(READER.id)
    text = '{"endpoint":"set_photo","body":{"image":"%s"}}' % ("ä" * (2 * SMALL))
    path = f"/v1/devices/{READER.id}/commands"
    token = f"Authorization: Bearer {server.token_of(Role.OPERATOR)}"
    sent = server.call(request(f"POST {path}", f'{{"payload":{text}}}'.encode(), token)).answer()
    assert (sent.code, text.encode() in sent.body) == (201, True)
    command = sent.headers["location"].rpartition("/")[2]
    assert server.device_request(READER.poll()).answer().body == text.encode()
    server.device_request(READER.result(command, b'{"error":"busy"}'))
    found = server.ask(f"GET /v1/commands/{command}").body
    assert (b'"state":"failed"' in found, text.encode() in found) == (True, True)
    assert on_reactor == []
    resent = server.ask(f"POST /v1/commands/{command}/resend")
    assert (resent.code, text.encode() in resent.body) == (201, True)


LONG = 'ä\n"|' * SMALL
CONTAINER = "servereye:c-1"


@define
class SentCommand:
    """A command that was sent and shown; nothing of that was read by the test yet."""

    id: str
    polled: bytes
    shown: list[bytes]

    def check_shown(self, payload: object) -> None:
        """The sender and later readers see the payload as it was given."""
        assert [json.loads(body)["payload"] for body in self.shown] == [payload] * len(self.shown)


def send_and_poll(server: InMemoryServer, device: str, payload: object, poll: bytes) -> SentCommand:
    """Send a command and have its device poll."""
    server.register(device)
    sent = server.ask(f"POST /v1/devices/{device}/commands", {"payload": payload})
    location = sent.headers["location"]
    polled = server.device_request(poll).answer().body
    shown = [sent.body, *(server.ask(f"GET {location}{query}").body for query in ("", "?wait=0"))]
    return SentCommand(location.rpartition("/")[2], polled, shown)


@pytest.mark.parametrize(
    ("payload", "message", "data"),
    [
        ({"control": "X", "data": LONG}, "message", LONG),
        ({"control": "X", "data": {"text": LONG}, "message": "m"}, "m", strict_json.write({"text": LONG})),
        ({"message": LONG, "control": "X"}, LONG, ""),
    ],
    ids=["text", "object", "message"],
)
def test_large_command_of_a_container(
    server: InMemoryServer, on_reactor: list[int], payload: object, message: str, data: str
) -> None:
    """A container gets a large command as any other; the reactor neither reads nor writes it."""
    sent = send_and_poll(server, CONTAINER, payload, request("GET /push/c-1"))
    assert on_reactor == []
    ids = dict.fromkeys(("rootContainerId", "containerId", "senderId"), "c-1") | {"messageId": sent.id}
    envelope = {"success": True, "message": message, "data": ids | {"control": "X", "data": data}}
    assert json.loads(sent.polled) == envelope
    sent.check_shown(payload)


def test_large_batch_is_sent_with_its_ids(server: InMemoryServer, on_reactor: list[int]) -> None:
    """Each entry of a large batch gets its transactionid, as in a small one; the reactor does not read the batch."""
    entries = [{"endpoint": "set_photo", "body": LONG}, {"endpoint": "load_objects", "transactionid": "x"}]
    sent = send_and_poll(server, READER.id, {"transactions": entries}, READER.poll())
    body = b'{"transactions_results":[{"transactionid":1,"response":""},{"transactionid":"x","success":false}]}'
    server.device_request(READER.result(sent.id, body))
    found = server.ask(f"GET /v1/commands/{sent.id}").body
    assert on_reactor == []
    assert json.loads(sent.polled) == {"transactions": [{"transactionid": "1", **entries[0]}, entries[1]]}
    sent.check_shown({"transactions": entries})
    assert json.loads(found)["error"] == "transaction x: the device gave no reason"


def test_large_command_is_matched_by_its_endpoint(server: InMemoryServer, on_reactor: list[int]) -> None:
    """A result without a uuid is matched with a large command by its endpoint, which is not read for that."""
    server.register(READER.id)
    payload = {"endpoint": "set_photo", "body": LONG}
    sent = server.ask(f"POST /v1/devices/{READER.id}/commands", {"payload": payload})
    server.device_request(request("GET /push?deviceId=7"))
    server.device_request(request("POST /result?deviceId=7&endpoint=set_photo", b'{"response":""}'))
    found = server.ask(f"GET {sent.headers['location']}").body
    assert on_reactor == []
    assert json.loads(found)["state"] == "succeeded"


@pytest.mark.parametrize(
    ("device", "payload"),
    [
        (CONTAINER, {"control": "X", "data": LONG * 4}),
        (CONTAINER, {"control": "X", "data": [LONG] * 4}),
        (READER.id, {"endpoint": "set_photo", "body": LONG * 4}),
        (READER.id, {"transactions": [{"endpoint": "set_photo", "body": LONG}] * 4}),
    ],
)
def test_large_command_is_written_in_pieces(
    server: InMemoryServer, monkeypatch: pytest.MonkeyPatch, device: str, payload: object
) -> None:
    """However a large command is sent, no thread writes much of it at once: the others would wait."""
    server.register(device)
    token = f"Authorization: Bearer {server.token_of(Role.OPERATOR)}"
    body = json.dumps({"payload": payload, "ttl": 0.5}).encode()
    sizes: list[int] = []
    write, encode = strict_json.write, json.JSONEncoder.encode

    def recording_write(value: object) -> str:
        sizes.append(len(text := write(value)))
        return text

    def recording_encode(encoder: json.JSONEncoder, value: object) -> str:
        sizes.append(len(text := encode(encoder, value)))
        return text

    monkeypatch.setattr(strict_json, "write", recording_write)
    monkeypatch.setattr(json.JSONEncoder, "encode", recording_encode)
    sent = server.call(request(f"POST /v1/devices/{device}/commands", body, token, "Idempotency-Key: k")).answer()
    server.tick(2)
    resent = server.call(request(f"POST {sent.headers['location']}/resend", b"", token)).answer()
    assert (sent.code, resent.code) == (201, 201)
    assert max(sizes) < 4 * SMALL < len(body)


def test_large_command_is_sent_again(server: InMemoryServer) -> None:
    """A large command that is resent is kept and sent like the first."""
    payload = {"control": "X", "data": LONG}
    first = send_and_poll(server, CONTAINER, payload, request("GET /push/c-1"))
    server.device_request(request(f"POST /push/c-1/result/{first.id}", b'{"success":false}'))
    again = server.ask(f"POST /v1/commands/{first.id}/resend").json
    assert again["payload"] == payload
    body = server.device_request(request("GET /push/c-1")).answer().body
    assert body == first.polled.replace(first.id.encode(), again["id"].encode())


def test_command_with_too_many_values(server: InMemoryServer) -> None:
    """A command with more values than a server can read in passing is refused with 413."""
    server.register(READER.id)
    body = {"payload": {"endpoint": "create_objects", "body": {"values": [0] * MAX_VALUES}}}
    answer = server.ask(f"POST /v1/devices/{READER.id}/commands", body)
    assert "100000 JSON values" in answer.problem(413)["detail"]


def test_batch_with_too_many_transactions(server: InMemoryServer) -> None:
    """A batch has a bounded number of entries, as its result has."""
    server.register(READER.id)
    body = {"payload": {"transactions": [READER.payload] * (MAX_TRANSACTIONS + 1)}}
    answer = server.ask(f"POST /v1/devices/{READER.id}/commands", body)
    assert answer.problem(422)["errors"] == [
        {"pointer": "#/payload/transactions", "detail": "must have at most 10000 entries"}
    ]
