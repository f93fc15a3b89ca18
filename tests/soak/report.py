"""The report: the counts and figures of a run, broken promises with examples, and a summary."""

from collections.abc import Iterator
from statistics import median, quantiles

from tests.harness.command_promises import BrokenPromise
from tests.harness.command_report import command_counts, example
from tests.harness.report import RunResult, conclusion, examples, table, verdicts
from tests.harness.trace import Traces
from tests.soak.config import SoakConfig
from tests.soak.observations import Observations
from tests.soak.process_monitor import Sample
from tests.soak.promises import (
    DESCRIPTORS,
    LOG_LINES,
    MEMORY_GROWTH,
    PROMISES,
    THREADS,
    WAL,
    memory_growth,
    most_log_lines,
)

EXAMPLES = 3
"""How many cases of each broken promise are shown."""

_MIB = 1024 * 1024


def report_lines(
    config: SoakConfig, result: RunResult[Observations], traces: Traces, broken: list[BrokenPromise]
) -> Iterator[str]:
    """The lines of the report."""
    yield from table({**result.counts, **dict(command_counts(traces))}, 42)
    yield ""
    if traces.observations.has_final_state:
        for label, figure in _figures(config, result.observations):
            yield f"  {label:<42}{figure}"
    yield from verdicts(PROMISES, (each.promise for each in broken), traces.observations.has_final_state)
    for each in examples(PROMISES, broken, EXAMPLES):
        yield from example(each)
    yield _summary(config, result, traces, broken)


def _figures(config: SoakConfig, observed: Observations) -> Iterator[tuple[str, str]]:
    samples = observed.samples
    load = [sample for sample in samples if sample.second < config.seconds]
    growth = memory_growth(config, samples)
    yield "anonymous memory after the warm-up", f"{growth.before / _MIB:.1f} MiB, the least in a quarter of the run"
    yield "anonymous memory at the end", f"{growth.after / _MIB:.1f} MiB, the least in the last quarter"
    yield "its growth", f"{growth.bytes / _MIB:.1f} MiB, less than {MEMORY_GROWTH / _MIB:g} allowed"
    resident = [sample.resident / _MIB for sample in samples]
    yield "resident memory", f"{median(resident):.1f} MiB, at most {max(resident):.1f}"
    most = max(sample.descriptors for sample in samples)
    yield "descriptors before the load", f"{observed.descriptors_before}"
    yield "descriptors during the load", f"at most {most}"
    yield "descriptors after the load", f"{observed.descriptors_after}, {DESCRIPTORS} more than before allowed"
    yield "threads", f"at most {max(sample.threads for sample in samples)}, {THREADS} allowed"
    yield (
        "log lines",
        f"{samples[-1].log_lines}, at most {most_log_lines(config, samples)} a minute, {LOG_LINES} allowed",
    )
    yield "database", f"{samples[-1].database / _MIB:.1f} MiB"
    yield "write-ahead log", f"at most {max(sample.wal for sample in samples) / _MIB:.1f} MiB, {WAL / _MIB:g} allowed"
    yield "CPU of the server", f"{_mean_cpu(load):.0%} of one core"
    yield "readyz", _percentiles(observed)
    yield "seconds from SIGTERM to the end", f"{observed.stop_seconds:.1f}, {config.stop_seconds:g} allowed"


def _mean_cpu(samples: list[Sample]) -> float:
    return sum(sample.cpu for sample in samples) / max(len(samples), 1)


def _percentiles(observed: Observations) -> str:
    milliseconds = [1000 * seconds for _, seconds in observed.ready_times]
    cuts = quantiles(milliseconds, n=100)
    at, longest = max(observed.ready_times, key=lambda time: time[1])
    return (
        f"p50 {median(milliseconds):.0f} ms, p99 {cuts[98]:.0f} ms, at most {1000 * longest:.0f} ms (second {at:.0f})"
    )


def _summary(config: SoakConfig, result: RunResult[Observations], traces: Traces, broken: list[BrokenPromise]) -> str:
    accepted = sum(bool(trace.accepted) for trace in traces.commands)
    return (
        f"soak: {config.minutes:g} min, {config.devices} devices, {accepted} commands accepted,"
        f" {len(traces.observations.events)} events, {result.seconds:.0f} s, seed {config.seed}:"
        f" {conclusion(config, broken)}"
    )
