"""Tests of whole commands, from the sender to the device and back, with one HTTP request for each step."""

from tests.integration.calls import Call
from tests.integration.server import Server, until

READ_USERS = {"verb": "POST", "endpoint": "load_objects", "body": {"object": "users"}}
USERS = {"response": {"users": [{"id": 1, "name": "Ana"}]}}
REFRESH = {"control": "REFRESH_AGENT", "data": {"agent": 7}}


def hold(server: Server, line: str, device: str) -> Call:
    """Send a poll, and wait until the server holds it."""
    poll = server.devices.begin(line)
    until(lambda: server.holds(device), "the poll is held")
    return poll


def test_controlid_command(shared: Server) -> None:
    """A device that holds a poll receives a command when it is sent, and the sender sees its result."""
    poll = hold(shared, "GET /push?deviceId=4408801109440198&uuid=first", "controlid:4408801109440198")
    command = shared.send("controlid:4408801109440198", READ_USERS)
    pushed = poll.answer()
    assert (pushed.code, pushed.json) == (200, READ_USERS)
    line = "POST /result?deviceId=4408801109440198&uuid=first&endpoint=load_objects"
    answer = shared.devices.ask(line, USERS)
    assert (answer.code, answer.body, answer.headers["content-length"]) == (200, b"", "0")
    seen = shared.command(command)
    assert (seen["state"], seen["result"], seen["matched_by"]) == ("succeeded", USERS, "uuid")


def test_servereye_command(shared: Server) -> None:
    """A container receives a message, acknowledges it and reports its result, and the sender sees each step."""
    poll = hold(shared, "GET /2/push/tour?apiKey=any", "servereye:tour")
    command = shared.send("servereye:tour", REFRESH)
    message = poll.answer().json
    assert message["success"] is True
    assert (message["data"]["messageId"], message["data"]["control"]) == (command, "REFRESH_AGENT")
    assert shared.devices.ask(f"POST /2/push/tour/ack/{command}").json["success"] is True
    assert shared.command(command)["state"] == "acknowledged"
    result = {"success": False, "message": "no such agent"}
    assert shared.devices.ask(f"POST /2/push/tour/result/{command}", result).json["success"] is True
    seen = shared.command(command)
    assert (seen["state"], seen["result"], seen["evidence"]) == ("failed", result, "device")


def test_sender_waits_for_the_outcome(shared: Server) -> None:
    """A sender that asks to wait is answered when the command has ended."""
    poll = hold(shared, "GET /push?deviceId=11&uuid=u", "controlid:11")
    sending = shared.admin.begin("POST /v1/devices/controlid:11/commands?wait=20", {"payload": READ_USERS})
    assert poll.answer().json == READ_USERS
    assert shared.devices.ask("POST /result?deviceId=11&uuid=u", USERS).code == 200
    sent = sending.answer()
    assert (sent.code, sent.json["state"]) == (200, "succeeded")


def test_result_of_twelve_megabytes(shared: Server) -> None:
    """A result may have 12 MB, and is returned unchanged."""
    poll = hold(shared, "GET /push?deviceId=12&uuid=u", "controlid:12")
    command = shared.send("controlid:12", READ_USERS)
    assert poll.answer().code == 200
    result = {"response": {"users": "x" * 12_000_000}}
    assert shared.devices.ask("POST /result?deviceId=12&uuid=u", result).code == 200
    assert shared.command(command)["result"] == result


def test_client_that_expects_continue(shared: Server) -> None:
    """A request with ``Expect: 100-continue``, as curl sends with a large body, is answered with ``100 Continue``."""
    poll = hold(shared, "GET /push?deviceId=13&uuid=u", "controlid:13")
    command = shared.send("controlid:13", READ_USERS)
    assert poll.answer().code == 200
    body = b'{"response": {}}'
    head = f"POST /result?deviceId=13&uuid=u HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    with shared.devices.connect() as client, client.makefile("rb") as answers:
        client.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert answers.readline() == b"HTTP/1.1 100 Continue\r\n"
        client.sendall(body)
        assert (answers.readline(), answers.readline()) == (b"\r\n", b"HTTP/1.1 200 OK\r\n")
    assert shared.command(command)["state"] == "succeeded"


def test_incomplete_requests(shared: Server) -> None:
    """A device that stops sending within a request, or hangs up within a body, does not disturb other devices."""
    with shared.devices.connect() as stalled, shared.devices.connect() as leaving:
        stalled.sendall(b"GET /push?deviceId=14 HTT")
        leaving.sendall(b"POST /result?deviceId=14 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        leaving.close()
        poll = hold(shared, "GET /push?deviceId=15", "controlid:15")
        shared.send("controlid:15", READ_USERS)
        assert poll.answer().json == READ_USERS
    assert "Traceback" not in shared.log.read_text()


def test_device_that_hangs_up(shared: Server) -> None:
    """A command that is sent after the device hung up waits for the device's next poll."""
    hold(shared, "GET /push?deviceId=16", "controlid:16").hang_up()
    until(lambda: not shared.holds("controlid:16"), "the poll has ended")
    command = shared.send("controlid:16", READ_USERS)
    assert shared.command(command)["state"] == "queued"
    assert shared.devices.ask("GET /push?deviceId=16").json == READ_USERS
    assert shared.command(command)["attempts"] == 1
