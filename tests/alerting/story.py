"""A story for the judge: a site, one device and one that flaps fall silent, and are told of as they should be."""

from email.message import EmailMessage
from pathlib import Path
from typing import Any

from attrs import evolve

from pushd.model.timestamps import from_rfc3339
from tests.alerting.evidence import Evidence, StoreOutage
from tests.alerting.receiver import Delivery, Fate
from tests.alerting.setting import BRIEF, Setting
from tests.crash.api import Json

SETTING = Setting(
    place=Path("nowhere"),
    seed=1,
    pace=BRIEF,
    devices=10,
    lost=1,
    site=5,
    flapping=1,
    signed_off=0,
    muted=1,
    slack=2,
    devices_port=1,
    admin_port=2,
    smtp_port=3,
)
"""A device is offline after 6 s, one that flaps after 2; the window is 4 s; three changes in 20 s are flapping."""

SITE = [f"controlid:{number}" for number in range(1, 6)]
LOST, FLAPS, MUTED, STAYS = "controlid:6", "controlid:7", "controlid:8", "controlid:9"
ROLES = dict.fromkeys(SITE, "site") | {LOST: "lost", FLAPS: "flapping", MUTED: "muted", STAYS: ""}
HERE, THERE = "127.0.0.2", "127.0.0.3"


def moment(second: float) -> str:
    """A moment of the story."""
    return f"2026-01-01T00:{int(second) // 60:02}:{second % 60:06.3f}Z"


def deed(second: float, device: str, did: str) -> Json:
    """A line of the journal."""
    return {"time": moment(second), "device": device, "did": did}


def event(second: float, event_type: str, device: str | None, **data: Any) -> Json:
    """An entry of the feed, without its place."""
    return {"type": event_type, "at": moment(second), "device": device, "data": data}


def raised(second: float, alert: str, kind: str, devices: list[str], address: str | None = None) -> Json:
    """An alert is raised."""
    device = devices[0] if len(devices) == 1 else None
    return event(second, "alert.raised", device, alert=alert, kind=kind, devices=devices, address=address)


def cleared(second: float, begun: Json) -> Json:
    """It is cleared."""
    duration = (from_rfc3339(moment(second)) - from_rfc3339(begun["at"])) / 1000
    return event(second, "alert.cleared", begun["device"], **begun["data"], duration=duration)


GROUP = raised(20.5, "1", "site_offline", SITE, HERE)
ALONE = raised(25, "2", "offline", [LOST])
FLAPPING = raised(13, "3", "flapping", [FLAPS])


def offline(second: float, device: str) -> Json:
    """A device is offline."""
    return event(second, "device.offline", device)


def online(second: float, device: str) -> Json:
    """A device is back."""
    return event(second, "device.online", device, after="offline")


FEED = [
    offline(5, FLAPS),
    online(7, FLAPS),
    *(offline(11, device) for device in SITE),
    offline(13, FLAPS),
    FLAPPING,
    online(15, FLAPS),
    GROUP,  # which was killed at 14 s, and back at 16.5 s
    offline(21, LOST),
    offline(22.5, MUTED),
    ALONE,
    cleared(27, FLAPPING),
    *(online(40, device) for device in SITE),
    cleared(40, GROUP),
    online(41, LOST),
    cleared(41, ALONE),
    online(42, MUTED),
]

JOURNAL = [
    *(deed(second, FLAPS, "went-offline") for second in (3, 11)),
    *(deed(second, FLAPS, "came-back") for second in (7, 15)),
    *(deed(5, device, "went-offline") for device in SITE),
    *(deed(40, device, "came-back") for device in SITE),
    deed(14.9, LOST, "went-offline"),
    deed(41, LOST, "came-back"),
    deed(15, MUTED, "went-offline"),
    deed(42, MUTED, "came-back"),
]
OUTAGE = StoreOutage(
    killed_at=from_rfc3339(moment(14)),
    started_at=from_rfc3339(moment(14.5)),
    ready_at=from_rfc3339(moment(16.5)),
    undelivered=1,
)


def mail(alert: str, subject: str) -> EmailMessage:
    """The mail about an alert."""
    written = EmailMessage()
    written["Message-ID"] = f"<alert-{alert}.17@example.org>"
    written["Subject"] = subject
    return written


MAILS = [
    mail("3", f"[pushd] {FLAPS} is flapping"),
    mail("1", f"[pushd] 5 devices behind {HERE} are offline"),
    mail("2", f"[pushd] {LOST} is offline"),
]


def story(feed: list[Json] = FEED, **others: Any) -> Evidence:
    """The evidence of what the feed tells, with whatever is known beside."""
    numbered = [{"seq": str(number), **entry} for number, entry in enumerate(feed, 1)]
    told = [entry for entry in numbered if entry["type"].startswith("alert.")]
    ends = {entry["data"]["alert"]: entry["at"] for entry in told if entry["type"] == "alert.cleared"}
    alerts = [
        {
            "id": entry["data"]["alert"],
            "kind": entry["data"]["kind"],
            "devices": entry["data"]["devices"],
            "address": entry["data"]["address"],
            "raised_at": entry["at"],
            "cleared_at": ends.get(entry["data"]["alert"]),
        }
        for entry in told
        if entry["type"] == "alert.raised"
    ]
    evidence = Evidence(
        plan=[
            {"device": name, "role": role, "address": HERE if role == "site" else THERE}
            for name, role in ROLES.items()
        ],
        journal=JOURNAL,
        followed=numbered[:3],
        feed=numbered,
        alerts=alerts,
        deliveries=[delivery(entry) for entry in told],
        mails=MAILS,
        outage=OUTAGE,
    )
    return evolve(evidence, **others)


def delivery(entry: Json, **others: Any) -> Delivery:
    """An event, brought and taken."""
    return Delivery(**{"id": f"evt_{entry['seq']}", "event": entry, "genuine": True, "fate": Fate.TAKEN, **others})


def without(*entries: Json) -> list[Json]:
    """The feed, less some entries."""
    return [entry for entry in FEED if entry not in entries]


def instead(entry: Json, *others: Json) -> list[Json]:
    """The feed, with other entries in the place of one."""
    place = FEED.index(entry)
    return [*FEED[:place], *others, *FEED[place + 1 :]]


GOOD = story()
