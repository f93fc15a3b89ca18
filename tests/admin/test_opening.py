"""Tests of :mod:`pushd.admin.opening`."""

import json
from typing import Any

import pytest

from pushd.model.token import Role
from tests.connection import Connection, request
from tests.in_memory_server import BuildServer, InMemoryServer

DEVICE = "controlid:7"
OPEN = f"POST /v1/devices/{DEVICE}/open"
POLL = request("GET /push?deviceId=7&uuid=a")
RESULT = "POST /result?deviceId=7&uuid=a"

ONE_DOOR = "this model has one door: leave door out"
NO_DOORS = "this model has no doors, it is a turnstile: leave door out"
NO_DIRECTION = "this model has no direction: leave it out"

SEC_BOX = {"action": "sec_box", "parameters": "id=65793,reason=3"}


@pytest.fixture
def flex(server: InMemoryServer) -> InMemoryServer:
    """A server with an iDFlex, called "Front door"."""
    server.register(DEVICE, name="Front door", facts={"model": "iDFlex"})
    return server


def pushed(server: InMemoryServer) -> Any:
    """The actions that the device is handed."""
    command = server.device_request(POLL).answer().json
    assert command["endpoint"] == "execute_actions"
    return command["body"]["actions"]


def report(server: InMemoryServer, body: bytes = b'{"response":{}}') -> None:
    """The device's result."""
    assert server.device_request(request(RESULT, body)).answer().code == 200


def outcome(sender: Connection) -> tuple[str, str, str, str]:
    """The outcome of an opening, its reason, its sentence, and the state of its command."""
    answer = sender.answer()
    assert answer.code == 200, answer.body
    found = answer.json
    assert found.keys() == {"outcome", "reason", "detail", "command"}
    assert answer.headers["location"] == f"/v1/commands/{found['command']['id']}"
    return found["outcome"], found["reason"], found["detail"], found["command"]["state"]


def test_opened(flex: InMemoryServer) -> None:
    """A device that reports success has opened; the answer comes at once."""
    sender = flex.begin(OPEN)
    assert pushed(flex) == [SEC_BOX]
    assert sender.answers() == []
    report(flex)
    assert outcome(sender) == ("opened", "succeeded", "Opened: Front door reported success.", "succeeded")


def test_the_command(flex: InMemoryServer) -> None:
    """The command is sent once, within ten seconds, and its lease ends while a person still waits."""
    sender = flex.begin(OPEN, {"trace": "ticket 7"}, role=Role.OPERATOR)
    pushed(flex)
    report(flex)
    command = sender.answer().json["command"]
    assert (command["delivery"], command["ttl"], command["lease"]) == ("at_most_once", 10.0, 10.0)
    assert (command["trace"], command["created_by"], command["endpoint"]) == (
        "ticket 7",
        "operator",
        "execute_actions",
    )
    assert command == flex.command(command["id"])


@pytest.mark.parametrize(
    ("facts", "body", "action", "parameters"),
    [
        ({"model": "iDAccess"}, None, "door", "door=1"),
        ({"model": "idfit"}, {"door": 3}, "door", "door=3"),
        ({"model": "ID BOX"}, {"door": 4}, "door", "door=4"),
        ({"model": "iDFlex"}, {"door": 1}, "sec_box", "id=65793,reason=3"),
        ({"model": "idface"}, {}, "sec_box", "id=65793,reason=3"),
        ({"model": "iDAccess-Pro"}, {}, "sec_box", "id=65793,reason=3"),
        ({"model": "id access nano"}, {}, "sec_box", "id=65793,reason=3"),
        ({"model": "iDBlock"}, {}, "catra", "allow=clockwise"),
        ({"model": "iDBlock"}, {"direction": "anticlockwise"}, "catra", "allow=anticlockwise"),
        ({"model": "iDBlock"}, {"direction": "both"}, "catra", "allow=both"),
        ({"model": "iDUHF", "opens_with": "sec_box"}, {}, "sec_box", "id=65793,reason=3"),
        ({"model": "iDFlex", "opens_with": "door"}, {}, "door", "door=1"),
        ({"opens_with": "catra"}, {}, "catra", "allow=clockwise"),
    ],
)
def test_action_of_a_model(server: InMemoryServer, facts: Any, body: Any, action: str, parameters: str) -> None:
    """The model, or what the operator has set, decides on the action."""
    server.register(DEVICE, facts=facts)
    server.begin(OPEN, body)
    assert pushed(server) == [{"action": action, "parameters": parameters}]


@pytest.mark.parametrize(
    ("facts", "body", "errors"),
    [
        ({"model": "iDFlex"}, {"door": 2}, {"#/door": ONE_DOOR}),
        ({"opens_with": "sec_box"}, {"door": 4}, {"#/door": ONE_DOOR}),
        ({"model": "iDFlex"}, {"direction": "both"}, {"#/direction": NO_DIRECTION}),
        (
            {"model": "iDAccess"},
            {"door": 2, "direction": "clockwise"},
            {"#/direction": NO_DIRECTION},
        ),
        ({"model": "iDBlock"}, {"door": 1}, {"#/door": NO_DOORS}),
        (
            {"model": "iDFace"},
            {"door": 3, "direction": "both"},
            {
                "#/door": ONE_DOOR,
                "#/direction": NO_DIRECTION,
            },
        ),
    ],
)
def test_what_a_model_does_not_have(server: InMemoryServer, facts: Any, body: Any, errors: dict[str, str]) -> None:
    """A door or a direction that the model does not have is refused: nothing else is opened in its place."""
    server.register(DEVICE, facts=facts)
    refused = server.ask(OPEN, body)
    assert refused.problem(422)["type"] == "invalid-fields"
    assert {error["pointer"]: error["detail"] for error in refused.json["errors"]} == errors
    assert server.device(DEVICE)["queue"] == 0


def test_model_that_is_not_known(server: InMemoryServer) -> None:
    """Without a model that is known, nothing is sent, and the answer says what to set."""
    server.register(DEVICE)
    for facts in ({}, {"model": "iDUHF"}, {"model": 7}, {"model": ""}):
        server.ask(f"PATCH /v1/devices/{DEVICE}", {"facts": facts})
        refused = server.ask(OPEN)
        assert (refused.code, refused.json["type"]) == (409, "model-unknown")
        assert "facts.model" in refused.json["detail"]
        assert "facts.opens_with to one of door, sec_box, catra" in refused.json["detail"]
    assert server.device(DEVICE)["queue"] == 0


def test_device_that_opens_nothing(server: InMemoryServer) -> None:
    """A Server-Eye container opens nothing."""
    server.register("servereye:c")
    refused = server.ask("POST /v1/devices/servereye:c/open")
    assert (refused.code, refused.json["type"]) == (409, "cannot-open")


def test_refused_as_any_command(flex: InMemoryServer) -> None:
    """A blocked device is refused, an unknown one is not found, and a viewer may not open."""
    assert flex.ask(OPEN, role=Role.VIEWER).code == 403
    assert flex.ask("POST /v1/devices/controlid:8/open").code == 404
    flex.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "blocked"})
    refused = flex.ask(OPEN)
    assert (refused.code, refused.json["type"]) == (409, "device-blocked")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"door": 0}, "#/door"),
        ({"door": 5}, "#/door"),
        ({"door": "1"}, "#/door"),
        ({"door": True}, "#/door"),
        ({"direction": "left"}, "#/direction"),
        ({"trace": "x" * 129}, "#/trace"),
        ({"ttl": 60}, "#/ttl"),
        ([], "#"),
    ],
)
def test_invalid_body(flex: InMemoryServer, body: object, pointer: str) -> None:
    """A wrong field is named, and nothing is sent."""
    refused = flex.ask(OPEN, body)
    assert (refused.code, [error["pointer"] for error in refused.json["errors"]]) == (422, [pointer])
    assert flex.device(DEVICE)["queue"] == 0


def test_device_that_fails(flex: InMemoryServer) -> None:
    """A device that reports a failure has not opened."""
    sender = flex.begin(OPEN)
    pushed(flex)
    report(flex, b'{"error": "relay 1 is disabled"}')
    assert outcome(sender) == (
        "not_opened",
        "device_failed",
        "Not opened: Front door reported a failure: relay 1 is disabled.",
        "failed",
    )


def test_device_that_never_polled(flex: InMemoryServer) -> None:
    """After ten seconds the command is cancelled: nothing opens when the person has gone."""
    sender = flex.begin(OPEN)
    flex.clock.advance(9.9)
    assert sender.answers() == []
    flex.clock.advance(0.1)
    assert outcome(sender) == (
        "not_opened",
        "device_offline",
        "Not opened: Front door has never polled. The command was not sent, and will not be.",
        "cancelled",
    )
    assert flex.device_request(POLL).answers() == []


def test_device_that_does_not_poll_any_more(flex: InMemoryServer) -> None:
    """The answer says when the device was last seen."""
    poll = flex.device_request(POLL)
    poll.hang_up()
    flex.tick(60)
    sender = flex.begin(OPEN)
    flex.clock.advance(10)
    _, reason, detail, _ = outcome(sender)
    assert reason == "device_offline"
    assert "does not poll; it was last seen 70 s ago" in detail


def test_command_that_expires_first(flex: InMemoryServer) -> None:
    """Whether the command expires or is cancelled, nothing is opened later."""
    sender = flex.begin(OPEN)
    flex.wall_offset += 11
    flex.tick(1)
    result, reason, _, state = outcome(sender)
    assert (result, reason, state) == ("not_opened", "device_offline", "expired")


def test_pending_device(build_server: BuildServer) -> None:
    """A device that waits for its approval does not open, and not later either."""
    server = build_server()
    server.register(DEVICE, facts={"model": "iDFlex"}, admission="pending")
    server.device_request(POLL)
    sender = server.begin(OPEN)
    server.clock.advance(10)
    result, reason, detail, state = outcome(sender)
    assert (result, reason, state) == ("not_opened", "pending", "cancelled")
    assert "waits for the approval of an operator" in detail


def test_pending_device_of_an_unknown_model(build_server: BuildServer) -> None:
    """The answer names both steps, first the approval."""
    server = build_server()
    server.register(DEVICE, admission="pending")
    detail = server.ask(OPEN).problem(409)["detail"]
    assert detail.startswith(f"{DEVICE} waits for the approval of an operator: approve it, and set its model (pushctl")
    assert "facts.model to one of" in detail


def test_device_without_proof(build_server: BuildServer) -> None:
    """Where devices must prove who they are, one that cannot has to be authenticated first."""
    server = build_server(require_proof=True)
    server.register(DEVICE, facts={"model": "iDFlex"})
    server.device_request(POLL)
    sender = server.begin(OPEN)
    server.clock.advance(10)
    _, reason, detail, _ = outcome(sender)
    assert (reason, "until it has a secret" in detail) == ("pending", True)


def test_busy_device(flex: InMemoryServer) -> None:
    """A device that works on another command does not open in time."""
    flex.put(DEVICE, {"endpoint": "own_call"})
    assert flex.device_request(POLL).answer().json == {"endpoint": "own_call"}
    sender = flex.begin(OPEN)
    flex.clock.advance(10)
    result, reason, detail, state = outcome(sender)
    assert (result, reason, state) == ("not_opened", "busy", "cancelled")
    assert "is busy with another command" in detail


def test_device_that_does_not_answer(flex: InMemoryServer) -> None:
    """A command that was sent may have opened it: the outcome is unknown, and what the device reports later counts."""
    sender = flex.begin(OPEN)
    pushed(flex)
    flex.clock.advance(10)
    answer = sender.answer()
    assert (answer.json["outcome"], answer.json["reason"], answer.json["command"]["state"]) == (
        "unknown",
        "no_answer",
        "sent",
    )
    assert "It may have opened: look." in answer.json["detail"]
    report(flex)
    assert flex.command(answer.json["command"]["id"])["state"] == "succeeded"


def test_lease_that_ends_first(flex: InMemoryServer) -> None:
    """A missing answer is unknown after ten seconds, so that an operator can decide."""
    sender = flex.begin(OPEN)
    pushed(flex)
    flex.tick(11)
    command = sender.answer().json["command"]["id"]
    assert flex.command(command)["state"] == "unknown"
    assert flex.ask(f"POST /v1/commands/{command}/resolve", {"state": "succeeded"}).code == 200


def test_unreadable_answer(flex: InMemoryServer) -> None:
    """An answer that cannot be read leaves the outcome unknown, and says why."""
    sender = flex.begin(OPEN)
    pushed(flex)
    report(flex, b"neither")
    result, reason, detail, state = outcome(sender)
    assert (result, reason, state) == ("unknown", "no_answer", "unknown")
    assert "unreadable result" in detail


def test_person_who_leaves(flex: InMemoryServer) -> None:
    """If the client disconnects, what was not sent is cancelled at once."""
    sender = flex.begin(OPEN)
    sender.hang_up()
    flex.clock.advance(0)
    assert flex.ask("GET /v1/commands").json["items"][0]["state"] == "cancelled"
    assert flex.device_request(POLL).answers() == []


def test_idempotency_key(flex: InMemoryServer) -> None:
    """A call that is repeated with its key opens nothing twice, and tells what became of the first one."""
    key = "Idempotency-Key: k"
    first = flex.begin(OPEN, {"door": 1}, key)
    pushed(flex)
    report(flex)
    again = flex.ask(OPEN, {"door": 1}, key)
    assert (again.code, again.json) == (200, first.answer().json)
    assert flex.ask(OPEN, {"trace": "x"}, key).json["type"] == "idempotency-conflict"
    assert len(flex.ask("GET /v1/commands").json["items"]) == 1
    assert flex.ask(OPEN, {}, "Idempotency-Key: ").code == 400


@pytest.mark.parametrize("facts", [{"model": None}, {"model": "iDFlex"}])
def test_repeat_after_the_model_was_changed(server: InMemoryServer, facts: Any) -> None:
    """A call that is repeated with its key tells what became of the first one, whatever the model is now."""
    server.register(DEVICE, facts={"model": "iDAccess"})
    key = "Idempotency-Key: k"
    first = server.begin(OPEN, {"door": 2}, key)
    pushed(server)
    report(server)
    server.ask(f"PATCH /v1/devices/{DEVICE}", {"facts": facts})
    assert server.ask(OPEN, {"door": 2}, key).json["command"]["id"] == first.answer().json["command"]["id"]
    assert server.ask(OPEN, {"door": 3}, key).problem(422)["type"] == "idempotency-conflict"
    assert server.ask(OPEN, {"door": 2}, "Idempotency-Key: other").code in (409, 422)
    assert len(server.ask("GET /v1/commands").json["items"]) == 1


@pytest.mark.parametrize(
    ("state", "outcome", "detail"),
    [
        ("succeeded", "opened", "Opened: an operator recorded success."),
        ("failed", "not_opened", "Not opened: an operator recorded a failure."),
    ],
)
def test_repeat_of_what_an_operator_has_resolved(flex: InMemoryServer, state: str, outcome: str, detail: str) -> None:
    """The sentence says whose word it is."""
    key = "Idempotency-Key: k"
    first = flex.begin(OPEN, None, key)
    pushed(flex)
    flex.tick(11)
    flex.ask(f"POST /v1/commands/{first.answer().json['command']['id']}/resolve", {"state": state})
    again = flex.ask(OPEN, None, key).json
    assert (again["outcome"], again["detail"]) == (outcome, detail)


def test_device_that_is_blocked(flex: InMemoryServer) -> None:
    """A device that is blocked meanwhile does not open, and the answer does not call it offline."""
    sender = flex.begin(OPEN)
    flex.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "blocked"})
    flex.tick(10)
    result, reason, detail, state = outcome(sender)
    assert (result, reason, state) == ("not_opened", "pending", "cancelled")
    assert detail.startswith("Not opened: Front door was blocked by an operator meanwhile.")


def test_device_that_is_deleted(flex: InMemoryServer) -> None:
    """A device that is deleted meanwhile does not open."""
    sender = flex.begin(OPEN)
    flex.ask(f"DELETE /v1/devices/{DEVICE}")
    result, reason, _, state = outcome(sender)
    assert (result, reason, state) == ("not_opened", "device_offline", "cancelled")


@pytest.mark.parametrize(("endpoints", "code"), [(["open"], 200), (["execute_actions"], 403), ([], 403)])
def test_token_with_endpoints(flex: InMemoryServer, endpoints: list[str], code: int) -> None:
    """A token that is limited to ``open`` may do this, and one that is limited to other endpoints may not."""
    secret = flex.make_token("lobby", Role.OPERATOR, devices=(DEVICE,), endpoints=tuple(endpoints))
    sender = flex.call(request(OPEN, b"", f"Authorization: Bearer {secret}"))
    flex.clock.advance(10)
    answer = sender.answer()
    assert answer.code == code
    assert code == 200 or answer.json["detail"].partition(" may ")[2].startswith("not open devices")
    assert len(flex.ask("GET /v1/commands").json["items"]) == (code == 200)


def test_token_follows_what_it_has_opened(flex: InMemoryServer) -> None:
    """A token that is limited to ``open`` sees the commands that it has sent, and changes none."""
    token = flex.make_token("lobby", Role.OPERATOR, devices=(DEVICE,), endpoints=("open",))
    others = [
        flex.make_token("yard", Role.OPERATOR, devices=(DEVICE,), endpoints=("open",)),
        flex.make_token("elsewhere", Role.OPERATOR, devices=("controlid:8",), endpoints=("open",)),
    ]

    def begin(line: str, secret: str = token, body: bytes = b"") -> Connection:
        return flex.call(request(line, body, f"Authorization: Bearer {secret}"))

    sender = begin(OPEN)
    pushed(flex)
    flex.clock.advance(10)
    answer = sender.answer()
    command, line = answer.json["command"]["id"], answer.headers["location"]
    assert begin(f"GET {line}").answer().json["state"] == "sent"
    assert begin(f"GET {line}/explain").answer().code == 200
    assert [each["id"] for each in begin("GET /v1/commands").answer().json["items"]] == [command]
    assert begin("GET /v1/events?type=command.queued").answer().json["items"][0]["command"] == command
    for call, body in (("cancel", b""), ("resolve", b'{"state": "failed"}'), ("resend", b"{}")):
        refused = begin(f"POST {line}/{call}", body=body).answer().problem(403)
        assert refused["detail"].startswith("lobby may only see this command")
    for other in others:
        assert begin(f"GET {line}", other).answer().code == 404
        assert begin("GET /v1/commands", other).answer().json["items"] == []
    waiting = begin(f"GET {line}?wait=9")
    report(flex)
    assert waiting.answer().json["state"] == "succeeded"


def test_token_that_is_revoked(flex: InMemoryServer) -> None:
    """If the token is revoked while its client waits, what was not sent is cancelled."""
    token = flex.ask("POST /v1/tokens", {"name": "lobby", "role": "operator"}).json
    sender = flex.call(request(OPEN, b"", f"Authorization: Bearer {token['token']}"))
    assert flex.ask(f"DELETE /v1/tokens/{token['id']}").code == 204
    flex.clock.advance(1)
    assert sender.answer().code == 401
    assert flex.ask("GET /v1/commands").json["items"][0]["state"] == "cancelled"


def test_audit(flex: InMemoryServer) -> None:
    """The audit log has who has opened what, once, and who has taken it back."""
    known = len(flex.ask("GET /v1/audit").json["items"])
    for _ in range(2):
        flex.begin(OPEN, None, "Idempotency-Key: k", role=Role.OPERATOR)
    flex.clock.advance(10)
    opened, cancelled = flex.ask("GET /v1/audit").json["items"][known:]
    command = flex.ask("GET /v1/commands").json["items"][0]["id"]
    assert (opened["by"], opened["action"], opened["object"]) == ("operator", "device.open", f"device:{DEVICE}")
    assert (opened["before"], opened["after"]) == (None, {"command": command})
    assert (cancelled["action"], cancelled["object"]) == ("command.cancel", f"command:{command}")


def test_no_query(flex: InMemoryServer) -> None:
    """It takes no parameters: the wait is always ten seconds."""
    assert flex.ask(f"{OPEN}?wait=60").code == 400
    assert json.loads(flex.ask(f"GET /v1/devices/{DEVICE}/open").body)["type"] == "method-not-allowed"
