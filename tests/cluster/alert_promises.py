"""The promises about alerts that several nodes make together, and how they are checked."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from email.message import EmailMessage

from attrs import frozen

from pushd.model.timestamps import from_rfc3339, milliseconds
from tests.cluster.config import HEARTBEAT_TIMEOUT
from tests.harness.admin_api import Json
from tests.harness.alert_checks import disagreements, wrong_mails
from tests.harness.command_promises import BrokenPromise
from tests.harness.outage_journal import Span
from tests.harness.receiver import Delivery, Outcome, is_in_order, missing_deliveries

SILENT = "no device is offline that is served elsewhere in time"
RAISED = "each outage is one alert, raised once and cleared"
AGREE = "the events about alerts agree with the list of alerts"
DELIVERED = "the receivers accept each event of theirs, signed and in order"
REPEATED = "what a receiver has accepted is sent again only after a fault, and once"
MAILED = "each alert is mailed, and that it is over"

PROMISES = (SILENT, RAISED, AGREE, DELIVERED, REPEATED, MAILED)

LATENCY = 3000
"""Milliseconds that may pass from the return of a device until a server has its poll."""

BETWEEN_POLLS = 7000
"""Milliseconds that a device may have been silent before it went offline: its node may just have died. With this, an
outage that is brief must not be noticed still.
"""


@frozen(kw_only=True)
class Subscription:
    """A webhook: the types of its events, what its receiver was sent, and the webhook as the server shows it."""

    types: Sequence[str]
    deliveries: Sequence[Delivery]
    webhook: Json


@frozen(kw_only=True)
class AlertObservations:
    """All that is known about alerts when a run is over."""

    outages: Sequence[Json] = ()
    """When devices really were offline."""
    events: Sequence[Json] = ()
    """All events, as the server shows them at the end."""
    alerts: Sequence[Json] = ()
    """All alerts, as the server shows them at the end."""
    subscriptions: Sequence[Subscription] = ()
    mails: Sequence[EmailMessage] = ()
    faults: int = 0
    """How many faults may have kept a node from saving what it had delivered."""


@frozen
class _Outage:
    span: Span
    is_brief: bool


def check_alert_promises(observed: AlertObservations) -> Iterator[BrokenPromise]:
    """Find every promise that was broken."""
    outages = _outages(observed.outages)
    for promise, found in (
        (SILENT, _wrongly_offline(observed, outages)),
        (RAISED, _alerts_of_outages(observed, outages)),
        (AGREE, disagreements(observed.events, observed.alerts)),
        (DELIVERED, _not_delivered(observed)),
        (REPEATED, _repeated(observed)),
        (MAILED, wrong_mails(observed.alerts, observed.mails)),
    ):
        yield from (BrokenPromise(promise=promise, how=how) for how in found)


def count_repeats(deliveries: Iterable[Delivery]) -> int:
    """How many messages a receiver has accepted that it had accepted before."""
    accepted = [delivery.id for delivery in deliveries if delivery.outcome is Outcome.ACCEPTED]
    return len(accepted) - len(set(accepted))


def outstanding(observed: AlertObservations) -> frozenset[str]:
    """What is still to be delivered or mailed, and which alerts are to be cleared, with what is known of each."""
    open_alerts = (f"alert {alert['id']} is open" for alert in observed.alerts if not alert["cleared_at"])
    return frozenset([*_not_delivered(observed), *wrong_mails(observed.alerts, observed.mails), *open_alerts])


def has_retries(observed: AlertObservations, now: float) -> bool:
    """Whether a delivery waits for its retry, behind that moment in seconds since the epoch."""
    due = [subscription.webhook["next_attempt_at"] for subscription in observed.subscriptions]
    return any(each is not None and from_rfc3339(each) > milliseconds(now) for each in due)


def count_outages(observed: AlertObservations) -> dict[str, int]:
    """How many outages there were, for the report."""
    all_of = [outage for found in _outages(observed.outages).values() for outage in found]
    return {
        "brief": sum(outage.is_brief for outage in all_of),
        "until there was an alert": sum(not outage.is_brief for outage in all_of),
    }


def _outages(journal: Sequence[Json]) -> dict[str, list[_Outage]]:
    """The outages of each device."""
    found: defaultdict[str, list[_Outage]] = defaultdict(list)
    began: dict[str, Json] = {}
    for line in journal:
        if line["did"] == "went-offline":
            began[line["device"]] = line
        elif line["did"] == "came-back" and line["device"] in began:
            start = began.pop(line["device"])
            span = Span(from_rfc3339(start["time"]), from_rfc3339(line["time"]))
            found[line["device"]].append(_Outage(span, start["brief"]))
    return found


def _wrongly_offline(observed: AlertObservations, outages: dict[str, list[_Outage]]) -> Iterator[str]:
    least = milliseconds(HEARTBEAT_TIMEOUT) - BETWEEN_POLLS
    for event in observed.events:
        at = from_rfc3339(event["at"])
        if event["type"] == "device.offline" and not any(
            outage.span.earliest + least <= at <= outage.span.latest + LATENCY
            for outage in outages.get(event["device"], ())
        ):
            yield f"{event['device']} is offline at {event['at']}"


def _alerts_of_outages(observed: AlertObservations, outages: dict[str, list[_Outage]]) -> Iterator[str]:
    raised: defaultdict[str, list[Json]] = defaultdict(list)
    for alert in observed.alerts:
        if alert["kind"] != "offline" or not set(alert["devices"]) <= outages.keys():
            yield f"there is an alert about what did not happen: {alert}"
        for device in alert["devices"]:
            raised[device].append(alert)
    for device, found in outages.items():
        for outage in found:
            during = [alert for alert in raised[device] if _is_during(alert, outage.span)]
            if len(during) != (0 if outage.is_brief else 1):
                yield f"{device} was offline from {outage.span}: {len(during)} alerts"
            yield from (f"alert {alert['id']} was not cleared" for alert in during if not alert["cleared_at"])
        if len(raised[device]) > sum(not outage.is_brief for outage in found):
            yield f"{device} has {len(raised[device])} alerts, but {len(found)} outages"


def _is_during(alert: Json, span: Span) -> bool:
    return span.earliest <= from_rfc3339(alert["raised_at"]) <= span.latest + LATENCY


def _not_delivered(observed: AlertObservations) -> Iterator[str]:
    for subscription in observed.subscriptions:
        events = [event for event in observed.events if event["type"] in subscription.types]
        for how in missing_deliveries(events, subscription.deliveries):
            yield f"{how}; its webhook is {subscription.webhook}"
        if not is_in_order(events, subscription.deliveries):
            yield "they did not arrive in order"


def _repeated(observed: AlertObservations) -> Iterator[str]:
    # one webhook is delivered by one node, one event after the other, and what was accepted is saved before the next
    for subscription in observed.subscriptions:
        repeats = count_repeats(subscription.deliveries)
        if repeats > observed.faults:
            yield f"{repeats} times, but there were {observed.faults} faults; its webhook is {subscription.webhook}"
