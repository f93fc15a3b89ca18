"""Retention on PostgreSQL beside full load: whether it deletes faster than cycles write, and what updates leave."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise

from attrs import frozen

from benchmarks.parts.cluster import HOLD, Processes, running
from benchmarks.postgres import Postgres, running_postgres
from benchmarks.results import Metric, rate
from benchmarks.runner import Runner
from benchmarks.server_names import PUSHD, on_postgres
from benchmarks.start_commands import ServerOptions

SLICE = 10.0
"""Seconds after which the counts are read again."""

UPDATED = ("command", "device", "sighting")
"""Tables whose updates should change no index."""

_COUNTS = (
    "SELECT relname AS name, n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_hot_upd AS hot, n_tup_del AS deleted,"
    " n_live_tup AS live, n_dead_tup AS dead, autovacuum_count AS vacuums FROM pg_stat_user_tables"
)


@frozen
class Counts:
    """What PostgreSQL has counted of a table."""

    inserted: int
    updated: int
    hot: int
    deleted: int
    live: int
    dead: int
    vacuums: int


@frozen
class Sample:
    """The counts of all tables after so many cycles; ``at`` is in seconds of a monotonic clock."""

    at: float
    cycles: float
    tables: Mapping[str, Counts]


def run(runner: Runner) -> None:
    """Measure one process with many ended commands that are older than they are kept."""
    size = runner.size
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres(runner.factory.directory, runner.factory.cores))
        url = postgres.make_database(size.clustered, size.outdated)
        server = runner.factory.make(PUSHD, ServerOptions(hold=HOLD, store=url))
        stack.enter_context(running([server]))
        samples = _samples(runner, postgres, Processes(on_postgres(1), [server], url))
    _add_rates(runner, samples)
    _add_updates(runner, samples)


def _samples(runner: Runner, postgres: Postgres, subject: Processes) -> Sequence[Sample]:
    """Samples at the beginning, and after each slice of cycles."""
    seconds = min(SLICE, runner.size.purged_seconds)
    requests = {**subject.ports(), **subject.requests("put", "ack", "result")}
    settings = {**requests, "devices": runner.size.clustered, "seconds": seconds}
    samples = [_sample(postgres, subject, 0)]
    until = samples[0].at + runner.size.purged_seconds
    while samples[-1].at < until:
        cycles = runner.generator.run("cycle", settings)["completed"]
        samples.append(_sample(postgres, subject, cycles))
        runner.log(f"{runner.part}: {_progress(samples)}")
    return samples


def _sample(postgres: Postgres, subject: Processes, cycles: float) -> Sample:
    with postgres.connect(subject.url) as connection:
        rows = connection.execute(_COUNTS.encode()).fetchall()
    return Sample(time.monotonic(), cycles, {name: Counts(*counts) for name, *counts in rows})


def _progress(samples: Sequence[Sample]) -> str:
    before, after = (sample.tables["command"] for sample in samples[-2:])
    return f"{after.inserted - before.inserted} commands written, {after.deleted - before.deleted} deleted"


def _add_rates(runner: Runner, samples: Sequence[Sample]) -> None:
    """Cycles, and rows written and deleted, while retention deletes and while it does not."""
    add, server = runner.results.add, on_postgres(1)
    for name, is_beside in (("without retention", False), ("beside retention", True)):
        pairs = [pair for pair in pairwise(samples) if _is_deleting(*pair) is is_beside]
        if not pairs:
            continue
        seconds = sum(after.at - before.at for before, after in pairs)
        add(rate(f"cycles {name}"), server, sum(after.cycles for _, after in pairs) / seconds)
        for table in ("command", "event"):
            counts = [(before.tables[table], after.tables[table]) for before, after in pairs]
            written = sum(after.inserted - before.inserted for before, after in counts)
            deleted = sum(after.deleted - before.deleted for before, after in counts)
            add(rate(f"rows of {table} written, {name}"), server, written / seconds)
            add(rate(f"rows of {table} deleted, {name}"), server, deleted / seconds)


def _is_deleting(before: Sample, after: Sample) -> bool:
    return after.tables["command"].deleted > before.tables["command"].deleted


def _add_updates(runner: Runner, samples: Sequence[Sample]) -> None:
    """Which updates have changed no index, and what vacuuming had to do."""
    add, server = runner.results.add, on_postgres(1)
    for table in UPDATED:
        first, *others = [sample.tables[table] for sample in samples]
        updated = others[-1].updated - first.updated
        add(Metric(name=f"updates of {table}", unit="each"), server, updated)
        if updated:
            hot = others[-1].hot - first.hot
            add(Metric(name=f"HOT updates of {table}", unit="%", more=True), server, 100 * hot / updated)
        add(Metric(name=f"most dead rows of {table}", unit="each"), server, max(each.dead for each in others))
        vacuums = others[-1].vacuums - first.vacuums
        add(Metric(name=f"autovacuum runs of {table}", unit="each"), server, vacuums)
