"""What the demo has each device do, and whether what came of it is what should have."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from attrs import frozen

from pushd.pushctl.connection import Json
from pushd.pushctl.output import field_text, parse_time

LONG_WORK = 40
"""Seconds of work that outlast a container's lease of 30 s: only its acks keep the command alive."""

_PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A photo of one pixel, in base64."""

Check = Callable[[Json], str | None]
"""What is wrong with a command that ended as it should; None if nothing is."""


def _anything(_command: Json) -> str | None:
    return None


@frozen(kw_only=True)
class Step:
    """One command of a programme, how it should end, and what its result should show."""

    title: str
    payload: Mapping[str, Any]
    expected: str = "succeeded"
    check: Check = _anything
    beside: bool = False
    """Whether it runs beside the others instead of between them."""


def judge(step: Step, command: Json) -> str | None:
    """What is wrong with how a command ended; None if it is as expected."""
    if command["state"] != step.expected:
        return f"{step.expected} was expected, not {command['state']}: {field_text(command.get('error'))}"
    return step.check(command)


def programme(dialect: str, guest: int) -> tuple[Step, ...]:
    """The steps for a device of this dialect; ``guest`` is the id of a user that no device knows yet."""
    return _controlid(guest) if dialect == "controlid" else _servereye()


def _controlid(guest: int) -> tuple[Step, ...]:
    users = {"endpoint": "load_objects", "body": {"object": "users"}}
    user = {"id": guest, "name": "Ada Guest", "registration": f"demo-{guest}", "password": "", "salt": ""}
    return (
        Step(title="load_objects", payload=users, check=_lists_users),
        Step(
            title="create_objects",
            payload={"endpoint": "create_objects", "body": {"object": "users", "values": [user]}},
        ),
        Step(title="load_objects again", payload=users, check=_shows(guest)),
        Step(title="execute_actions", payload=_call("execute_actions", actions=[_OPEN_DOOR])),
        Step(title="set_configuration", payload=_call("set_configuration", general={"beep_enabled": "1"})),
        Step(title="user_set_image", payload=_photo(guest)),
        Step(title="make_coffee", payload=_call("make_coffee", cups=1), expected="failed", check=_has_error),
        Step(title="batch of three", payload={"transactions": [users, _SETTINGS, users]}, check=_has_results(3)),
    )


def _servereye() -> tuple[Step, ...]:
    order = {"action": "echo", "service": "spooler", "arguments": ["now", 3]}
    return (
        Step(
            title=f"REMOTE_ACTION for {LONG_WORK} s",
            payload=_action({"seconds": LONG_WORK}),
            check=_outlived(LONG_WORK),
            beside=True,
        ),
        Step(title="REFRESH_AGENT", payload={"control": "REFRESH_AGENT"}),
        Step(title="REMOTE_ACTION with data", payload=_action(order), check=_echoes(order)),
        Step(
            title="REMOTE_ACTION that fails",
            payload=_action({"fail": "no such service"}),
            expected="failed",
            check=_says("no such service"),
        ),
    )


_OPEN_DOOR = {"action": "door", "parameters": "door=1"}


def _call(endpoint: str, **body: Any) -> Mapping[str, Any]:
    return {"endpoint": endpoint, "body": body}


_SETTINGS = _call("get_configuration", general=["beep_enabled"])


def _action(order: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"control": "REMOTE_ACTION", "data": order}


def _photo(user: int) -> Mapping[str, Any]:
    return {
        "endpoint": "user_set_image",
        "contentType": "application/octet-stream",
        "queryString": f"user_id={user}&match=0&timestamp={user}",
        "body": _PICTURE,
    }


def _result(command: Json) -> Mapping[str, Any]:
    result = command.get("result")
    return result if isinstance(result, dict) else {}


def _users(command: Json) -> list[Any] | None:
    """The users that a reader tells of; its response is an object, or a string that holds one."""
    response = _result(command).get("response")
    try:
        response = json.loads(response) if isinstance(response, str) else response
    except ValueError:
        return None
    users = response.get("users") if isinstance(response, dict) else None
    return users if isinstance(users, list) else None


def _lists_users(command: Json) -> str | None:
    return "no list of users came back" if _users(command) is None else None


def _shows(user: int) -> Check:
    def check(command: Json) -> str | None:
        ids = [row.get("id") for row in _users(command) or [] if isinstance(row, dict)]
        return None if user in ids else f"the user {user} is not on the device"

    return check


def _has_error(command: Json) -> str | None:
    return None if command.get("error") else "the device's error is missing"


def _has_results(count: int) -> Check:
    def check(command: Json) -> str | None:
        results = _result(command).get("transactions_results")
        found = len(results) if isinstance(results, list) else 0
        return None if found == count else f"{count} results were expected, not {found}"

    return check


def _outlived(seconds: float) -> Check:
    def check(command: Json) -> str | None:
        sent, finished = parse_time(command.get("sent_at")), parse_time(command.get("finished_at"))
        if command.get("attempts") != 1 or not command.get("acknowledged_at"):
            return "it was not one attempt that lived by its acks"
        if sent is None or finished is None or finished - sent < timedelta(seconds=seconds):
            return f"it ended before its {seconds:g} s of work were over"
        return None

    return check


def _echoes(order: Mapping[str, Any]) -> Check:
    def check(command: Json) -> str | None:
        return None if _result(command).get("data") == order else "the data came back changed"

    return check


def _says(reason: str) -> Check:
    def check(command: Json) -> str | None:
        return None if reason in str(_result(command).get("message")) else "the reason of the failure is missing"

    return check
