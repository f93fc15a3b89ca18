"""The controls of Server-Eye containers, and the check of a message against what is known of them."""

from collections.abc import Iterator
from importlib import resources

from pushd.lib import strict_json
from pushd.lib.strict_json import UnreadableBody, below
from pushd.model.catalogue import UNCHECKED, Catalogue
from pushd.model.command import Payload
from pushd.model.errors import FieldError, InvalidFields

CATALOGUE = Catalogue.parse(resources.files(__package__).joinpath("catalogue.toml").read_text("utf-8"))

_ROOT = "#/payload"
_REMOTE_ACTION = "REMOTE_ACTION"
_PARTS = 3
_PIPE = r"\u007c"


def check_parameters(payload: Payload) -> None:
    """Refuse a payload, whose form was checked, that a container is certain to reject.

    :raises InvalidFields: with all errors.
    """
    if errors := [*_errors(payload)]:
        raise InvalidFields(errors)


def _errors(payload: Payload) -> Iterator[FieldError]:
    control = CATALOGUE.endpoints.get(payload["control"])
    if control is None:
        return
    if control.name == _REMOTE_ACTION and not _is_remote_action(payload.get("message", "")):
        form = f"must be of the form a|b|{{json}} for {_REMOTE_ACTION}, with {_PIPE} for a | in the JSON object"
        yield FieldError(below(_ROOT, "message"), f"{form} {UNCHECKED}")
        return
    yield from control.problems(payload, _ROOT)


def _is_remote_action(message: str) -> bool:
    """Whether the vendor's C++ client can read the message: it splits it at each ``|`` and parses the third part."""
    parts = message.split("|")
    if len(parts) != _PARTS or not all(parts):
        return False
    try:
        return isinstance(strict_json.parse(parts[-1]), dict)
    except UnreadableBody:
        return False
