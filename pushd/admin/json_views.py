"""Views: values as the JSON that the admin API shows."""

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
from pushd.model.command import Command
from pushd.model.device import Device, Orphan, QueueDepth
from pushd.model.event import Event, to_json
from pushd.model.timestamps import to_rfc3339
from pushd.model.webhook import Delivery, Webhook
from pushd.store.filters import EventPage

_MOMENTS = (
    "not_before created_at expires_at sent_at acknowledged_at finished_at muted_until last_seen_at at raised_at"
    " cleared_at mailed_at disabled_at failing_since next_attempt_at"
).split()

_LARGE = ("payload", "result")


def _told(value: Any, *without: str) -> dict[str, Any]:
    """A value's fields, moments in RFC 3339."""
    names, values, moments = _shown(type(value), without)  # type: ignore[arg-type]  # a class can be hashed
    told = dict(zip(names, values(value), strict=True))
    for name in moments:
        if told[name] is not None:
            told[name] = to_rfc3339(told[name])
    return told


@cache
def _shown(kind: type, without: tuple[str, ...]) -> tuple[Sequence[str], Callable[[Any], tuple[Any, ...]], list[str]]:
    """The names of a kind's fields, what reads their values, and which of them are moments."""
    names = [field.name for field in fields(kind) if field.name not in without]
    return names, attrgetter(*names), [name for name in names if name in _MOMENTS]


def command(found: Command) -> bytes:
    """A command, whole; its result is the text that the device posted, to the letter."""
    text = strict_json.write(_told(found, "result"))
    return f'{text[:-1]},"result":{found.result or "null"}}}'.encode()


def commands(found: Sequence[Command], limit: int) -> bytes:
    """A list of commands, without what may be large."""
    return _list([_told(one, *_LARGE) for one in found], found[-1].id if len(found) == limit else None)


def device(found: Device, load: QueueDepth, registry: DeviceRegistry, poll_registry: PollRegistry) -> dict[str, Any]:
    """A device, with what memory knows of it."""
    seen = _told(registry.presence.merge_live_state(found))
    proof = sorted(registry.required_credentials(found.id)) + (["allow_from"] if found.allow_from else [])
    return seen | asdict(load) | {"polling": poll_registry.is_polling(found.id), "proof": proof}


def devices(found: Sequence[dict[str, Any]], limit: int) -> bytes:
    """A list of devices."""
    return _list(found, found[-1]["id"] if len(found) == limit else None)


def orphans(found: Sequence[Orphan], limit: int) -> bytes:
    """A list of orphan results; ``raw`` is base64."""
    items = [_told(one, "raw") | {"raw": b64encode(one.raw).decode("ascii")} for one in found]
    return _list(items, str(found[-1].id) if len(found) == limit else None)


def events(page: EventPage) -> bytes:
    """A piece of the feed; ``next`` is never null."""
    return json({"items": [event(one) for one in page.items], "next": str(page.next)})


def alert(found: Alert) -> dict[str, Any]:
    """An alert, with how long it lasted, in seconds."""
    duration = None if found.cleared_at is None else (found.cleared_at - found.raised_at) / 1000
    return _told(found) | {"id": str(found.id), "duration": duration}


def alerts(found: Sequence[Alert], limit: int) -> bytes:
    """A list of alerts."""
    return _list([alert(one) for one in found], str(found[-1].id) if len(found) == limit else None)


def event(found: Event) -> dict[str, Any]:
    """An entry of the feed; its ``seq`` is opaque."""
    return to_json(found)


def webhook(found: Webhook) -> dict[str, Any]:
    """A webhook; its ``cursor`` is the ``seq`` of an event, and as opaque."""
    return _told(found) | {"cursor": str(found.cursor)}


def webhooks(found: Sequence[Webhook], limit: int) -> bytes:
    """A list of webhooks."""
    return _list([webhook(one) for one in found], found[-1].id if len(found) == limit else None)


def deliveries(found: Sequence[Delivery], limit: int) -> bytes:
    """A list of attempts to deliver; their ``duration`` is seconds."""
    attempts = [one.attempt for one in found]
    items = [_told(one) | {"seq": str(one.seq), "duration": one.duration / 1000} for one in attempts]
    return _list(items, str(found[-1].id) if len(found) == limit else None)


def json(value: object) -> bytes:
    """A JSON body."""
    return strict_json.write(value).encode()


def _list(items: Sequence[dict[str, Any]], last: str | None) -> bytes:
    return json({"items": items, "next": None if last is None else to_cursor(last)})
