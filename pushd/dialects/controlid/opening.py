"""Which command opens the door, the external relay box or the turnstile of a Control iD device."""

from collections.abc import Callable, Mapping

from attrs import frozen

from pushd.dialects.controlid.models import MODELS
from pushd.model.command import Payload
from pushd.model.errors import FieldError, InvalidFields, ModelUnknown
from pushd.model.facts import OPENS_WITH, Facts, model_key
from pushd.model.opening import MAX_DOOR, Direction, OpenRequest


@frozen
class _Action:
    """An action that opens, and what a request for it may say."""

    parameters: Callable[[OpenRequest], str]
    doors: int
    turns: bool = False
    """Whether it has a direction."""


_ACTIONS: Mapping[str, _Action] = {
    "door": _Action(lambda request: f"door={request.door or 1}", doors=MAX_DOOR),
    "sec_box": _Action(lambda _request: "id=65793,reason=3", doors=1),
    "catra": _Action(lambda request: f"allow={request.direction or Direction.CLOCKWISE}", doors=0, turns=True),
}


def opening(facts: Facts, request: OpenRequest) -> Payload:
    """The command that opens a device of which these facts are known.

    :raises ModelUnknown: if they do not tell how it opens.
    :raises InvalidFields: if the request names what the device does not have.
    """
    name = facts.get("opens_with") or _NAMES.get(model_key(str(facts.get("model", ""))))
    if name is None:
        raise ModelUnknown(
            f"It is not known how this device opens: set its facts.model to one of {', '.join(MODELS)},"
            f" or facts.opens_with to one of {', '.join(OPENS_WITH)} (pushctl devices set DEVICE --model MODEL)."
        )
    action = _ACTIONS[str(name)]
    _check(action, request)
    actions = [{"action": name, "parameters": action.parameters(request)}]
    return {"endpoint": "execute_actions", "body": {"actions": actions}}


def _check(action: _Action, request: OpenRequest) -> None:
    """Refuse what a device would not regard: another door than the one that was meant would open."""
    errors = []
    if request.door is not None and request.door > action.doors:
        has = "one door" if action.doors else "no doors, it is a turnstile"
        errors.append(FieldError("#/door", f"this model has {has}: leave door out"))
    if request.direction is not None and not action.turns:
        errors.append(FieldError("#/direction", "this model has no direction: leave it out"))
    if errors:
        raise InvalidFields(errors)


_NAMES = {model_key(model): name for model, name in MODELS.items()}
