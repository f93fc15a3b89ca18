"""The promises, and how each is checked against what really happened."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from attrs import frozen

from pushd.model.timestamps import from_rfc3339, milliseconds
from tests.alerting.evidence import Evidence
from tests.alerting.ledger import BEHIND, FLAPS, OVER, WINDOW, Breach, Ledger, Span, absences
from tests.alerting.receiver import Fate
from tests.alerting.setting import BLAMELESS, Setting
from tests.crash.api import Json

ONE = "each who is lost is in one alert"
SITE = "a site that falls silent is one alert, which lists it"
NOBODY_ELSE = "nobody else is in an alert: not who stays, signed off or is muted"
OFFLINE = "who is silent for too long is offline, in time"
PRESENT = "nobody is offline who is there"
OURS = "our own absence is nobody's silence"
FEED = "the feed misses nothing, and says what the list says"
BROUGHT = "the receiver is brought each alert and its end, signed and in order"
MAILED = "each alert is mailed, and is one mail"
MIDDLE = "the kill came while silences waited and alerts were on their way"
STANDS = "the server does not fall"
FLAWLESS = "fsck finds nothing"

PROMISES = (
    ONE, SITE, BEHIND, FLAPS, NOBODY_ELSE, OFFLINE, PRESENT, OURS, WINDOW, OVER, FEED, BROUGHT, MAILED, MIDDLE, STANDS,
    FLAWLESS,
)  # fmt: skip

BREATH = 300
"""Milliseconds between what a device does and what it writes down, or what the server hears of it."""

_MESSAGE_ID = re.compile(r"<alert-(\d+)\.\d+@example\.org>")


@frozen(kw_only=True)
class Verdict:
    """What was broken, and what else the judge found out."""

    breaches: Sequence[Breach]
    groups: int
    waiting_at_kill: int
    lateness: int
    """Milliseconds that the slowest notice of a silence took, beyond the device's time."""


@frozen(kw_only=True)
class Case:
    """The evidence, and the setting that it is from."""

    setting: Setting
    evidence: Evidence

    @property
    def slack(self) -> int:
        """Milliseconds by which something may be late."""
        return milliseconds(self.setting.slack)

    def timeout(self, device: Json) -> int:
        """After how many milliseconds of silence a device is offline."""
        return milliseconds(self.setting.timeout(device["role"]))

    def events(self, *kinds: str) -> list[Json]:
        """The feed's entries of these types."""
        return [event for event in self.evidence.feed if event["type"] in kinds]


def judge(setting: Setting, evidence: Evidence) -> Verdict:
    """Every promise that was not kept."""
    case = Case(setting=setting, evidence=evidence)
    breaches = [Breach(STANDS, accident) for accident in evidence.accidents]
    if not evidence.are_books_read:
        return Verdict(breaches=breaches, groups=0, waiting_at_kill=0, lateness=0)
    places = {device["device"]: device for device in evidence.plan}
    ledger = Ledger(places, setting.pace, case.slack, evidence.outage)
    ledger.read(evidence.feed)
    for check in (_concerned, _sites, _offline, _present, _ours, _feed, _brought, _mailed):
        breaches += check(case)
    breaches += [*ledger.breaches, *_middle(case, ledger)]
    breaches += [Breach(FLAWLESS, f"{flaw['what']}: {flaw.get('detail')}") for flaw in evidence.flaws]
    return Verdict(
        breaches=breaches,
        groups=ledger.groups,
        waiting_at_kill=ledger.waiting_at_kill,
        lateness=max((late for _, _, late in _notices(case)), default=0),
    )


def _concerned(case: Case) -> Iterator[Breach]:
    slow = _is_slow(case)
    told: defaultdict[str, list[str]] = defaultdict(list)
    for alert in case.evidence.alerts:
        for device in alert["devices"]:
            told[device].append(alert["kind"])
        if alert["kind"] == "webhook":
            yield Breach(NOBODY_ELSE, f"alert {alert['id']} is about the webhook")
    for device in case.evidence.plan:
        kinds, role = told[device["device"]], device["role"]
        if role in ("lost", "site") and kinds not in (["offline"], ["site_offline"]):
            yield Breach(ONE, f"its alerts are {kinds}", device["device"])
        if role == "flapping" and kinds != ["flapping"] and not (set(kinds) == {"flapping"} and slow):
            yield Breach(FLAPS, f"its alerts are {kinds}", device["device"])
        if role in (BLAMELESS, "signed-off", "muted") and kinds:
            yield Breach(NOBODY_ELSE, f"{role or 'it stayed'}, and its alerts are {kinds}", device["device"])


def _is_slow(case: Case) -> bool:
    """Whether the machine was so slow that one of those that flap was offline though it was not away: it changed more
    often then, or at other times, than it should have, and only the ledger knows what must be told.
    """
    roles = {device["device"]: device["role"] for device in case.evidence.plan}
    return any(roles[event["device"]] == "flapping" for event in _unexplained(case))


def _sites(case: Case) -> Iterator[Breach]:
    site = {device["device"]: device["address"] for device in case.evidence.plan if device["role"] == "site"}
    about = [alert for alert in case.evidence.alerts if site.keys() & set(alert["devices"])]
    if len(about) != 1:
        yield Breach(SITE, f"there are {len(about)}")
    for alert in about:
        if set(alert["devices"]) != site.keys() or {alert["address"]} != set(site.values()):
            yield Breach(SITE, f"alert {alert['id']} lists {len(alert['devices'])} of {len(site)}: {alert['address']}")


def _notices(case: Case) -> Iterator[tuple[str, Span, int]]:
    """Each silence of which something should have become; and by how many milliseconds it was noticed too late:
    negative if before its time, at the least more than what is allowed if never.
    """
    noticed = defaultdict(list)
    for event in case.events("device.offline"):
        noticed[event["device"]].append(from_rfc3339(event["at"]))
    places = {device["device"]: device for device in case.evidence.plan}
    for device, absence in absences(case.evidence.journal):
        if places[device]["role"] != "flapping":
            due = _due(case, absence, case.timeout(places[device]))
            found = [at for at in noticed[device] if absence.earliest <= at <= absence.latest + BREATH]
            last = max(span.latest for span in due)
            late = min((_beyond(at, due) for at in found), key=abs, default=absence.latest - last)
            yield device, absence, late if len(found) < 2 else 10**6


def _due(case: Case, absence: Span, timeout: int) -> list[Span]:
    """When a silence is to be noticed: after the last poll, or, if we were killed before, after our return."""
    outage, rest = case.evidence.outage, milliseconds(case.setting.pace.rest) + BREATH
    usual = Span(absence.earliest + timeout - rest, absence.earliest + timeout)
    if outage is None or absence.earliest > outage.ready_at or usual.latest + case.slack < outage.killed_at:
        return [usual]
    later = Span(outage.started_at + timeout, outage.ready_at + timeout)
    return [later] if usual.earliest > outage.killed_at else [usual, later]


def _beyond(at: int, due: list[Span]) -> int:
    return min((min(at - span.earliest, max(at - span.latest, 0)) for span in due), key=abs)


def _offline(case: Case) -> Iterator[Breach]:
    for device, absence, late in _notices(case):
        if not 0 <= late <= case.slack:
            gone = absence.latest - absence.earliest
            yield Breach(OFFLINE, f"it was away for {gone} ms, and that was noticed {late} ms late", device)


def _unexplained(case: Case) -> Iterator[Json]:
    """What the feed has of devices that are offline, and were not away."""
    away = defaultdict(list)
    for device, absence in absences(case.evidence.journal):
        away[device].append(absence)
    for event in case.events("device.offline"):
        at = from_rfc3339(event["at"])
        if not any(gone.earliest <= at <= gone.latest + BREATH for gone in away[event["device"]]):
            yield event


def _present(case: Case) -> Iterator[Breach]:
    roles = {device["device"]: device["role"] for device in case.evidence.plan}
    for event in _unexplained(case):
        if roles[event["device"]] != "flapping":  # whose time is so short that a busy machine ends it
            yield Breach(PRESENT, f"it was polling, and is offline at {event['at']}", event["device"])


def _ours(case: Case) -> Iterator[Breach]:
    outage = case.evidence.outage
    if outage is None:
        return
    timeouts = {device["device"]: case.timeout(device) for device in case.evidence.plan}
    for event in case.events("device.offline"):
        since = from_rfc3339(event["at"]) - outage.started_at
        if 0 <= since < timeouts[event["device"]]:
            yield Breach(OURS, f"it is offline {since} ms after our start", event["device"])


def _feed(case: Case) -> Iterator[Breach]:
    evidence = case.evidence
    if list(evidence.feed[: len(evidence.followed)]) != list(evidence.followed):
        yield Breach(FEED, "it was read otherwise when it happened")
    for kind in ("raised", "cleared"):
        told = Counter((event["data"]["alert"], event["at"]) for event in case.events(f"alert.{kind}"))
        shown = Counter((alert["id"], alert[f"{kind}_at"]) for alert in evidence.alerts)
        for alert, at in (told - shown) + (shown - told):
            yield Breach(FEED, f"feed and list do not agree that alert {alert} was {kind} at {at}")
    devices = {alert["id"]: alert["devices"] for alert in evidence.alerts}
    for event in case.events("alert.raised", "alert.cleared"):
        if sorted(event["data"]["devices"]) != sorted(devices.get(event["data"]["alert"], ())):
            yield Breach(FEED, f"feed and list do not agree whom alert {event['data']['alert']} is about")


def _brought(case: Case) -> Iterator[Breach]:
    told = {event["seq"]: event for event in case.events("alert.raised", "alert.cleared")}
    brought = [one.event["seq"] for one in case.evidence.deliveries]
    taken = {one.event["seq"] for one in case.evidence.deliveries if one.fate is Fate.TAKEN}
    for seq in told.keys() - taken:
        yield Breach(BROUGHT, f"{told[seq]['type']} of alert {told[seq]['data']['alert']} did not arrive")
    if list(dict.fromkeys(brought)) != [seq for seq in told if seq in set(brought)]:
        yield Breach(BROUGHT, "it did not come in order")
    for one in case.evidence.deliveries:
        if not one.genuine or one.event != told.get(one.event["seq"]) or one.id != f"evt_{one.event['seq']}":
            yield Breach(BROUGHT, f"{one.id} is not what happened, or not signed")


def _mailed(case: Case) -> Iterator[Breach]:
    ids = Counter(mail["Message-ID"] for mail in case.evidence.mails)
    found = Counter(match[1] if (match := _MESSAGE_ID.fullmatch(each)) else each for each in ids)
    alerts = {alert["id"]: alert for alert in case.evidence.alerts}
    for alert in alerts.keys() - found.keys():
        yield Breach(MAILED, f"there is no mail about alert {alert}")
    for alert, count in found.items():
        if alert not in alerts or count > 1:
            yield Breach(MAILED, f"there are {count} mails about {alert}")
    repeats = sum(ids.values()) - len(ids)
    if repeats > 1:  # one that was on its way when the server was killed
        yield Breach(MAILED, f"{repeats} mails came more than once")
    for mail in case.evidence.mails:
        match = _MESSAGE_ID.fullmatch(mail["Message-ID"])
        about = alerts[match[1]]["devices"] if match and match[1] in alerts else []
        if len(about) > 1 and f" {len(about)} devices behind " not in mail["Subject"]:
            yield Breach(MAILED, f"{mail['Subject']!r} is about {len(about)} devices")
        if len(about) == 1 and about[0] not in mail["Subject"]:
            yield Breach(MAILED, f"{mail['Subject']!r} is about {about[0]}")


def _middle(case: Case, ledger: Ledger) -> Iterator[Breach]:
    outage = case.evidence.outage
    if outage is None or not (ledger.waiting_at_kill and outage.undelivered):
        yield Breach(MIDDLE, f"{ledger.waiting_at_kill} waited: {outage}")
