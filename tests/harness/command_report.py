"""What a report says about commands: counts, and a broken promise with the trace of its command."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.harness.command_promises import BrokenPromise
from tests.harness.trace import Traces


def command_counts(traces: Traces) -> Iterator[tuple[str, Mapping[Any, int]]]:
    """Rows of the table: subject, label and number."""
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


def example(broken: BrokenPromise) -> Iterator[str]:
    """The lines about one broken promise."""
    yield f"BROKEN: {broken.promise}: {broken.how}"
    if broken.trace is not None:
        yield from (f"    {line}" for line in broken.trace.timeline())
    yield ""
