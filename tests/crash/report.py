"""The report: the counts of a run as a table, what was broken with its whole story, and one line that sums it up."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.crash.campaign import Counts, Record
from tests.crash.evidence import Dossier
from tests.crash.promises import PROMISES, Breach
from tests.crash.setting import Setting

STORIES = 2
"""Breaches of each promise that are told in full."""


def tell(setting: Setting, record: Record, dossier: Dossier, breaches: list[Breach]) -> Iterator[str]:
    """The lines of the report."""
    yield from _table({**record.happened, **dict(_counts(dossier))})
    yield ""
    broken = Counter(breach.promise for breach in breaches)
    unbroken = "kept" if dossier.evidence.are_books_read else "not judged"
    for promise in PROMISES:
        yield f"  {promise:<46}{f'BROKEN {broken[promise]} times' if broken[promise] else unbroken}"
    yield ""
    for promise in PROMISES:
        for breach in [breach for breach in breaches if breach.promise == promise][:STORIES]:
            yield from _story(breach)
    yield _summary(setting, record, dossier, breaches)


def _counts(dossier: Dossier) -> Iterator[tuple[str, Mapping[Any, int]]]:
    evidence = dossier.evidence
    yield "operator", Counter(f"{line['did']} {line.get('status', '')}".strip() for line in evidence.operator)
    yield "device", Counter(line["did"] for line in evidence.devices)
    yield "command", Counter(f"{command['state']}, {command['delivery']}" for command in evidence.commands)
    yield (
        "feed",
        {
            "events": len(evidence.feed),
            "attempts": _events(dossier, "command.sent"),
            "attempts taken back": _events(dossier, "command.queued", "unsent"),
            "leases lapsed, queued again": _events(dossier, "command.queued", "lapsed"),
            "results that settled nothing": _events(dossier, "result.orphaned"),
            "late results": sum(command["late"] for command in evidence.commands),
        },
    )


def _events(dossier: Dossier, kind: str, reason: str | None = None) -> int:
    return sum(event["type"] == kind and event["data"].get("reason") == reason for event in dossier.evidence.feed)


def _table(happened: Counts) -> Iterator[str]:
    for about, counts in happened.items():
        for what, times in sorted(counts.items()):
            yield f"  {about:<10}{what:<36}{times:>8}"


def _story(breach: Breach) -> Iterator[str]:
    yield f"BROKEN: {breach.promise}: {breach.how}"
    if breach.case is not None:
        yield from (f"    {line}" for line in breach.case.story())
    yield ""


def _summary(setting: Setting, record: Record, dossier: Dossier, breaches: list[Breach]) -> str:
    kills = sum(record.happened["kill"].values())
    accepted = sum(bool(case.accepted) for case in dossier.cases)
    verdict = f"{len(breaches)} breaches; all is kept in {setting.place}" if breaches else "every promise kept"
    return (
        f"torture: {kills} of {setting.kills} kills, {setting.devices} devices, {accepted} commands accepted,"
        f" {len(dossier.evidence.devices)} deeds of devices, {record.seconds:.0f} s, seed {setting.seed}: {verdict}"
    )
