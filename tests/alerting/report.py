"""The report: the counts of a run, what was broken with its story, and one line that sums it up."""

import json
from collections import Counter
from collections.abc import Iterator

from pushd.model.timestamps import from_rfc3339
from tests.alerting.evidence import Evidence
from tests.alerting.ledger import Breach
from tests.alerting.promises import PROMISES, Verdict
from tests.alerting.setting import Setting

STORIES = 3
"""Breaches of each promise that are told in full."""


def tell(setting: Setting, evidence: Evidence, verdict: Verdict, seconds: float) -> Iterator[str]:
    """The lines of the report."""
    for about, counts in _counts(evidence, verdict).items():
        yield from (f"  {about:<10}{what or 'stays':<44}{times:>8}" for what, times in sorted(counts.items()))
    yield ""
    broken = Counter(breach.promise for breach in verdict.breaches)
    for promise in PROMISES:
        unbroken = "kept" if evidence.are_books_read else "not judged"
        yield f"  {promise:<74}{f'BROKEN {broken[promise]} times' if broken[promise] else unbroken}"
    yield ""
    for promise in PROMISES:
        for breach in [breach for breach in verdict.breaches if breach.promise == promise][:STORIES]:
            yield from _story(evidence, breach)
    yield _summary(setting, evidence, verdict, seconds)


def _counts(evidence: Evidence, verdict: Verdict) -> dict[str, Counter[str]]:
    outage = evidence.outage
    kinds = Counter(event["type"] for event in evidence.feed)
    return {
        "device": Counter(device["role"] for device in evidence.plan),
        "deed": Counter(line["did"] for line in evidence.journal),
        "feed": Counter({kind: kinds[kind] for kind in kinds if kind.startswith(("alert.", "device.o", "device.s"))}),
        "alert": Counter(alert["kind"] for alert in evidence.alerts) + Counter({"about several": verdict.groups}),
        "receiver": Counter(str(one.fate) for one in evidence.deliveries),
        "mail": Counter({"taken": len(evidence.mails)}),
        "kill": Counter(
            {
                "silences that waited": verdict.waiting_at_kill,
                "events that were not delivered": outage.undelivered if outage else 0,
                "milliseconds until the server was back": outage.ready_at - outage.killed_at if outage else 0,
            }
        ),
        "silence": Counter({"milliseconds until noticed, beyond its time": verdict.lateness}),
    }


def _story(evidence: Evidence, breach: Breach) -> Iterator[str]:
    yield f"BROKEN: {breach.promise}: {breach.device or ''} {breach.how}"
    if breach.device is not None:
        lines = [(from_rfc3339(line["time"]), line) for line in evidence.journal if line["device"] == breach.device]
        lines += [(from_rfc3339(event["at"]), event) for event in evidence.feed if _is_about(breach.device, event)]
        yield from (f"    {json.dumps(line)}" for _, line in sorted(lines, key=lambda line: line[0]))
    yield ""


def _is_about(device: str, event: dict[str, object]) -> bool:
    data = event["data"]
    return event["device"] == device or (isinstance(data, dict) and device in data.get("devices", ()))


def _summary(setting: Setting, evidence: Evidence, verdict: Verdict, seconds: float) -> str:
    kept = f"{len(verdict.breaches)} breaches; all is kept in {setting.place}"
    return (
        f"vigil: {setting.devices} devices, {len(evidence.alerts)} alerts, {len(evidence.deliveries)} deliveries,"
        f" {len(evidence.mails)} mails, {seconds:.0f} s, seed {setting.seed}:"
        f" {kept if verdict.breaches else 'every promise kept'}"
    )
