"""The report: the counts of a run as a table, broken promises with the traces of their commands, and a summary."""

from collections.abc import Iterator

from tests.crash.config import CrashConfig
from tests.harness.command_promises import PROMISES, BrokenPromise
from tests.harness.command_report import command_counts, example
from tests.harness.report import RunResult, conclusion, examples, table, verdicts
from tests.harness.trace import Observations, Traces

EXAMPLES = 2
"""How many cases of each broken promise are shown."""


def report_lines(
    config: CrashConfig, result: RunResult[Observations], traces: Traces, broken: list[BrokenPromise]
) -> Iterator[str]:
    """The lines of the report."""
    yield from table({**result.counts, **dict(command_counts(traces))}, 42)
    yield from verdicts(PROMISES, (each.promise for each in broken), traces.observations.has_final_state)
    for each in examples(PROMISES, broken, EXAMPLES):
        yield from example(each)
    yield _summary(config, result, traces, broken)


def _summary(config: CrashConfig, result: RunResult[Observations], traces: Traces, broken: list[BrokenPromise]) -> str:
    kills = sum(result.counts["kill"].values())
    accepted = sum(bool(trace.accepted) for trace in traces.commands)
    return (
        f"crash: {kills} of {config.kills} kills, {config.devices} devices, {accepted} commands accepted,"
        f" {len(traces.observations.devices)} device actions, {result.seconds:.0f} s, seed {config.seed}:"
        f" {conclusion(config, broken)}"
    )
