"""The actions of a simulated Server-Eye container."""

import pytest

from pushd.simulator.servereye.actions import ActionResult, ContainerActions


def perform(actions: ContainerActions, control: str, data: str = "") -> ActionResult:
    """The result of a message with a control that the container knows."""
    result = actions.perform(control, data)
    assert result is not None
    return result


def test_agents() -> None:
    """Agents are added, updated and deleted by name, and a refresh lists them."""
    actions = ContainerActions()
    assert perform(actions, "ADD_OR_UPDATE_AGENT", "a7") == ActionResult(message="added")
    assert perform(actions, "ADD_OR_UPDATE_AGENT", "a7") == ActionResult(message="updated")
    assert perform(actions, "REFRESH_AGENT") == ActionResult(message="refreshed", data={"agents": ["a7"]})
    assert perform(actions, "DELETE_AGENT", "a7") == ActionResult(message="deleted")
    assert perform(actions, "REFRESH_AGENT") == ActionResult(message="refreshed", data={"agents": []})


@pytest.mark.parametrize(("control", "data"), [("ADD_OR_UPDATE_AGENT", ""), ("DELETE_AGENT", "a8")])
def test_unknown_agent(control: str, data: str) -> None:
    """An agent without a name cannot be added, and an unknown agent cannot be deleted."""
    assert not perform(ContainerActions(), control, data).success


def test_echo() -> None:
    """An echo returns all of the data."""
    result = perform(ContainerActions(), "REMOTE_ACTION", '{"action":"echo","n":[1,2]}')
    assert result == ActionResult(message="done", data={"action": "echo", "n": [1, 2]})


def test_action_in_the_message() -> None:
    """Without data, the action is the third part of the message, which is where the vendor's clients expect it."""
    message = 'demo|run|{"action":"echo","n":7}'
    result = ContainerActions().perform("REMOTE_ACTION", "", message)
    assert result == ActionResult(message="done", data={"action": "echo", "n": 7})
    assert ContainerActions().perform("REMOTE_ACTION", "{}", message) == ActionResult(message="done")


@pytest.mark.parametrize("message", ["", "message", "a|b", "a|b|", "a|b|c"])
def test_message_without_an_action(message: str) -> None:
    """An action fails if neither data nor message have one."""
    result = ContainerActions().perform("REMOTE_ACTION", "", message)
    assert result is not None
    assert result.success is False


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("40", 40), ("0.5", 0.5), ("3600", 3600)])
def test_seconds(text: str, seconds: float) -> None:
    """An action takes as many seconds as its data says."""
    assert perform(ContainerActions(), "REMOTE_ACTION", f'{{"seconds":{text}}}') == ActionResult(
        message="done", seconds=seconds
    )


def test_fail() -> None:
    """An action fails if its data says so, with the given reason and after the given time."""
    result = perform(ContainerActions(), "REMOTE_ACTION", '{"fail":"disk full","seconds":3}')
    assert result == ActionResult(success=False, message="disk full", seconds=3)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "no JSON",
        "[]",
        '{"action":"dance"}',
        '{"action":["echo"]}',
        '{"fail":{"why":1}}',
        '{"seconds":-1}',
        '{"seconds":true}',
        '{"seconds":"4"}',
        '{"seconds":1e99}',
        '{"seconds":NaN}',
        "[" * 100_000,
    ],
)
def test_bad_action(data: str) -> None:
    """An invalid action fails."""
    result = perform(ContainerActions(), "REMOTE_ACTION", data)
    assert (result.success, result.seconds) == (False, None)
    assert result.message


@pytest.mark.parametrize("control", ["", "refresh_agent", "MAKE_COFFEE"])
def test_unknown_control(control: str) -> None:
    """An unknown control has no result, not a failure."""
    assert ContainerActions().perform(control, "") is None
