"""The JSON of the admin API, made from values."""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from attrs import asdict, fields

from pushd import __version__
from pushd.admin.query_params import to_cursor
from pushd.core.clients import Client
from pushd.core.clocks import Clocks
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.info import ServerInfo
from pushd.core.polling.poll_registry import PollRegistry
from pushd.lib import strict_json
from pushd.model.alert import Alert
from pushd.model.audit import AuditEntry
from pushd.model.audit import to_json as audit_entry
from pushd.model.catalogue import Endpoint
from pushd.model.command import Command, LargePayload
from pushd.model.device import Device, Orphan, QueueDepth
from pushd.model.epochs import Epochs
from pushd.model.event import Event, to_json
from pushd.model.large_text import LargeText
from pushd.model.opening import Opening
from pushd.model.person import Invitation, Person
from pushd.model.rejection import Rejection
from pushd.model.session import Session
from pushd.model.timestamps import to_rfc3339
from pushd.model.token import SELECTORS, Principal, Token
from pushd.model.webhook import LoggedAttempt, Webhook
from pushd.store.filters import EventPage, SiteSummary

TIMESTAMPS = (
    "not_before created_at expires_at sent_at acknowledged_at finished_at muted_until last_seen_at at raised_at"
    " cleared_at mailed_at disabled_at failing_since next_attempt_at first_at last_at started_at last_used_at"
).split()
"""Fields that are wall milliseconds, and shown in RFC 3339."""


INTERNAL = (
    "raised_elapsed expires_elapsed created_elapsed used_elapsed epoch serial scope digest token_digest revision"
).split()
"""Fields that the API does not show; the serial number of a device is one of its facts."""

LARGE = ("payload", "result")
"""Fields of a command that lists leave out."""


def info(server: ServerInfo, clock_offset: float | None, counts: Mapping[str, int]) -> bytes:
    """The server, and what it has now."""
    return json({**_to_dict(server), "clock_offset": clock_offset, "counts": counts})


def info_in_scope(server: ServerInfo, counts: Mapping[str, int]) -> bytes:
    """The same for a token with a scope: neither options nor addresses are its business."""
    return json({"version": server.version, "node": server.node, "counts": counts})


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
    return names, attrgetter(*names), [name for name in names if name in TIMESTAMPS]


def command(found: Command) -> bytes:
    """A command; its result is the text that the device posted, unchanged, and so is a large payload."""
    if type(found.payload) is LargePayload or isinstance(found.result, LargeText):
        return _large_command(found)
    text = strict_json.write(_to_dict(found, "result"))
    return f'{text[:-1]},"result":{found.result or "null"}}}'.encode()


def opening(found: Opening) -> bytes:
    """What became of an opening, with its command."""
    said = json({"outcome": found.outcome, "reason": found.reason, "detail": found.detail})
    return b'%b,"command":%b}' % (said[:-1], command(found.command))


def _large_command(found: Command) -> bytes:
    """A command with a large payload or result, which is not read."""
    payload, result = found.payload, found.result or "null"
    return b'%b,"payload":%b,"result":%b}' % (
        strict_json.write(_to_dict(found, "payload", "result"))[:-1].encode(),
        payload.text.data if type(payload) is LargePayload else json(payload),
        result.data if isinstance(result, LargeText) else result.encode(),
    )


def commands(found: Sequence[Command], limit: int) -> bytes:
    """A list of commands, without their large fields."""
    return _list([_to_dict(item, *LARGE) for item in found], found[-1].id if len(found) == limit else None)


def device(found: Device, depth: QueueDepth, registry: DeviceRegistry, poll_registry: PollRegistry) -> dict[str, Any]:
    """A device, with its live state and its number of commands."""
    view = _to_dict(registry.merge_live_state(found), *INTERNAL) | {"facts": found.all_facts}
    proof = sorted(registry.required_credentials.get(found.id, ())) + (["allow_from"] if found.allow_from else [])
    return view | asdict(depth) | {"polling": poll_registry.is_polling(found.id), "proof": proof}


def devices(found: Sequence[dict[str, Any]], last: str | None) -> bytes:
    """A list of devices; ``last`` is the position of the last one, if there may be more."""
    return _list(found, last)


def sites(found: Sequence[SiteSummary]) -> bytes:
    """All sites, with the number of their devices and of open alerts."""
    items = [_to_dict(item, "alerts") | {"open_alerts": len(item.alerts)} for item in found]
    return json({"items": items})


def orphans(found: Sequence[Orphan], limit: int) -> bytes:
    """A list of orphan results; ``raw`` is base64."""
    items = [_to_dict(item, "raw") | {"raw": b64encode(item.raw).decode("ascii")} for item in found]
    return _list(items, str(found[-1].id) if len(found) == limit else None)


def events(page: EventPage, epochs: Epochs) -> bytes:
    """A page of events; ``next`` is never null."""
    return json({"items": [event(item) for item in page.items], "next": epochs.event_id(page.next)})


def audit(found: Sequence[AuditEntry], after: str) -> bytes:
    """A page of the audit log, behind the entry with the id ``after``; ``next`` is never null."""
    return json({"items": list(map(audit_entry, found)), "next": found[-1].public_id if found else after})


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
    """A list of webhooks; their URLs are secrets, and shown in part."""
    views = [webhook(item, epochs) | {"url": item.shown_url} for item in found]
    return _list(views, found[-1].id if len(found) == limit else None)


def deliveries(found: Sequence[LoggedAttempt], epochs: Epochs, limit: int) -> bytes:
    """A list of delivery attempts; their ``duration`` is in seconds."""
    attempts = [item.attempt for item in found]
    items = [
        _to_dict(item) | {"seq": epochs.event_id(item.seq), "duration": item.duration / 1000} for item in attempts
    ]
    return _list(items, str(found[-1].id) if len(found) == limit else None)


def rejections(found: Iterable[tuple[str, Rejection]]) -> bytes:
    """Rejections, each with the name of its node, all at once."""
    return json({"items": [_to_dict(item) | {"node": node} for node, item in found]})


def catalogue(dialect: str, found: Iterable[Endpoint]) -> bytes:
    """Endpoints of a dialect, with all that is known of them."""
    return json({"dialect": dialect, "items": [_endpoint(each) for each in found]})


def _endpoint(found: Endpoint) -> dict[str, Any]:
    return {
        "name": found.name,
        "class": found.kind,
        "summary": found.summary,
        "parameters": [_to_dict(each, "path", "_kinds", "_texts") for each in found.parameters],
        "models": found.models,
        "delivery": found.defaults.delivery,
        "ttl": found.defaults.ttl,
        "example": found.example,
        "source": found.source,
    }


def token(found: Token) -> dict[str, Any]:
    """A token, without its secret; ``file``: its secret is in ``admin.token``."""
    return _to_dict(found, *INTERNAL) | {"file": found.is_file}


def tokens(found: Sequence[Token], limit: int) -> bytes:
    """A list of tokens."""
    return _list([token(item) for item in found], found[-1].id if len(found) == limit else None)


def person(found: Person, invitation: Invitation | None, clocks: Clocks) -> dict[str, Any]:
    """A person, with the end of the open invitation, if there is one."""
    until = None if invitation is None else to_rfc3339(clocks.to_wall(invitation.expires_at))
    return _to_dict(found, *INTERNAL, "secret") | {"invited_until": until}


def people(views: Sequence[dict[str, Any]], limit: int) -> bytes:
    """A list of people."""
    return _list(views, views[-1]["name"] if len(views) == limit else None)


def invitation(url: str | None, expires_at: int) -> bytes:
    """A link with which a person logs in."""
    return json({"url": url, "expires_at": to_rfc3339(expires_at)})


def session(found: Session, principal: Principal, clocks: Clocks) -> dict[str, Any]:
    """A session, and whose it is."""
    return _to_dict(found, *INTERNAL, "person") | {
        "name": principal.name,
        "role": principal.role,
        "by": "token" if found.person is None else "invitation",
        "expires_at": _expiry(found, clocks),
    }


def sessions(views: Sequence[dict[str, Any]], limit: int) -> bytes:
    """A list of sessions."""
    return _list(views, views[-1]["id"] if len(views) == limit else None)


def current_client(found: Client, clocks: Clocks) -> bytes:
    """Who a client is, and what it may do."""
    principal = found.principal
    return json(
        {
            "name": principal.name,
            "role": principal.role,
            **{name: getattr(principal, name) for name in SELECTORS},
            "means": found.means,
            "csrf": found.csrf_token,
            "session": None if found.session is None else found.session.id,
            "expires_at": None if found.session is None else _expiry(found.session, clocks),
            "version": __version__,
        }
    )


def _expiry(session: Session, clocks: Clocks) -> str:
    return to_rfc3339(clocks.to_wall(session.ends_elapsed))


def json(value: object) -> bytes:
    """Any value that JSON has."""
    return strict_json.write(value).encode()


def _list(items: Sequence[dict[str, Any]], last: str | None) -> bytes:
    return json({"items": items, "next": None if last is None else to_cursor(last)})
