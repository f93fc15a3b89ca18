"""What a simulated Server-Eye container makes of the words that it is sent."""

import pytest

from pushd.simulator.servereye.actions import Agent, Outcome


def perform(agent: Agent, control: str, data: str = "") -> Outcome:
    """What becomes of a message with a word that the container knows."""
    outcome = agent.perform(control, data)
    assert outcome is not None
    return outcome


def test_agents() -> None:
    """Agents are added, updated and deleted by name, and refreshing lists them."""
    agent = Agent()
    assert perform(agent, "ADD_OR_UPDATE_AGENT", "a7") == Outcome(message="added")
    assert perform(agent, "ADD_OR_UPDATE_AGENT", "a7") == Outcome(message="updated")
    assert perform(agent, "REFRESH_AGENT") == Outcome(message="refreshed", data={"agents": ["a7"]})
    assert perform(agent, "DELETE_AGENT", "a7") == Outcome(message="deleted")
    assert perform(agent, "REFRESH_AGENT") == Outcome(message="refreshed", data={"agents": []})


@pytest.mark.parametrize(("control", "data"), [("ADD_OR_UPDATE_AGENT", ""), ("DELETE_AGENT", "a8")])
def test_no_such_agent(control: str, data: str) -> None:
    """An agent without a name cannot be added, nor one that is not there be deleted."""
    assert not perform(Agent(), control, data).success


def test_echo() -> None:
    """An echo says all of the data back."""
    outcome = perform(Agent(), "REMOTE_ACTION", '{"action":"echo","n":[1,2]}')
    assert outcome == Outcome(message="done", data={"action": "echo", "n": [1, 2]})


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("40", 40), ("0.5", 0.5), ("3600", 3600)])
def test_seconds(text: str, seconds: float) -> None:
    """Work takes as many seconds as it is told to."""
    assert perform(Agent(), "REMOTE_ACTION", f'{{"seconds":{text}}}') == Outcome(message="done", seconds=seconds)


def test_fail() -> None:
    """Work fails when it is told to, for the reason that is given, and in its own time."""
    outcome = perform(Agent(), "REMOTE_ACTION", '{"fail":"disk full","seconds":3}')
    assert outcome == Outcome(success=False, message="disk full", seconds=3)


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
    """An action that cannot be understood fails."""
    outcome = perform(Agent(), "REMOTE_ACTION", data)
    assert (outcome.success, outcome.seconds) == (False, None)
    assert outcome.message


@pytest.mark.parametrize("control", ["", "refresh_agent", "MAKE_COFFEE"])
def test_unknown_control(control: str) -> None:
    """A word that the container does not know comes to nothing, not to a failure."""
    assert Agent().perform(control, "") is None
