"""What a simulated Control iD device opens: a door, an external relay box or a turnstile, depending on its model."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from pushd.dialects.controlid.models import MODELS
from pushd.simulator.controlid.query import LocalApiError

DEFAULT_MODEL = "iDAccess"

_OPEN_SECONDS = 5.0
"""How long it stays open."""

_DOORS = ("1", "2", "3", "4")
_BOX = "65793"
_DIRECTIONS = ("clockwise", "anticlockwise", "both")


@define(eq=False, kw_only=True)
class Doors:
    """The door, box or turnstile of one device; ``now`` is in seconds."""

    model: str
    now: Callable[[], float]
    openings: int = field(default=0, init=False)
    """How often it was opened."""
    _opened_at: float | None = field(default=None, init=False)

    def execute(self, actions: object) -> None:
        """Open once per action; not at all, if one of the actions is invalid.

        :raises LocalApiError: if so.
        """
        if not isinstance(actions, list) or not actions:
            raise LocalApiError("actions must be a list")
        for action in actions:
            self._check(action)
        self.openings += len(actions)
        self._opened_at = self.now()

    def state(self) -> dict[str, Any]:
        """What is open."""
        is_open = self._opened_at is not None and self.now() - self._opened_at < _OPEN_SECONDS
        if MODELS[self.model] == "sec_box":
            return {"doors": [], "sec_boxes": [{"id": int(_BOX), "open": is_open}]}
        return {"doors": [{"id": 1, "open": is_open}], "sec_boxes": []}

    def _check(self, action: object) -> None:
        name = action.get("action") if isinstance(action, dict) else None
        opens_with = MODELS[self.model]
        if not isinstance(action, dict) or name != opens_with:
            raise LocalApiError(f"invalid action {name!a}: {self.model} opens with {opens_with}")
        parameters = _parse_parameters(action.get("parameters", ""))
        if not _CHECKS[opens_with](parameters):
            raise LocalApiError(f"invalid parameters of {name}: {_EXAMPLES[opens_with]} is an example")


def parse_model(text: str) -> str:
    """A model in its usual spelling, given without regard to case, spaces and hyphens.

    :raises ValueError: if there is none.
    """
    for model in MODELS:
        if _plain(model) == _plain(text):
            return model
    raise ValueError(f"must be one of {', '.join(MODELS)}, not {text!r}")


def _plain(model: str) -> str:
    return model.casefold().replace(" ", "").replace("-", "")


def _parse_parameters(text: object) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(",")) if isinstance(text, str) else ()
    return {name.strip(): value.strip() for name, _, value in pairs}


_CHECKS: Mapping[str, Callable[[Mapping[str, str]], bool]] = {
    "door": lambda given: given.get("door") in _DOORS,
    "sec_box": lambda given: given.get("id") == _BOX,
    "catra": lambda given: given.get("allow") in _DIRECTIONS,
}
_EXAMPLES = {"door": "door=1", "sec_box": f"id={_BOX},reason=3", "catra": "allow=clockwise"}
