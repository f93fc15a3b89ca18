"""The commands that the demo sends to each device, and how each of them should end."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from attrs import frozen

from pushd.model.lifecycle import State
from pushd.pushctl.connection import Json
from pushd.pushctl.output import field_text, parse_time

LONG_WORK = 40
"""Seconds that one command takes: longer than a container's lease of 30 s, so only its acks renew the lease."""

_PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A picture of one pixel, in base64."""

Check = Callable[[Json], str | None]
"""What is wrong with the result of a command that ended in the expected state; None if nothing is."""


def _anything(_command: Json) -> str | None:
    return None


@frozen(kw_only=True)
class Step:
    """One command, the state in which it should end, and a check of its result."""

    title: str
    payload: Mapping[str, Any]
    expected: State = State.SUCCEEDED
    check: Check = _anything
    ttl: float | None = None
    """Seconds after which it is not sent any more; None for the default."""
    parallel: bool = False
    """Whether it runs in parallel with the other steps, instead of after the one before."""


def find_fault(step: Step, command: Json) -> str | None:
    """What is wrong with how a command ended; None if it ended as expected."""
    if command["state"] != step.expected:
        return f"expected {step.expected}, got {command['state']}: {field_text(command.get('error'))}"
    return step.check(command)


def steps_for(dialect: str, user_id: int) -> tuple[Step, ...]:
    """The steps for a device of this dialect; ``user_id`` is of a user that no device has yet."""
    return _controlid(user_id) if dialect == "controlid" else _servereye()


def _controlid(user_id: int) -> tuple[Step, ...]:
    users = {"endpoint": "load_objects", "body": {"object": "users"}}
    user = {"id": user_id, "name": "Ada Guest", "registration": f"demo-{user_id}", "password": "", "salt": ""}
    return (
        Step(title="load_objects", payload=users, check=_lists_users),
        Step(
            title="create_objects",
            payload={"endpoint": "create_objects", "body": {"object": "users", "values": [user]}},
        ),
        Step(title="load_objects again", payload=users, check=_has_user(user_id)),
        Step(title="execute_actions", payload=_call("execute_actions", actions=[_OPEN_DOOR]), ttl=10),
        Step(title="set_configuration", payload=_call("set_configuration", general={"beep_enabled": "1"})),
        Step(title="user_set_image", payload=_picture(user_id)),
        Step(title="make_coffee", payload=_call("make_coffee", cups=1), expected=State.FAILED, check=_has_error),
        Step(title="batch of three", payload={"transactions": [users, _SETTINGS, users]}, check=_has_results(3)),
    )


def _servereye() -> tuple[Step, ...]:
    data = {"action": "echo", "service": "spooler", "arguments": ["now", 3]}
    return (
        Step(
            title=f"REMOTE_ACTION for {LONG_WORK} s",
            payload=_action({"seconds": LONG_WORK}),
            check=_took(LONG_WORK),
            parallel=True,
        ),
        Step(title="REFRESH_AGENT", payload={"control": "REFRESH_AGENT"}),
        Step(title="REMOTE_ACTION with data", payload=_action(data), check=_echoes(data)),
        Step(
            title="REMOTE_ACTION that fails",
            payload=_action({"fail": "no such service"}),
            expected=State.FAILED,
            check=_has_message("no such service"),
        ),
    )


_OPEN_DOOR = {"action": "door", "parameters": "door=1"}


def _call(endpoint: str, **body: Any) -> Mapping[str, Any]:
    return {"endpoint": endpoint, "body": body}


_SETTINGS = _call("get_configuration", general=["beep_enabled"])


def _action(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"control": "REMOTE_ACTION", "message": "demo|run|{}", "data": data}


def _picture(user_id: int) -> Mapping[str, Any]:
    return {
        "endpoint": "user_set_image",
        "contentType": "application/octet-stream",
        "queryString": f"user_id={user_id}&match=0&timestamp={user_id}",
        "body": _PICTURE,
    }


def _result(command: Json) -> Mapping[str, Any]:
    result = command.get("result")
    return result if isinstance(result, dict) else {}


def _users(command: Json) -> list[Any] | None:
    """The list of users in a result, whose response is an object, or a string of JSON."""
    response = _result(command).get("response")
    try:
        response = json.loads(response) if isinstance(response, str) else response
    except ValueError:
        return None
    users = response.get("users") if isinstance(response, dict) else None
    return users if isinstance(users, list) else None


def _lists_users(command: Json) -> str | None:
    return "the result has no list of users" if _users(command) is None else None


def _has_user(user_id: int) -> Check:
    def check(command: Json) -> str | None:
        ids = [row.get("id") for row in _users(command) or [] if isinstance(row, dict)]
        return None if user_id in ids else f"the user {user_id} is not on the device"

    return check


def _has_error(command: Json) -> str | None:
    return None if command.get("error") else "the error is missing"


def _has_results(count: int) -> Check:
    def check(command: Json) -> str | None:
        results = _result(command).get("transactions_results")
        found = len(results) if isinstance(results, list) else 0
        return None if found == count else f"expected {count} results, got {found}"

    return check


def _took(seconds: float) -> Check:
    def check(command: Json) -> str | None:
        sent, finished = parse_time(command.get("sent_at")), parse_time(command.get("finished_at"))
        if command.get("attempts") != 1 or not command.get("acknowledged_at"):
            return "it was not one attempt whose lease was renewed by acks"
        if sent is None or finished is None or finished - sent < timedelta(seconds=seconds):
            return f"it ended in less than {seconds:g} s"
        return None

    return check


def _echoes(data: Mapping[str, Any]) -> Check:
    def check(command: Json) -> str | None:
        return None if _result(command).get("data") == data else "the data was changed"

    return check


def _has_message(reason: str) -> Check:
    def check(command: Json) -> str | None:
        return None if reason in str(_result(command).get("message")) else "the message of the failure is missing"

    return check
