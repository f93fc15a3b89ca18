"""The report: the counts of a run as a table, broken promises with the traces of their commands, and a summary."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.crash.config import CrashConfig
from tests.crash.promises import PROMISES, BrokenPromise
from tests.crash.run import Counts, RunResult
from tests.crash.trace import Traces

EXAMPLES = 2
"""How many cases of each broken promise are shown."""


def report_lines(config: CrashConfig, result: RunResult, traces: Traces, broken: list[BrokenPromise]) -> Iterator[str]:
    """The lines of the report."""
    yield from _table({**result.counts, **dict(_counts(traces))})
    yield ""
    times = Counter(each.promise for each in broken)
    unbroken = "kept" if traces.observations.has_final_state else "not checked"
    for promise in PROMISES:
        yield f"  {promise:<46}{f'BROKEN {times[promise]} times' if times[promise] else unbroken}"
    yield ""
    for promise in PROMISES:
        for each in [each for each in broken if each.promise == promise][:EXAMPLES]:
            yield from _example(each)
    yield _summary(config, result, traces, broken)


def _counts(traces: Traces) -> Iterator[tuple[str, Mapping[Any, int]]]:
    observed = traces.observations
    yield "operator", Counter(f"{line['did']} {line.get('status', '')}".strip() for line in observed.operator)
    yield "device", Counter(line["did"] for line in observed.devices)
    yield "command", Counter(f"{command['state']}, {command['delivery']}" for command in observed.commands)
    yield (
        "event",
        {
            "all": len(observed.events),
            "attempts": _count_events(traces, "command.sent"),
            "attempts taken back": _count_events(traces, "command.queued", "unsent"),
            "leases lapsed, queued again": _count_events(traces, "command.queued", "lapsed"),
            "orphan results": _count_events(traces, "result.orphaned"),
            "late results": sum(command["late"] for command in observed.commands),
        },
    )


def _count_events(traces: Traces, kind: str, reason: str | None = None) -> int:
    return sum(event["type"] == kind and event["data"].get("reason") == reason for event in traces.observations.events)


def _table(counts: Counts) -> Iterator[str]:
    for subject, rows in counts.items():
        for label, times in sorted(rows.items()):
            yield f"  {subject:<10}{label:<42}{times:>8}"


def _example(broken: BrokenPromise) -> Iterator[str]:
    yield f"BROKEN: {broken.promise}: {broken.how}"
    if broken.trace is not None:
        yield from (f"    {line}" for line in broken.trace.timeline())
    yield ""


def _summary(config: CrashConfig, result: RunResult, traces: Traces, broken: list[BrokenPromise]) -> str:
    kills = sum(result.counts["kill"].values())
    accepted = sum(bool(trace.accepted) for trace in traces.commands)
    verdict = (
        f"{len(broken)} broken promises; all files are kept in {config.directory}" if broken else "every promise kept"
    )
    return (
        f"crash: {kills} of {config.kills} kills, {config.devices} devices, {accepted} commands accepted,"
        f" {len(traces.observations.devices)} device actions, {result.seconds:.0f} s, seed {config.seed}: {verdict}"
    )
