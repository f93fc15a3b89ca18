"""The query parameters and headers of calls: the name, the meaning and the schema of each."""

from enum import StrEnum

from attrs import frozen

from pushd.admin.body_fields import PRINTABLE
from pushd.admin.idempotency import MAX_KEY
from pushd.admin.json_schema import DIALECT, TIMESTAMP, Component, Schema, enum_component, list_of
from pushd.admin.query_params import DEFAULT_LIMIT, MAX_OVERLAP, MAX_REPEATED
from pushd.core.devices.rejections import MAX_REJECTIONS
from pushd.model.admin_api import MAX_PAGE, MAX_WAIT
from pushd.model.alert import AlertKind
from pushd.model.device import Admission, PresenceState
from pushd.model.event import EventType
from pushd.model.lifecycle import State
from pushd.store.filters import DeviceOrder


@frozen(eq=False)
class Parameter:
    """A parameter of the query, or a header."""

    name: str
    text: str
    schema: Schema | Component
    is_header: bool = False


def _text(name: str, text: str) -> Parameter:
    return Parameter(name, text, {"type": "string"})


def _texts(name: str, text: str) -> Parameter:
    return Parameter(name, text, {**list_of({"type": "string"}), "maxItems": MAX_REPEATED})


def _word(name: str, text: str, kind: type[StrEnum]) -> Parameter:
    return Parameter(name, text, enum_component(kind))


def _flag(name: str, text: str) -> Parameter:
    return Parameter(name, text, {"type": "string", "enum": ["0", "1"]})


def _time(name: str, text: str) -> Parameter:
    return Parameter(name, text, TIMESTAMP)


_ID = "([0-9a-f]{12}-)?[0-9]{1,18}"
"""Of an event, or of an entry of the audit log."""

_POSITION: Schema = {"type": "string", "pattern": f"^({_ID}|now)$"}


def _position(name: str, text: str) -> Parameter:
    return Parameter(name, text, _POSITION)


def _seconds(name: str, text: str, most: float) -> Parameter:
    return Parameter(name, text, {"type": "number", "minimum": 0, "maximum": most})


def _limit(text: str, default: int) -> Parameter:
    return Parameter("limit", text, {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": default})


_LIMIT = _limit("how many items a page has at most", DEFAULT_LIMIT)
PAGE = (_LIMIT, _text("cursor", "the ``next`` of the page before"))
OVERLAP = Parameter(
    "overlap",
    "for how many seconds the old one stays valid",
    {"type": "number", "minimum": 0, "maximum": MAX_OVERLAP, "default": 0},
)
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "a repetition with the same key and body is answered with the first command",
    {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": PRINTABLE},
    is_header=True,
)

DEVICES = (
    Parameter("dialect", "the protocol", DIALECT),
    _word("presence", "whether it is connected", PresenceState),
    _word("admission", "whether it is sent commands", Admission),
    _texts("site", "may repeat: the device is at one of them"),
    _texts("tag", "may repeat: the device has all of them"),
    _text("model", "the fact ``model``, without regard to case, spaces and hyphens"),
    _text("q", "a part of the id, name, serial number, site, tags, address or facts, in any case"),
    _word("sort", "the order of the list", DeviceOrder),
    *PAGE,
)

_QUEUE = _flag("queue", "1: also if the device has signed off")
_UNCHECKED = _flag("unchecked", "1: skip the checks of what devices are known to take")
_WAIT = _seconds("wait", "delay the answer until the command has ended, for so many seconds at most", MAX_WAIT)
SEND = (
    _WAIT,
    Parameter(
        "then",
        "cancel the command if it has not ended when the wait has; needs a ``wait`` of more than 0",
        {"type": "string", "enum": ["cancel"]},
    ),
    _QUEUE,
    _UNCHECKED,
)
RESEND = (_QUEUE, _UNCHECKED)
COMMAND = (_WAIT,)
COMMANDS = (
    _text("device", "the id of the device"),
    _word("state", "the state", State),
    _time("since", "accepted at this time or later"),
    _text("endpoint", "what it calls"),
    _text("by", "the name of the token or person that sent it"),
    _text("trace", "what the sender noted"),
    _text("q", "a part of the id, device, endpoints, trace, sender or error, in any case"),
    *PAGE,
)

_EVENT_FILTERS = (
    _texts("device", "may repeat: about one of these devices"),
    Parameter(
        "type",
        "may repeat, and be several with commas between them: of one of these types",
        {**list_of(enum_component(EventType)), "maxItems": MAX_REPEATED},
    ),
)
_AFTER = "continue behind the event with this ``seq``; ``now``: behind the newest"
EVENTS = (
    _position("after", _AFTER),
    _time("since", "of this time or later"),
    _LIMIT,
    _seconds("wait", "delay the answer until there is an event, for so many seconds at most", MAX_WAIT),
    *_EVENT_FILTERS,
)
STREAM = (
    _position("after", _AFTER),
    _position("lastEventId", "the same, and takes precedence"),
    *_EVENT_FILTERS,
)
LAST_EVENT_ID = Parameter(
    "Last-Event-ID", "the same, as browsers send it when they reconnect; takes precedence", _POSITION, is_header=True
)

ALERTS = (
    _flag("open", "1: not cleared, 0: cleared"),
    Parameter(
        "kind",
        "may repeat, and be several with commas between them: of one of these kinds",
        {**list_of(enum_component(AlertKind)), "maxItems": MAX_REPEATED},
    ),
    _flag("acknowledged", "1: acknowledged, 0: not"),
    _time("since", "raised at this time or later"),
    *PAGE,
)
AUDIT = (
    Parameter("after", "continue behind the entry with this id", {"type": "string", "pattern": f"^{_ID}$"}),
    _LIMIT,
    _text("by", "the name of the token or person"),
    _text("object", "what was changed, such as ``device:controlid:4408801109440198``"),
)
REJECTIONS = (_limit("how many are listed at most, the newest", MAX_REJECTIONS),)
