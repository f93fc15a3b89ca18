"""The JSON of the admin API, made from values."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from attrs import asdict, fields

from pushd.admin.query_params import to_cursor
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.polling.poll_registry import PollRegistry
from pushd.lib import strict_json
from pushd.model.alert import Alert
from pushd.model.command import Command, LargePayload
from pushd.model.device import Device, Orphan, QueueDepth
from pushd.model.epochs import Epochs
from pushd.model.event import Event, to_json
from pushd.model.large_text import LargeText
from pushd.model.timestamps import to_rfc3339
from pushd.model.webhook import LoggedAttempt, Webhook
from pushd.store.filters import EventPage

_TIMESTAMPS = (
    "not_before created_at expires_at sent_at acknowledged_at finished_at muted_until last_seen_at at raised_at"
    " cleared_at mailed_at disabled_at failing_since next_attempt_at"
).split()

_LARGE = ("payload", "result")
"""Fields of a command that lists leave out."""


def _to_dict(value: Any, *without: str) -> dict[str, Any]:
    """The fields of a value, its timestamps in RFC 3339."""
    names, get_values, timestamps = _fields(type(value), without)  # type: ignore[arg-type]  # a class can be hashed
    view = dict(zip(names, get_values(value), strict=True))
    for name in timestamps:
        if view[name] is not None:
            view[name] = to_rfc3339(view[name])
    return view


@cache
def _fields(kind: type, without: tuple[str, ...]) -> tuple[Sequence[str], Callable[[Any], tuple[Any, ...]], list[str]]:
    """Of a class: the names of its fields, a function that gets their values, and which of them are timestamps."""
    names = [field.name for field in fields(kind) if field.name not in without]
    return names, attrgetter(*names), [name for name in names if name in _TIMESTAMPS]


def command(found: Command) -> bytes:
    """A command; its result is the text that the device posted, unchanged, and so is a large payload."""
    if isinstance(found.payload, LargePayload) or isinstance(found.result, LargeText):
        return _large_command(found)
    text = strict_json.write(_to_dict(found, "result"))
    return f'{text[:-1]},"result":{found.result or "null"}}}'.encode()


def _large_command(found: Command) -> bytes:
    """A command with a large payload or result, which is not read."""
    payload, result = found.payload, found.result or "null"
    return b'%b,"payload":%b,"result":%b}' % (
        strict_json.write(_to_dict(found, "payload", "result"))[:-1].encode(),
        payload.text.data if isinstance(payload, LargePayload) else json(payload),
        result.data if isinstance(result, LargeText) else result.encode(),
    )


def commands(found: Sequence[Command], limit: int) -> bytes:
    """A list of commands, without their large fields."""
    return _list([_to_dict(item, *_LARGE) for item in found], found[-1].id if len(found) == limit else None)


def device(found: Device, depth: QueueDepth, registry: DeviceRegistry, poll_registry: PollRegistry) -> dict[str, Any]:
    """A device, with its live state and its number of commands."""
    view = _to_dict(registry.merge_live_state(found))
    proof = sorted(registry.required_credentials.get(found.id, ())) + (["allow_from"] if found.allow_from else [])
    return view | asdict(depth) | {"polling": poll_registry.is_polling(found.id), "proof": proof}


def devices(found: Sequence[dict[str, Any]], limit: int) -> bytes:
    """A list of devices."""
    return _list(found, found[-1]["id"] if len(found) == limit else None)


def orphans(found: Sequence[Orphan], limit: int) -> bytes:
    """A list of orphan results; ``raw`` is base64."""
    items = [_to_dict(item, "raw") | {"raw": b64encode(item.raw).decode("ascii")} for item in found]
    return _list(items, str(found[-1].id) if len(found) == limit else None)


def events(page: EventPage, epochs: Epochs) -> bytes:
    """A page of events; ``next`` is never null."""
    return json({"items": [event(item) for item in page.items], "next": epochs.event_id(page.next)})


INTERNAL = ("raised_elapsed", "epoch")
"""Fields that the API does not show."""


def alert(found: Alert) -> dict[str, Any]:
    """The JSON of one alert, with its public id."""
    return _to_dict(found, *INTERNAL) | {"id": found.public_id}


def alerts(found: Sequence[Alert], limit: int) -> bytes:
    """A list of alerts."""
    return _list([alert(item) for item in found], str(found[-1].id) if len(found) == limit else None)


def event(found: Event) -> dict[str, Any]:
    """An event; its ``seq`` is opaque to clients."""
    return to_json(found)


def webhook(found: Webhook, epochs: Epochs) -> dict[str, Any]:
    """A webhook; its ``cursor`` is the ``seq`` of an event, and opaque to clients."""
    return _to_dict(found) | {"cursor": epochs.event_id(found.cursor)}


def webhooks(found: Sequence[Webhook], epochs: Epochs, limit: int) -> bytes:
    """A list of webhooks."""
    return _list([webhook(item, epochs) for item in found], found[-1].id if len(found) == limit else None)


def deliveries(found: Sequence[LoggedAttempt], epochs: Epochs, limit: int) -> bytes:
    """A list of delivery attempts; their ``duration`` is in seconds."""
    attempts = [item.attempt for item in found]
    items = [
        _to_dict(item) | {"seq": epochs.event_id(item.seq), "duration": item.duration / 1000} for item in attempts
    ]
    return _list(items, str(found[-1].id) if len(found) == limit else None)


def json(value: object) -> bytes:
    """Any value that JSON has."""
    return strict_json.write(value).encode()


def _list(items: Sequence[dict[str, Any]], last: str | None) -> bytes:
    return json({"items": items, "next": None if last is None else to_cursor(last)})
