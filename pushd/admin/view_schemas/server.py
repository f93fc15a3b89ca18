"""Schemas of what the API shows of the server itself."""

from pushd.admin.json_schema import Component, nullable
from pushd.admin.view_schemas.components import TEXT, WHOLE, component, small, whole_list, words
from pushd.core.info import ServerInfo
from pushd.model.device import Admission, PresenceState
from pushd.store.filters import Violation

_COUNTS = small(
    "Counts",
    "How many devices, held polls and commands there are; states of presence are those of approved devices.",
    **dict.fromkeys(
        ["devices", *PresenceState, Admission.PENDING, Admission.BLOCKED, "polls", "queued", "unknown"], WHOLE
    ),
)
_SERVER = component(
    "ServerInfo",
    ServerInfo,
    {
        "version": "of pushd",
        "schema": "the version of the database schema",
        "node": "the name of the machine; of one of several servers, of that node",
        "started_at": "when the server started",
        "dialects": "the protocols that it speaks",
        "listen": "by port, its endpoints; ``bases`` are URL prefixes of the device port",
        "options": "by name, without secrets",
        "clock_offset": "seconds that the clock of its machine is ahead of the database's; null: there is only one",
        "counts": "what the server has now",
    },
    clock_offset=nullable({"type": "number"}),
    counts=_COUNTS,
)
INFO = Component(
    "Info",
    {
        "description": "The server; for a token with a scope, only its version, its node and counts.",
        "anyOf": [_SERVER, small("ScopedInfo", version=TEXT, node=TEXT, counts=_COUNTS)],
    },
)
LIVE = small("Liveness", status=words("ok"))
READY = small("Readiness", status=words("ready"))
FSCK = whole_list(
    "ViolationList",
    component(
        "Violation",
        Violation,
        {
            "what": "what is wrong",
            "device": "the device that it is about",
            "command": "the command that it is about",
            "detail": "more about it",
        },
    ),
)
