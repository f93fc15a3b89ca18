"""Observations that keep all promises: a site, a device, a muted and a flapping device go offline and come back."""

from email.message import EmailMessage
from pathlib import Path
from typing import Any

from attrs import evolve

from pushd.model.timestamps import from_rfc3339
from tests.alerting.config import BRIEF, AlertingConfig
from tests.alerting.observations import Observations, ServerRestart
from tests.harness.admin_api import Json
from tests.harness.receiver import Delivery, Outcome

CONFIG = AlertingConfig(
    directory=Path("nowhere"),
    seed=1,
    timing=BRIEF,
    devices=10,
    offline=1,
    site=5,
    flapping=1,
    signed_off=0,
    muted=1,
    tolerance=2,
    devices_port=1,
    admin_port=2,
    smtp_port=3,
)
"""Heartbeat timeout 6 s, 2 s for flapping devices; alert window 4 s; flapping is three changes in 20 s."""

SITE = [f"controlid:{number}" for number in range(1, 6)]
OFFLINE, FLAPPING, MUTED, ONLINE = "controlid:6", "controlid:7", "controlid:8", "controlid:9"
ROLES = dict.fromkeys(SITE, "site") | {OFFLINE: "offline", FLAPPING: "flapping", MUTED: "muted", ONLINE: ""}
SITE_ADDRESS, OTHER_ADDRESS = "127.0.0.2", "127.0.0.3"


def time_at(second: float) -> str:
    """The time so many seconds after the simulator's start."""
    return f"2026-01-01T00:{int(second) // 60:02}:{second % 60:06.3f}Z"


def journal_line(second: float, device: str, did: str) -> Json:
    """A line of the simulator's journal."""
    return {"time": time_at(second), "device": device, "did": did}


def event(second: float, event_type: str, device: str | None, **data: Any) -> Json:
    """An event, without its ``seq``."""
    return {"type": event_type, "at": time_at(second), "device": device, "data": data}


def raised(second: float, alert: str, kind: str, devices: list[str], address: str | None = None) -> Json:
    """The event that an alert is raised."""
    device = devices[0] if len(devices) == 1 else None
    return event(second, "alert.raised", device, alert=alert, kind=kind, devices=devices, address=address)


def cleared(second: float, raised_event: Json) -> Json:
    """The event that a raised alert is cleared."""
    duration = (from_rfc3339(time_at(second)) - from_rfc3339(raised_event["at"])) / 1000
    return event(second, "alert.cleared", raised_event["device"], **raised_event["data"], duration=duration)


SITE_ALERT = raised(20.5, "1", "site_offline", SITE, SITE_ADDRESS)
OFFLINE_ALERT = raised(25, "2", "offline", [OFFLINE])
FLAPPING_ALERT = raised(13, "3", "flapping", [FLAPPING])


def offline(second: float, device: str) -> Json:
    """The event that a device goes offline."""
    return event(second, "device.offline", device)


def online(second: float, device: str) -> Json:
    """The event that a device is online again."""
    return event(second, "device.online", device, after="offline")


EVENTS = [
    offline(5, FLAPPING),
    online(7, FLAPPING),
    *(offline(11, device) for device in SITE),
    offline(13, FLAPPING),
    FLAPPING_ALERT,
    online(15, FLAPPING),
    SITE_ALERT,  # 4 s after the restart, which was at 14 s; the server was ready at 16.5 s
    offline(21, OFFLINE),
    offline(22.5, MUTED),
    OFFLINE_ALERT,
    cleared(27, FLAPPING_ALERT),
    *(online(40, device) for device in SITE),
    cleared(40, SITE_ALERT),
    online(41, OFFLINE),
    cleared(41, OFFLINE_ALERT),
    online(42, MUTED),
]

JOURNAL = [
    *(journal_line(second, FLAPPING, "went-offline") for second in (3, 11)),
    *(journal_line(second, FLAPPING, "came-back") for second in (7, 15)),
    *(journal_line(5, device, "went-offline") for device in SITE),
    *(journal_line(40, device, "came-back") for device in SITE),
    journal_line(14.9, OFFLINE, "went-offline"),
    journal_line(41, OFFLINE, "came-back"),
    journal_line(15, MUTED, "went-offline"),
    journal_line(42, MUTED, "came-back"),
]
RESTART = ServerRestart(
    killed_at=from_rfc3339(time_at(14)),
    started_at=from_rfc3339(time_at(14.5)),
    ready_at=from_rfc3339(time_at(16.5)),
    undelivered=1,
)


def mail(alert: str, subject: str, suffix: str = "") -> EmailMessage:
    """A mail about an alert."""
    message = EmailMessage()
    message["Message-ID"] = f"<alert-{alert}.17{suffix}@example.org>"
    message["Subject"] = subject
    return message


SUBJECTS = {
    "3": f"[pushd] {FLAPPING} is flapping",
    "1": f"[pushd] 5 devices behind {SITE_ADDRESS} are offline",
    "2": f"[pushd] {OFFLINE} is offline",
}
RAISED_MAILS = [mail(alert, subject) for alert, subject in SUBJECTS.items()]
CLEARED_MAILS = [mail(alert, f"Re: {subject} (resolved)", ".cleared") for alert, subject in SUBJECTS.items()]
MAILS = RAISED_MAILS + CLEARED_MAILS


def observations(events: list[Json] = EVENTS, **others: Any) -> Observations:
    """Observations of these events, with alerts and deliveries that agree with them."""
    numbered = [{"seq": str(number), **entry} for number, entry in enumerate(events, 1)]
    alert_events = [entry for entry in numbered if entry["type"].startswith("alert.")]
    ends = {entry["data"]["alert"]: entry["at"] for entry in alert_events if entry["type"] == "alert.cleared"}
    alerts = [
        {
            "id": entry["data"]["alert"],
            "kind": entry["data"]["kind"],
            "devices": entry["data"]["devices"],
            "address": entry["data"]["address"],
            "raised_at": entry["at"],
            "cleared_at": ends.get(entry["data"]["alert"]),
        }
        for entry in alert_events
        if entry["type"] == "alert.raised"
    ]
    found = Observations(
        schedule=[
            {"device": name, "role": role, "address": SITE_ADDRESS if role == "site" else OTHER_ADDRESS}
            for name, role in ROLES.items()
        ],
        journal=JOURNAL,
        followed=numbered[:3],
        events=numbered,
        alerts=alerts,
        deliveries=[delivery(entry) for entry in alert_events],
        mails=MAILS,
        restart=RESTART,
    )
    return evolve(found, **others)


def delivery(entry: Json, **others: Any) -> Delivery:
    """A delivery that the receiver accepted."""
    return Delivery(
        **{"id": f"evt_{entry['seq']}", "event": entry, "is_signed": True, "outcome": Outcome.ACCEPTED, **others}
    )


def without(*entries: Json) -> list[Json]:
    """The events without some of them."""
    return [entry for entry in EVENTS if entry not in entries]


def replace(entry: Json, *others: Json) -> list[Json]:
    """The events with others in the place of one."""
    place = EVENTS.index(entry)
    return [*EVENTS[:place], *others, *EVENTS[place + 1 :]]


GOOD = observations()
