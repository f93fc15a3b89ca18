"""Schemas of what the API shows of commands."""

from enum import StrEnum

from pushd.admin import json_views
from pushd.admin.json_schema import PAYLOAD, RESULT, enum_component, nullable
from pushd.admin.view_schemas.components import component, page
from pushd.core.commands.explain import Explanation
from pushd.model.command import Command
from pushd.model.opening import Opening


class Evidence(StrEnum):
    """Whose word the state of a command rests on."""

    DEVICE = "device"
    OPERATOR = "operator"


class MatchedBy(StrEnum):
    """How a result was matched with its command."""

    UUID = "uuid"
    MESSAGE = "message"
    ORDER = "order"


_COMMAND_TEXTS = {
    "id": "a UUIDv7; those of one device ascend",
    "device": "the id of the device",
    "state": "``queued``, ``sent`` and ``acknowledged`` are open, the others ended",
    "endpoint": "what it calls on the device; null if it is a batch",
    "endpoints": "what a batch calls, each once; null if it is none",
    "payload": "what the device is to do, as it was sent",
    "delivery": "whether it may be sent again when no result comes",
    "priority": "0 to 9; higher is sent first",
    "ttl": "seconds after which it is never sent",
    "not_before": "when it may be sent at the earliest",
    "created_at": "when it was accepted",
    "expires_at": "when it expires, if it is still queued",
    "attempts": "how often it was sent",
    "max_attempts": "how often it may be sent",
    "lease": "seconds that the device has to acknowledge it or report a result",
    "deadline": "seconds that one attempt may take",
    "sent_at": "when it was last sent",
    "acknowledged_at": "when the device acknowledged it",
    "finished_at": "when it ended",
    "result": "what the device reported, unchanged",
    "error": "what went wrong",
    "late": "whether the result came when no lease was open",
    "evidence": "whose word the state rests on; null: only what the server did",
    "matched_by": "how the result was matched",
    "created_by": "the name of the token or person that sent it",
    "resend_of": "the command of which it is a repetition",
    "resent_as": "the command that repeats it",
    "idempotency_key": "the header Idempotency-Key with which it was sent",
    "trace": "what the sender notes about it",
}
_COMMAND_WORDS = {
    "evidence": nullable(enum_component(Evidence)),
    "matched_by": nullable(enum_component(MatchedBy)),
}
_SUMMARY_TEXTS = {name: text for name, text in _COMMAND_TEXTS.items() if name not in json_views.LARGE}
COMMAND = component("Command", Command, _COMMAND_TEXTS, payload=PAYLOAD, result=nullable(RESULT), **_COMMAND_WORDS)
COMMANDS = page(
    "CommandList", component("CommandSummary", Command, _SUMMARY_TEXTS, *json_views.LARGE, **_COMMAND_WORDS)
)
EXPLANATION = component(
    "Explanation",
    Explanation,
    {
        "command": "the id of the command",
        "state": "its state",
        "reason": "a word for programs",
        "sentence": "for people",
        "facts": "what the reason rests on",
    },
)
OPENED = component(
    "Opening",
    Opening,
    {
        "outcome": "what is known when the wait ends",
        "reason": "why",
        "detail": "a sentence for people",
        "command": "the command that opens",
    },
    command=COMMAND,
)
