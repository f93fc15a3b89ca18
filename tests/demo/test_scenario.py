"""Tests of what the demo takes for a good outcome."""

import json
from typing import Any

import pytest

from pushd.demo.scenario import Step, judge, programme

GUEST = 1700000000


def _step(dialect: str, title: str) -> Step:
    (step,) = [step for step in programme(dialect, GUEST) if step.title == title]
    return step


def _ended(state: str = "succeeded", result: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": "c", "state": state, "result": result, "error": None, "attempts": 1, **more}


@pytest.mark.parametrize("state", ["failed", "unknown", "expired", "cancelled", "sent", "queued"])
def test_wrong_end_is_a_fault(state: str) -> None:
    """A command that ends otherwise than it should, or does not end, is a fault that names both states."""
    fault = judge(_step("servereye", "REFRESH_AGENT"), _ended(state, error="gone"))
    assert fault == f"succeeded was expected, not {state}: gone"


def test_failure_on_purpose_is_no_fault() -> None:
    """A command that is there to fail is as it should be when it fails, and a fault when it does not."""
    step = _step("controlid", "make_coffee")
    assert judge(step, _ended("failed", error="unknown endpoint")) is None
    assert judge(step, _ended("failed")) == "the device's error is missing"
    assert judge(step, _ended("succeeded")) is not None


@pytest.mark.parametrize("as_text", [False, True])
def test_created_user_must_show(as_text: bool) -> None:
    """After its creation the user must be on the device, whether its response is an object or a string."""
    step = _step("controlid", "load_objects again")

    def ended(*ids: int) -> dict[str, Any]:
        users = {"users": [{"id": number, "name": "x"} for number in ids]}
        return _ended(result={"response": json.dumps(users) if as_text else users})

    assert judge(step, ended(1, GUEST)) is None
    assert judge(step, ended(1, 2)) == f"the user {GUEST} is not on the device"


@pytest.mark.parametrize("result", [None, {}, {"response": ""}, {"response": "{"}, {"response": {"users": None}}])
def test_list_of_users_must_be_one(result: object) -> None:
    """What is no list of users is a fault, whatever it is instead."""
    assert judge(_step("controlid", "load_objects"), _ended(result=result)) == "no list of users came back"


def test_batch_has_three_results() -> None:
    """A batch of three must come back with three results."""
    step = _step("controlid", "batch of three")
    assert judge(step, _ended(result={"transactions_results": [{}, {}, {}]})) is None
    assert judge(step, _ended(result={"transactions_results": [{}]})) == "3 results were expected, not 1"
    assert judge(step, _ended()) == "3 results were expected, not 0"


def test_long_work_must_have_lived_by_its_acks() -> None:
    """Work of 40 s must have been one attempt, acknowledged, and as long as it was said to be."""
    step = _step("servereye", "REMOTE_ACTION for 40 s")
    lived = _ended(
        sent_at="2026-01-02T03:04:00.000Z",
        acknowledged_at="2026-01-02T03:04:30.000Z",
        finished_at="2026-01-02T03:04:40.010Z",
    )
    assert judge(step, lived) is None
    assert judge(step, {**lived, "finished_at": "2026-01-02T03:04:20.000Z"}) is not None
    assert judge(step, {**lived, "attempts": 2}) is not None
    assert judge(step, {**lived, "acknowledged_at": None}) is not None


def test_data_must_come_back_unchanged() -> None:
    """Structured data must arrive at the container as it was sent."""
    step = _step("servereye", "REMOTE_ACTION with data")
    assert judge(step, _ended(result={"success": True, "data": step.payload["data"]})) is None
    assert judge(step, _ended(result={"success": True, "data": "3"})) == "the data came back changed"


def test_reason_of_a_failure_must_come_back() -> None:
    """A container that fails must say why."""
    step = _step("servereye", "REMOTE_ACTION that fails")
    assert judge(step, _ended("failed", {"success": False, "message": "no such service"})) is None
    assert judge(step, _ended("failed", {"success": False})) == "the reason of the failure is missing"


def test_programme_of_a_reader() -> None:
    """A reader is asked, given a user, asked again, opened, set up, shown a face, made to fail, and given a batch."""
    steps = programme("controlid", GUEST)
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
    assert [step.expected for step in steps].count("failed") == 1
    assert not any(step.beside for step in steps)


def test_programme_of_a_container() -> None:
    """A container works long on one message while it does the others."""
    steps = programme("servereye", GUEST)
    assert [step.payload["control"] for step in steps if not step.beside] == ["REFRESH_AGENT"] + ["REMOTE_ACTION"] * 2
    assert [step.title for step in steps if step.beside] == ["REMOTE_ACTION for 40 s"]
