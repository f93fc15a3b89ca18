"""What a simulated Server-Eye container can do: the work behind the words that it is sent."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from attrs import define, field, frozen

from pushd.lib import strict_json
from pushd.lib.strict_json import UnreadableBody

_LONGEST = 3600.0
"""Seconds of work that a remote action may ask for."""


@frozen(kw_only=True)
class Outcome:
    """What the container will report, and after how many seconds of work; None for as long as it takes over
    anything.
    """

    success: bool = True
    message: str = ""
    data: object = None
    seconds: float | None = None


@define(eq=False)
class Agent:
    """One container's agents, and its answers to the words that it knows."""

    agents: set[str] = field(factory=set, init=False)

    def perform(self, control: str, data: str) -> Outcome | None:
        """What becomes of a message; None if the container does not know the word."""
        run = _CONTROLS.get(control)
        return None if run is None else run(self, data)

    def refresh(self, data: str) -> Outcome:  # noqa: ARG002
        """Look after the agents; this always works."""
        return Outcome(message="refreshed", data={"agents": sorted(self.agents)})

    def add_or_update(self, data: str) -> Outcome:
        """Take in the agent that ``data`` names."""
        if not data:
            return _failure("no agent is named")
        message = "updated" if data in self.agents else "added"
        self.agents.add(data)
        return Outcome(message=message)

    def delete(self, data: str) -> Outcome:
        """Let go of the agent that ``data`` names."""
        if data not in self.agents:
            return _failure("there is no such agent")
        self.agents.remove(data)
        return Outcome(message="deleted")

    def act(self, data: str) -> Outcome:
        """Do what ``data`` says in JSON.

        ``{"action": "echo", ...}`` says all of it back, ``{"seconds": 40}`` takes that long, ``{"fail": "reason"}``
        fails; they may be put together.
        """
        try:
            order = strict_json.parse(data)
        except UnreadableBody:
            return _failure("the data is not JSON")
        if not isinstance(order, dict):
            return _failure("the data is not an object")
        return _act(order)


_CONTROLS: Mapping[str, Callable[[Agent, str], Outcome]] = {
    "REFRESH_AGENT": Agent.refresh,
    "ADD_OR_UPDATE_AGENT": Agent.add_or_update,
    "DELETE_AGENT": Agent.delete,
    "REMOTE_ACTION": Agent.act,
}


def _act(order: Mapping[str, Any]) -> Outcome:
    action, seconds = order.get("action", "wait"), order.get("seconds")
    if action not in ("echo", "wait"):
        return _failure("there is no such action")
    if seconds is not None and not _is_duration(seconds):
        return _failure(f"the seconds must be a number from 0 to {_LONGEST:g}")
    if not isinstance(order.get("fail", ""), str):
        return _failure("the reason to fail must be text")
    if "fail" in order:
        return Outcome(success=False, message=order["fail"], seconds=seconds)
    return Outcome(message="done", data=order if action == "echo" else None, seconds=seconds)


def _is_duration(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and 0 <= value <= _LONGEST
    )


def _failure(reason: str) -> Outcome:
    return Outcome(success=False, message=reason)
