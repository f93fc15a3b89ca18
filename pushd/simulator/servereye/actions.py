"""The actions of a simulated Server-Eye container: what it does for each ``control`` of a message."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from attrs import define, field, frozen

from pushd.lib import strict_json
from pushd.lib.strict_json import UnreadableBody

_MAX_SECONDS = 3600.0
"""Longest duration that a remote action may ask for."""


@frozen(kw_only=True)
class ActionResult:
    """The result that the container will report."""

    success: bool = True
    message: str = ""
    data: object = None
    seconds: float | None = None
    """How long the action takes; None for the container's usual duration."""


@define(eq=False)
class ContainerActions:
    """The agents of one container, and the actions that it can perform."""

    agents: set[str] = field(factory=set, init=False)

    def perform(self, control: str, data: str, message: str = "") -> ActionResult | None:
        """The result of a message; None if the container does not know the control.

        Without ``data``, the action is in the third part of ``message``, as the vendor's clients expect it.
        """
        action = _ACTIONS.get(control)
        if control == "REMOTE_ACTION" and not data:
            data = "".join(message.split("|")[2:3])
        return None if action is None else action(self, data)

    def refresh_agent(self, data: str) -> ActionResult:  # noqa: ARG002
        """List the agents; this always succeeds."""
        return ActionResult(message="refreshed", data={"agents": sorted(self.agents)})

    def add_or_update_agent(self, data: str) -> ActionResult:
        """Add the agent whose name is ``data``."""
        if not data:
            return _failure("the name of the agent is missing")
        message = "updated" if data in self.agents else "added"
        self.agents.add(data)
        return ActionResult(message=message)

    def delete_agent(self, data: str) -> ActionResult:
        """Delete the agent whose name is ``data``."""
        if data not in self.agents:
            return _failure("unknown agent")
        self.agents.remove(data)
        return ActionResult(message="deleted")

    def remote_action(self, data: str) -> ActionResult:
        """Perform the action that ``data`` describes in JSON.

        ``{"action": "echo", ...}`` returns the object, ``{"seconds": 40}`` takes that long, ``{"fail": "reason"}``
        fails; they can be combined.
        """
        try:
            order = strict_json.parse(data)
        except UnreadableBody:
            return _failure("the data is not JSON")
        if not isinstance(order, dict):
            return _failure("the data must be an object")
        return _remote_action(order)


_ACTIONS: Mapping[str, Callable[[ContainerActions, str], ActionResult]] = {
    "REFRESH_AGENT": ContainerActions.refresh_agent,
    "ADD_OR_UPDATE_AGENT": ContainerActions.add_or_update_agent,
    "DELETE_AGENT": ContainerActions.delete_agent,
    "REMOTE_ACTION": ContainerActions.remote_action,
}


def _remote_action(order: Mapping[str, Any]) -> ActionResult:
    action, seconds = order.get("action", "wait"), order.get("seconds")
    if action not in ("echo", "wait"):
        return _failure("the action must be echo or wait")
    if seconds is not None and not _is_duration(seconds):
        return _failure(f"seconds must be a number from 0 to {_MAX_SECONDS:g}")
    if not isinstance(order.get("fail", ""), str):
        return _failure("fail must be text")
    if "fail" in order:
        return ActionResult(success=False, message=order["fail"], seconds=seconds)
    return ActionResult(message="done", data=order if action == "echo" else None, seconds=seconds)


def _is_duration(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and isfinite(value)
        and 0 <= value <= _MAX_SECONDS
    )


def _failure(reason: str) -> ActionResult:
    return ActionResult(success=False, message=reason)
