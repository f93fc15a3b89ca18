"""What must hold of alerts in every run, whatever its devices did: events, list and mails agree."""

from collections import Counter
from collections.abc import Iterator, Sequence
from email.message import EmailMessage

from tests.harness.admin_api import Json
from tests.harness.alert_mails import alert_id, cleared_alerts


def disagreements(events: Sequence[Json], alerts: Sequence[Json]) -> Iterator[str]:
    """How the events about alerts, among others, do not agree with the list of alerts."""
    changes = [event for event in events if event["type"] in ("alert.raised", "alert.cleared")]
    for change in ("raised", "cleared"):
        announced = Counter(
            (event["data"]["alert"], event["at"]) for event in changes if event["type"] == f"alert.{change}"
        )
        listed = Counter((alert["id"], alert[f"{change}_at"]) for alert in alerts if alert[f"{change}_at"])
        for alert, at in (announced - listed) + (listed - announced):
            yield f"events and list do not agree that alert {alert} was {change} at {at}"
    devices = {alert["id"]: alert["devices"] for alert in alerts}
    for event in changes:
        if sorted(event["data"]["devices"]) != sorted(devices.get(event["data"]["alert"], ())):
            yield f"events and list do not agree on the devices of alert {event['data']['alert']}"


def wrong_mails(alerts: Sequence[Json], mails: Sequence[EmailMessage]) -> Iterator[str]:
    """Which alerts, or ends of them, were not mailed, and which mails are about none."""
    ids = {mail["Message-ID"] for mail in mails}
    found = Counter(alert_id(each) or each for each in ids)
    cleared = cleared_alerts(mails)
    for alert in alerts:
        if alert["id"] not in (cleared if alert["cleared_at"] else found):
            yield f"there is no mail about alert {alert['id']}, or that it is over"
    known = {alert["id"] for alert in alerts}
    for mailed, count in found.items():
        if mailed not in known or count > 2:
            yield f"there are {count} mails about {mailed}"
