"""The promises, and how each is checked against the observations of a run."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from attrs import frozen

from pushd.model.timestamps import from_rfc3339, milliseconds
from tests.alerting.config import ALWAYS_ONLINE, AlertingConfig
from tests.alerting.expected_events import (
    CLEARING,
    FLAPPING,
    GROUPING,
    WINDOW,
    BrokenPromise,
    ExpectedEvents,
)
from tests.alerting.observations import Observations
from tests.harness.admin_api import Json
from tests.harness.alert_checks import disagreements, wrong_mails
from tests.harness.alert_mails import alert_id
from tests.harness.outage_journal import Span, offline_periods
from tests.harness.receiver import is_in_order, missing_deliveries

ONE_ALERT = "each device that goes offline is in one alert"
SITE = "a site that goes offline is one alert, which lists its devices"
NO_OTHERS = "no other device is in an alert: not if it stays online, signs off or is muted"
DETECTED = "a device is offline when its heartbeat timeout ends, in time"
ONLINE = "no device is offline that is polling"
RESTART = "downtime of the server takes no device offline"
EVENTS = "the events are complete, and agree with the list of alerts"
DELIVERED = "the receiver accepts each raised and cleared alert, signed and in order"
MAILED = "each alert is mailed, once when it is raised, and once when it is over"
KILL_TIMING = "the kill came while alert windows and deliveries were pending"
NO_FAILURES = "the server does not fail by itself"
NO_VIOLATIONS = "fsck finds no violation"

PROMISES = (
    ONE_ALERT, SITE, GROUPING, FLAPPING, NO_OTHERS, DETECTED, ONLINE, RESTART, WINDOW, CLEARING, EVENTS, DELIVERED,
    MAILED, KILL_TIMING, NO_FAILURES, NO_VIOLATIONS,
)  # fmt: skip

LATENCY = 300
"""Milliseconds between what a device does and when it records it, or the server learns of it."""


@frozen(kw_only=True)
class CheckResult:
    """The promises that were broken, and figures for the report."""

    broken: Sequence[BrokenPromise]
    groups: int
    """How many alerts were about several devices."""
    pending_at_kill: int
    """How many devices waited out their alert window when the server was killed."""
    max_lateness: int
    """The longest time that a detection took beyond the device's heartbeat timeout, in milliseconds."""


@frozen(kw_only=True)
class RunData:
    """The observations of a run, and its configuration."""

    config: AlertingConfig
    observations: Observations

    @property
    def tolerance(self) -> int:
        """Milliseconds by which an event may be late."""
        return milliseconds(self.config.tolerance)

    @property
    def roles(self) -> dict[str, str]:
        """The role of each device."""
        return {device["device"]: device["role"] for device in self.observations.schedule}

    def heartbeat_timeout(self, role: str) -> int:
        """The heartbeat timeout of devices with this role, in milliseconds."""
        return milliseconds(self.config.heartbeat_timeout(role))

    def events(self, *types: str) -> list[Json]:
        """The events of these types."""
        return [event for event in self.observations.events if event["type"] in types]


def check_promises(config: AlertingConfig, observations: Observations) -> CheckResult:
    """Find every promise that was broken."""
    run = RunData(config=config, observations=observations)
    broken = [BrokenPromise(NO_FAILURES, failure) for failure in observations.failures]
    if not observations.has_final_state:
        return CheckResult(broken=broken, groups=0, pending_at_kill=0, max_lateness=0)
    devices = {device["device"]: device for device in observations.schedule}
    expected = ExpectedEvents(devices, config.timing, run.tolerance, observations.restart)
    expected.check(observations.events)
    for check in (_alerts_per_device, _sites, _detected, _online, _restart, _events, _delivered, _mailed):
        broken += check(run)
    broken += [*expected.broken, *_kill_timing(run, expected)]
    broken += [
        BrokenPromise(NO_VIOLATIONS, f"{each['what']}: {each.get('detail')}") for each in observations.violations
    ]
    return CheckResult(
        broken=broken,
        groups=expected.groups,
        pending_at_kill=expected.pending_at_kill,
        max_lateness=max((lateness for _, _, lateness in _detections(run)), default=0),
    )


def _alerts_per_device(run: RunData) -> Iterator[BrokenPromise]:
    flapped_by_chance = _flapped_by_chance(run)
    kinds_of: defaultdict[str, list[str]] = defaultdict(list)
    for alert in run.observations.alerts:
        for device in alert["devices"]:
            kinds_of[device].append(alert["kind"])
        if alert["kind"] == "webhook":
            yield BrokenPromise(NO_OTHERS, f"alert {alert['id']} is about the webhook")
    for device, role in run.roles.items():
        kinds = kinds_of[device]
        if role in ("offline", "site") and kinds not in (["offline"], ["site_offline"]):
            yield BrokenPromise(ONE_ALERT, f"its alerts are {kinds}", device)
        if role == "flapping" and kinds != ["flapping"] and not (set(kinds) == {"flapping"} and flapped_by_chance):
            yield BrokenPromise(FLAPPING, f"its alerts are {kinds}", device)
        if role in (ALWAYS_ONLINE, "signed-off", "muted") and kinds:
            yield BrokenPromise(NO_OTHERS, f"{role or 'it stayed online'}, but its alerts are {kinds}", device)


def _flapped_by_chance(run: RunData) -> bool:
    """Whether the machine was so busy that a flapping device was offline although it was polling: then it changed at
    other times than scheduled, and only :class:`ExpectedEvents` knows which alerts are due.
    """
    return any(run.roles[event["device"]] == "flapping" for event in _unexplained(run))


def _sites(run: RunData) -> Iterator[BrokenPromise]:
    site = {device["device"]: device["address"] for device in run.observations.schedule if device["role"] == "site"}
    alerts = [alert for alert in run.observations.alerts if site.keys() & set(alert["devices"])]
    if len(alerts) != 1:
        yield BrokenPromise(SITE, f"there are {len(alerts)} alerts")
    for alert in alerts:
        if set(alert["devices"]) != site.keys() or {alert["address"]} != set(site.values()):
            how = f"alert {alert['id']} lists {len(alert['devices'])} of {len(site)} devices: {alert['address']}"
            yield BrokenPromise(SITE, how)


def _detections(run: RunData) -> Iterator[tuple[str, Span, int]]:
    """Each offline period that must be detected, and by how many milliseconds the detection was late: negative if it
    was early, and more than is allowed if there was none, or more than one.
    """
    detected = defaultdict(list)
    for event in run.events("device.offline"):
        detected[event["device"]].append(from_rfc3339(event["at"]))
    roles = run.roles
    for device, period in offline_periods(run.observations.journal):
        if roles[device] != "flapping":
            due = _due(run, period, run.heartbeat_timeout(roles[device]))
            found = [at for at in detected[device] if period.earliest <= at <= period.latest + LATENCY]
            last = max(span.latest for span in due)
            lateness = min((_lateness(at, due) for at in found), key=abs, default=period.latest - last)
            yield device, period, lateness if len(found) < 2 else 10**6


def _due(run: RunData, period: Span, timeout: int) -> list[Span]:
    """When an offline period must be detected: a timeout after the last poll, or, if the server was killed before,
    after its restart.
    """
    restart, between_polls = run.observations.restart, milliseconds(run.config.timing.poll_pause) + LATENCY
    usual = Span(period.earliest + timeout - between_polls, period.earliest + timeout)
    if restart is None or period.earliest > restart.ready_at or usual.latest + run.tolerance < restart.killed_at:
        return [usual]
    later = Span(restart.started_at + timeout, restart.ready_at + timeout)
    return [later] if usual.earliest > restart.killed_at else [usual, later]


def _lateness(at: int, due: list[Span]) -> int:
    return min((min(at - span.earliest, max(at - span.latest, 0)) for span in due), key=abs)


def _detected(run: RunData) -> Iterator[BrokenPromise]:
    for device, period, lateness in _detections(run):
        if not 0 <= lateness <= run.tolerance:
            duration = period.latest - period.earliest
            yield BrokenPromise(DETECTED, f"offline for {duration} ms, detected {lateness} ms late", device)


def _unexplained(run: RunData) -> Iterator[Json]:
    """The events that say that a device is offline which was not."""
    periods = defaultdict(list)
    for device, period in offline_periods(run.observations.journal):
        periods[device].append(period)
    for event in run.events("device.offline"):
        at = from_rfc3339(event["at"])
        if not any(period.earliest <= at <= period.latest + LATENCY for period in periods[event["device"]]):
            yield event


def _online(run: RunData) -> Iterator[BrokenPromise]:
    for event in _unexplained(run):
        # the timeout of flapping devices is so short that a busy machine may exceed it
        if run.roles[event["device"]] != "flapping":
            yield BrokenPromise(ONLINE, f"it was polling, but is offline at {event['at']}", event["device"])


def _restart(run: RunData) -> Iterator[BrokenPromise]:
    restart = run.observations.restart
    if restart is None:
        return
    timeouts = {device: run.heartbeat_timeout(role) for device, role in run.roles.items()}
    for event in run.events("device.offline"):
        since = from_rfc3339(event["at"]) - restart.started_at
        if 0 <= since < timeouts[event["device"]]:
            yield BrokenPromise(RESTART, f"it is offline {since} ms after the server's start", event["device"])


def _events(run: RunData) -> Iterator[BrokenPromise]:
    observed = run.observations
    if list(observed.events[: len(observed.followed)]) != list(observed.followed):
        yield BrokenPromise(EVENTS, "they were different when they were read during the run")
    yield from (BrokenPromise(EVENTS, how) for how in disagreements(observed.events, observed.alerts))


def _delivered(run: RunData) -> Iterator[BrokenPromise]:
    events, deliveries = run.events("alert.raised", "alert.cleared"), run.observations.deliveries
    yield from (BrokenPromise(DELIVERED, how) for how in missing_deliveries(events, deliveries))
    if not is_in_order(events, deliveries):
        yield BrokenPromise(DELIVERED, "they did not arrive in order")


def _mailed(run: RunData) -> Iterator[BrokenPromise]:
    observed = run.observations
    yield from (BrokenPromise(MAILED, how) for how in wrong_mails(observed.alerts, observed.mails))
    ids = Counter(mail["Message-ID"] for mail in observed.mails)
    repeats = sum(ids.values()) - len(ids)
    if repeats > 1:  # the mail that was being sent when the server was killed may be repeated
        yield BrokenPromise(MAILED, f"{repeats} mails were repeated")
    alerts = {alert["id"]: alert for alert in observed.alerts}
    for mail in observed.mails:
        devices = alerts.get(alert_id(mail["Message-ID"]) or "", {"devices": []})["devices"]
        if len(devices) > 1 and f" {len(devices)} devices behind " not in mail["Subject"]:
            yield BrokenPromise(MAILED, f"{mail['Subject']!r} is about {len(devices)} devices")
        if len(devices) == 1 and devices[0] not in mail["Subject"]:
            yield BrokenPromise(MAILED, f"{mail['Subject']!r} is about {devices[0]}")


def _kill_timing(run: RunData, expected: ExpectedEvents) -> Iterator[BrokenPromise]:
    restart = run.observations.restart
    if restart is None or not (expected.pending_at_kill and restart.undelivered):
        yield BrokenPromise(KILL_TIMING, f"{expected.pending_at_kill} alert windows were pending: {restart}")
