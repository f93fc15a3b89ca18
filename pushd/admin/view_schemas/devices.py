"""Schemas of what the API shows of devices."""

from pushd.admin.json_schema import annotations, described, list_of, schema_of
from pushd.admin.view_schemas.components import (
    BOOLEAN,
    SECRET,
    TEXT,
    TEXTS,
    WHOLE,
    component,
    page,
    small,
    whole_list,
    words,
)
from pushd.model.device import Device, Orphan, ProofKind, QueueDepth
from pushd.model.facts import Fact
from pushd.model.rejection import Rejection
from pushd.store.filters import SiteSummary

DEVICE = component(
    "Device",
    Device,
    {
        "id": "``<dialect>:<number or name of the device>``",
        "dialect": "its protocol",
        "name": "a name for people",
        "site": "where it stands",
        "tags": "words by which devices are selected",
        "facts": "what is known of it, such as ``serial``, ``model`` and ``firmware``",
        "admission": "whether it is sent commands",
        "presence": "whether it is connected, as far as the server knows",
        "polling": "whether a poll of it is held now",
        "poll_gap": "seconds that it is not connected between an idle answer and its next poll: the median",
        "last_seen_at": "when it was last connected",
        "last_address": "its IP address then",
        "queue": "commands that wait to be sent",
        "in_flight": "commands that were sent, and have not ended",
        "proof": "its proofs of identity; with none, anyone who reaches the port can pose as the device",
        "allow_from": "networks, in CIDR notation, from which it may connect; empty: any",
        "hold": "seconds that its polls are held; null: learned",
        "learned_hold": "the learned hold, in seconds; ``hold`` takes precedence",
        "batch": "how many commands one answer may have; null: the default of the server",
        "heartbeat_timeout": "seconds without a report after which it is offline",
        "muted_until": "until then no alert is raised about it",
        "created_at": "when it was registered, or first polled",
    },
    facts={"type": "object", "additionalProperties": schema_of(Fact)},
    **dict.fromkeys(annotations(QueueDepth), WHOLE),
    polling=BOOLEAN,
    proof=list_of(words(*ProofKind, "allow_from")),
)
DEVICES = page("DeviceList", DEVICE)
MUTED = small(
    "Muted",
    devices=described(TEXTS, "the ids of the devices; of many, the first 1000"),
    count=described(WHOLE, "how many they are"),
)
DEVICE_SECRET = small(
    "DeviceSecret", secret=SECRET, path=described(TEXT, "the prefix of all paths of the device port for this device")
)
API_KEY = small("ApiKey", key=SECRET)
ORPHAN = component(
    "Orphan",
    Orphan,
    {
        "id": "its number",
        "device": "the device that sent it",
        "at": "when it arrived",
        "reason": "why it matches no command",
        "reference": "the ``uuid`` or ``messageId`` that it named",
        "size": "bytes of the whole body",
        "raw": "the first 64 KiB of the body, in base64",
    },
    raw={"type": "string", "contentEncoding": "base64"},
)
ORPHANS = page("OrphanList", ORPHAN)
SITES = whole_list(
    "SiteList",
    component(
        "Site",
        SiteSummary,
        {
            "site": "its name",
            "devices": "how many devices it has",
            "online": "how many of these are online",
            "offline": "how many of these are offline",
            "open_alerts": "how many open alerts are about them",
        },
        "alerts",
        open_alerts=WHOLE,
    ),
)
REJECTIONS = whole_list(
    "RejectionList",
    component(
        "Rejection",
        Rejection,
        {
            "address": "of the client",
            "path": "without query and secrets; null if no request could be read",
            "reason": "why it was refused",
            "count": "how often",
            "first_at": "the first time",
            "last_at": "the last time",
            "device": "the device that the client claims to be",
            "remedy": "what to do",
            "node": "the server that refused it",
        },
        node=TEXT,
    ),
)
