"""Tests of :mod:`pushd.admin.commands`: list, get, wait, cancel."""

from typing import Any
from urllib.parse import quote

import pytest

from pushd.model.token import Role
from pushd.store.transactions import queries
from tests.connection import request
from tests.in_memory_server import InMemoryServer

DEVICE = "controlid:7"
POLL = request("GET /push?deviceId=7&uuid=a")
RESULT = request("POST /result?deviceId=7&uuid=a", b'{"response":{}}')
LOAD = {"endpoint": "load_objects"}


@pytest.fixture
def command(server: InMemoryServer) -> str:
    """A queued command that is sent at most once."""
    server.register(DEVICE)
    return server.put(DEVICE, LOAD, delivery="at_most_once")


@pytest.fixture
def repeatable(server: InMemoryServer) -> str:
    """A queued command that may be sent more than once."""
    server.register(DEVICE)
    return server.put(DEVICE, LOAD, delivery="at_least_once")


def test_get(server: InMemoryServer, command: str) -> None:
    """A command is shown with the payload that was sent and the result that the device posted."""
    server.device_request(POLL)
    server.clock.advance(1.5)
    server.device_request(RESULT)
    found = server.command(command)
    assert (found["payload"], found["result"]) == (LOAD, {"response": {}})
    assert (found["sent_at"], found["finished_at"]) == ("2027-01-15T08:00:00.000Z", "2027-01-15T08:00:01.500Z")


@pytest.mark.parametrize("call", ["GET /v1/commands/{}", "GET /v1/commands/{}?wait=5", "POST /v1/commands/{}/cancel"])
@pytest.mark.parametrize("name", ["x", "019ab000-0000-7000-8000-000000000001", "%ff", "a%2Fb", "%00"])
def test_unknown_command(server: InMemoryServer, call: str, name: str) -> None:
    """A command with an unknown id is not found."""
    assert server.ask(call.format(name)).code == 404


def test_wait_for_the_end(server: InMemoryServer, command: str) -> None:
    """With ``wait``, the answer comes when the command ends."""
    waiting = server.begin(f"GET /v1/commands/{command}?wait=60")
    server.device_request(POLL)
    assert waiting.answers() == []
    server.device_request(RESULT)
    assert waiting.answer().json["state"] == "succeeded"
    assert server.ask(f"GET /v1/commands/{command}?wait=60").json["state"] == "succeeded"


def test_wait_times_out(server: InMemoryServer, command: str) -> None:
    """If the command has not ended in time, the answer shows it as it is then."""
    waiting = server.begin(f"GET /v1/commands/{command}?wait=2")
    server.device_request(POLL)
    server.clock.advance(2)
    answer = waiting.answer()
    assert (answer.code, answer.json["state"]) == (200, "sent")


def test_many_clients_wait_for_one_command(server: InMemoryServer, command: str) -> None:
    """All clients that wait for a command get an answer."""
    waiting = [server.begin(f"GET /v1/commands/{command}?wait={seconds}") for seconds in (10, 20, 30)]
    server.clock.advance(10)
    server.ask(f"POST /v1/commands/{command}/cancel")
    assert [each.answer().json["state"] for each in waiting] == ["queued", "cancelled", "cancelled"]


def test_who_waits_when_we_stop(server: InMemoryServer, command: str) -> None:
    """When we are about to stop, who waits is answered at once."""
    waiting = server.begin(f"GET /v1/commands/{command}?wait=60")
    server.core.drain()
    assert waiting.answer().json["state"] == "queued"


@pytest.mark.parametrize("wait", ["-1", "60.1", "x", "", "nan", "1e9", "0x5", "1_0", "%C2%B2"])
def test_invalid_wait(server: InMemoryServer, command: str, wait: str) -> None:
    """A wait that is not a number of seconds from 0 to 60 is refused."""
    answer = server.ask(f"GET /v1/commands/{command}?wait={wait}")
    assert (answer.code, answer.json["detail"]) == (400, "wait must be 0 to 60 seconds.")


def test_cancel_a_queued_command(server: InMemoryServer, command: str) -> None:
    """A queued command is cancelled; to cancel it again is not an error."""
    for _ in range(2):
        answer = server.ask(f"POST /v1/commands/{command}/cancel")
        assert (answer.code, answer.json["state"], answer.json["evidence"]) == (200, "cancelled", "operator")
    assert server.events(DEVICE).count("command.cancelled") == 1
    assert server.device_request(POLL).answers() == []


def test_cancel_a_sent_command(server: InMemoryServer, command: str) -> None:
    """A command that may have run already cannot be cancelled."""
    server.device_request(POLL)
    answer = server.ask(f"POST /v1/commands/{command}/cancel")
    assert (answer.code, answer.json["type"]) == (409, "illegal-move")
    assert server.command(command)["state"] == "sent"


def test_cancel_an_ended_command(server: InMemoryServer, command: str) -> None:
    """A command that has ended cannot be cancelled."""
    server.device_request(POLL)
    server.device_request(RESULT)
    assert server.ask(f"POST /v1/commands/{command}/cancel").code == 409
    assert server.command(command)["state"] == "succeeded"


def test_cancel_further_attempts(server: InMemoryServer, repeatable: str) -> None:
    """If a command may be sent again, cancelling it makes the attempt in progress the last one."""
    server.device_request(POLL)
    answer = server.ask(f"POST /v1/commands/{repeatable}/cancel")
    assert (answer.code, answer.json["state"], answer.json["max_attempts"]) == (202, "sent", 1)
    server.tick(61)
    assert server.command(repeatable)["state"] == "unknown"


def test_cancel_between_attempts(server: InMemoryServer, repeatable: str) -> None:
    """A command that was tried and waits for another attempt may have run, so its outcome is unknown."""
    server.device_request(POLL)
    server.tick(61)
    assert server.command(repeatable)["state"] == "queued"
    answer = server.ask(f"POST /v1/commands/{repeatable}/cancel")
    assert (answer.code, answer.json["state"]) == (200, "unknown")


@pytest.fixture
def history(server: InMemoryServer) -> list[str]:
    """Five commands: one sent, one cancelled, one for another device, two queued."""
    server.register(DEVICE)
    server.register("controlid:8")
    sent = [server.put(DEVICE, LOAD) for _ in range(3)]
    server.clock.advance(10)
    sent.append(server.put("controlid:8", LOAD))
    sent.append(server.put(DEVICE, LOAD))
    server.device_request(POLL)
    server.ask(f"POST /v1/commands/{sent[1]}/cancel")
    return sent


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "43210"),
        ("?device=controlid:8", "3"),
        ("?device=controlid:9", ""),
        ("?state=queued", "432"),
        ("?state=sent", "0"),
        ("?state=cancelled", "1"),
        ("?state=unknown", ""),
        ("?since=2027-01-15T08:00:10Z", "43"),
        ("?since=2027-01-15T09:00:10.000%2B01:00", "43"),
        ("?since=2027-01-15T08:00:10.001Z", ""),
        ("?device=controlid:7&state=queued&since=2027-01-15T08:00:10Z", "4"),
    ],
)
def test_filters(server: InMemoryServer, history: list[str], query: str, found: str) -> None:
    """A list, newest first, can be filtered by device, state and age."""
    items = server.ask(f"GET /v1/commands{query}").json["items"]
    assert "".join(str(history.index(item["id"])) for item in items) == found


def test_items_of_the_list(server: InMemoryServer, history: list[str]) -> None:
    """A list leaves out payload and result, and nothing else."""
    for item in server.ask("GET /v1/commands").json["items"]:
        whole = server.command(item["id"])
        assert {name: value for name, value in whole.items() if name not in ("payload", "result")} == item


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_paging(server: InMemoryServer, history: list[str], limit: int) -> None:
    """All pages together are the whole list, also if commands are sent meanwhile."""
    found, query = [], f"?limit={limit}"
    for _ in range(6):
        page = server.ask(f"GET /v1/commands{query}").json
        found += [item["id"] for item in page["items"]]
        server.put("controlid:8", LOAD)
        if page["next"] is None:
            break
        query = f"?limit={limit}&cursor={page['next']}"
    assert found == history[::-1]


@pytest.fixture
def searched(server: InMemoryServer) -> InMemoryServer:
    """A server with commands of both dialects, of two senders, some of which have ended."""
    for device in ("controlid:4711", "servereye:cellar"):
        server.register(device)
    send, container = "POST /v1/devices/controlid:4711/commands", "POST /v1/devices/servereye:cellar/commands"
    batch = {"transactions": [{"endpoint": "set_configuration", "body": {}}, {"endpoint": "reboot"}]}
    sent: list[tuple[str, dict[str, Any], Role]] = [
        (send, {"payload": {"endpoint": "reboot"}, "trace": "Ticket 7"}, Role.ADMIN),
        (send, {"payload": {"endpoint": "beep"}, "trace": "Ticket 8", "ttl": 1}, Role.OPERATOR),
        (send, {"payload": batch}, Role.ADMIN),
        (container, {"payload": {"control": "REBOOT"}}, Role.OPERATOR),
        (container, {"payload": {"control": "REFRESH_AGENT"}, "trace": "João", "ttl": 1}, Role.ADMIN),
    ]
    for number, (line, body, role) in enumerate(sent):
        answer = server.ask(f"{line}?unchecked=1", body | {"priority": number}, role=role)
        assert answer.code == 201, answer.body
    server.tick(2)
    return server


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("endpoint=reboot", [2, 0]),
        ("endpoint=REBOOT", [3]),
        ("endpoint=set_configuration", [2]),
        ("endpoint=set", []),
        ("by=operator", [3, 1]),
        ("by=oper", []),
        ("trace=Ticket 7", [0]),
        ("trace=ticket 7", []),
        ("trace=Ticket 8&state=expired", [1]),
        ("trace=Ticket 8&state=queued", []),
        ("trace=Ticket 7&state=queued", [0]),
        ("by=admin&endpoint=reboot", [2, 0]),
        ("by=admin&endpoint=reboot&device=controlid:4711&state=queued", [2, 0]),
        ("q=ticket", [1, 0]),
        ("q=TICKET 8", [1]),
        ("q=joa\u0303o", [4]),
        ("q=reboot", [3, 2, 0]),
        ("q=4711", [2, 1, 0]),
        ("q=cellar", [4, 3]),
        ("q=operator", [3, 1]),
        ("q=time to live", [4, 1]),
        ("q=time to live&by=operator", [1]),
        ("q=4711 reboot", []),
        ("q=no such", []),
    ],
)
@pytest.mark.parametrize("limit", [1, 50])
def test_search(searched: InMemoryServer, query: str, found: list[int], limit: int) -> None:
    """Commands are found by what they call, who sent them, the sender's note, and a part of all that; page by page."""
    text = quote(query, safe="=&")
    listed: list[int] = []
    cursor = ""
    while True:
        answer = searched.ask(f"GET /v1/commands?{text}&limit={limit}{cursor}").json
        listed += [item["priority"] for item in answer["items"]]
        if answer["next"] is None:
            break
        cursor = f"&cursor={quote(answer['next'])}"
    assert listed == found


def test_search_among_many(monkeypatch: pytest.MonkeyPatch, searched: InMemoryServer) -> None:
    """What is rare is found behind many that do not match, though each transaction reads only some."""
    monkeypatch.setattr(queries, "SLICE_SIZE", 3)
    for _ in range(20):
        searched.put("controlid:4711", {"endpoint": "reboot"})
    found = searched.ask("GET /v1/commands?endpoint=beep&limit=2").json
    assert ([item["trace"] for item in found["items"]], found["next"]) == (["Ticket 8"], None)
