"""Tests of the commands of the demo and the checks of their outcomes."""

import json
from typing import Any

import pytest

from pushd.demo.scenario import Step, find_fault, steps_for
from pushd.model.lifecycle import State

USER_ID = 1700000000


def _step(dialect: str, title: str) -> Step:
    (step,) = [step for step in steps_for(dialect, USER_ID) if step.title == title]
    return step


def _ended(state: str = "succeeded", result: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": "c", "state": state, "result": result, "error": None, "attempts": 1, **more}


@pytest.mark.parametrize("state", ["failed", "unknown", "expired", "cancelled", "sent", "queued"])
def test_unexpected_state_is_a_fault(state: str) -> None:
    """If a command is in another state than expected, the fault names both states and the error."""
    fault = find_fault(_step("servereye", "REFRESH_AGENT"), _ended(state, error="gone"))
    assert fault == f"expected succeeded, got {state}: gone"


def test_expected_failure_is_no_fault() -> None:
    """A command that should fail must fail, with an error."""
    step = _step("controlid", "make_coffee")
    assert find_fault(step, _ended("failed", error="unknown endpoint")) is None
    assert find_fault(step, _ended("failed")) == "the error is missing"
    assert find_fault(step, _ended("succeeded")) is not None


@pytest.mark.parametrize("as_text", [False, True])
def test_created_user_must_be_listed(as_text: bool) -> None:
    """The created user must be in the list, whether the response is an object or a string of JSON."""
    step = _step("controlid", "load_objects again")

    def ended(*ids: int) -> dict[str, Any]:
        users = {"users": [{"id": number, "name": "x"} for number in ids]}
        return _ended(result={"response": json.dumps(users) if as_text else users})

    assert find_fault(step, ended(1, USER_ID)) is None
    assert find_fault(step, ended(1, 2)) == f"the user {USER_ID} is not on the device"


@pytest.mark.parametrize("result", [None, {}, {"response": ""}, {"response": "{"}, {"response": {"users": None}}])
def test_list_of_users_is_required(result: object) -> None:
    """A result without a list of users is a fault."""
    assert find_fault(_step("controlid", "load_objects"), _ended(result=result)) == "the result has no list of users"


def test_batch_has_three_results() -> None:
    """A batch of three commands must have three results."""
    step = _step("controlid", "batch of three")
    assert find_fault(step, _ended(result={"transactions_results": [{}, {}, {}]})) is None
    assert find_fault(step, _ended(result={"transactions_results": [{}]})) == "expected 3 results, got 1"
    assert find_fault(step, _ended()) == "expected 3 results, got 0"


def test_long_command_must_be_acknowledged() -> None:
    """The command of 40 s must be one attempt, acknowledged, that takes 40 s."""
    step = _step("servereye", "REMOTE_ACTION for 40 s")
    long = _ended(
        sent_at="2026-01-02T03:04:00.000Z",
        acknowledged_at="2026-01-02T03:04:30.000Z",
        finished_at="2026-01-02T03:04:40.010Z",
    )
    assert find_fault(step, long) is None
    assert find_fault(step, {**long, "finished_at": "2026-01-02T03:04:20.000Z"}) is not None
    assert find_fault(step, {**long, "attempts": 2}) is not None
    assert find_fault(step, {**long, "acknowledged_at": None}) is not None


def test_data_must_be_unchanged() -> None:
    """The data in the result must be the data that was sent."""
    step = _step("servereye", "REMOTE_ACTION with data")
    assert find_fault(step, _ended(result={"success": True, "data": step.payload["data"]})) is None
    assert find_fault(step, _ended(result={"success": True, "data": "3"})) == "the data was changed"


def test_failure_must_have_a_message() -> None:
    """A failed REMOTE_ACTION must have the message of the failure."""
    step = _step("servereye", "REMOTE_ACTION that fails")
    assert find_fault(step, _ended("failed", {"success": False, "message": "no such service"})) is None
    assert find_fault(step, _ended("failed", {"success": False})) == "the message of the failure is missing"


def test_steps_for_controlid() -> None:
    """A Control iD device gets eight commands in sequence, one of which fails."""
    steps = steps_for("controlid", USER_ID)
    endpoints = [step.payload.get("endpoint", "batch") for step in steps]
    assert endpoints == [
        "load_objects",
        "create_objects",
        "load_objects",
        "execute_actions",
        "set_configuration",
        "user_set_image",
        "make_coffee",
        "batch",
    ]
    assert [step.expected for step in steps].count(State.FAILED) == 1
    assert not any(step.parallel for step in steps)


def test_steps_for_servereye() -> None:
    """A Server-Eye container gets one long command in parallel with three short ones."""
    steps = steps_for("servereye", USER_ID)
    assert [step.payload["control"] for step in steps if not step.parallel] == ["REFRESH_AGENT"] + [
        "REMOTE_ACTION"
    ] * 2
    assert [step.title for step in steps if step.parallel] == ["REMOTE_ACTION for 40 s"]
