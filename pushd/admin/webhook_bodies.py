"""Forms about webhooks."""

import re
from collections.abc import Mapping
from typing import Any

from pushd.admin.request_bodies import Url, structure
from pushd.model.errors import FieldError, InvalidFields
from pushd.model.event import EventType
from pushd.model.webhook import MAX_PARALLEL, Webhook

_DEFAULTS = Webhook(id="", url="", created_at=0)

_WEBHOOK: Mapping[str, Any] = {
    "url": Url,
    "types": tuple[EventType, ...],
    "tags": tuple[str, ...],
    "parallel": int,
}
_REDELIVERY = {"after": str}
_SEQ = re.compile(r"[0-9]{1,18}")


def read_subscription(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a new webhook.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    if body.get("url") is None:
        raise InvalidFields([FieldError("#/url", "A URL is needed: where messages are sent.")])
    return _read({name: value for name, value in body.items() if value is not None})


def read_changes(body: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) of a webhook: null puts a field back to its default.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    if "url" in body and body["url"] is None:
        raise InvalidFields([FieldError("#/url", "A URL is needed; DELETE ends the webhook.")])
    plain = {name: getattr(_DEFAULTS, name, None) if value is None else value for name, value in body.items()}
    return _read({name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()})


def read_redelivery(body: Mapping[str, Any]) -> int | None:
    """The event after which to begin again, or None for where it stopped.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    after = structure({name: value for name, value in body.items() if value is not None}, _REDELIVERY).get("after")
    if after is None:
        return None
    if not _SEQ.fullmatch(after):
        raise InvalidFields([FieldError("#/after", "The seq of an event is wanted, as the feed shows it.")])
    return int(after)


def _read(given: Mapping[str, Any]) -> dict[str, Any]:
    fields = structure(given, _WEBHOOK)
    if not 1 <= fields.get("parallel", 1) <= MAX_PARALLEL:
        raise InvalidFields([FieldError("#/parallel", f"1 to {MAX_PARALLEL} deliveries at once are wanted.")])
    return fields
