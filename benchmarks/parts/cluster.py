"""Several processes over PostgreSQL beside one on SQLite; and what that means for machines with more cores."""

import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from urllib.request import Request, urlopen

from attrs import define, evolve, frozen

from benchmarks.machine import Cores
from benchmarks.parts import group_costs
from benchmarks.postgres import Postgres, running_postgres
from benchmarks.requests import SERVER_EYE
from benchmarks.results import Metric, cpu_time, milliseconds, rate
from benchmarks.runner import Runner
from benchmarks.server_names import PUSHD, on_postgres
from benchmarks.servers import HOST, Server
from benchmarks.start_commands import ServerOptions
from pushd.store.group_commit import MAX_GROUP

HOLD = 55

PROCESSES = (1, 2, 3)
"""How many processes are measured."""

OPERATIONS = 4
"""Of a cycle: a put, a claim, an acknowledgement and a result."""

MIN_ONE, MIN_TWO = 0.6, 1.5
"""The targets: one process on PostgreSQL beside SQLite in cycles/s, and two beside one by the CPU time of a cycle."""


@define(eq=False)
class Processes:
    """One or several processes that serve one database, to which the load is spread."""

    name: str
    servers: Sequence[Server]
    url: str | None = None
    """Of the database on PostgreSQL."""

    def ports(self, *, put_at: int | None = None) -> Mapping[str, str]:
        """Their ports; devices poll at each of them in turn, and puts go to all, or to the ``put_at``-th alone."""
        puts = self.servers if put_at is None else [self.servers[put_at]]
        return {
            "port": ",".join(str(server.location.port) for server in self.servers),
            "put_port": ",".join(str(server.location.admin_port) for server in puts),
        }

    def requests(self, *names: str) -> Mapping[str, str]:
        """The requests of Server-Eye devices."""
        return self.servers[0].requests(SERVER_EYE).settings(*names)

    def cpu_seconds(self) -> float:
        """Seconds of CPU time that the processes have used."""
        return sum(server.cpu_seconds() for server in self.servers)

    def groups(self) -> float:
        """How many groups of operations they have committed."""
        return sum(map(_commits, self.servers))


def _commits(server: Server) -> float:
    token = (server.location.token_dir / "admin.token").read_text("ascii").strip()
    url = f"http://{HOST}:{server.location.admin_port}/metrics"
    with urlopen(Request(url, headers={"Authorization": f"Bearer {token}"}), timeout=10) as answer:
        found = re.search(rb"^pushd_commit_seconds_count ([0-9.e+]+)", answer.read(), re.MULTILINE)
    assert found is not None, "each process has this metric"
    return float(found[1])


def run(runner: Runner) -> None:
    """Measure one process on SQLite, and one, two and three on PostgreSQL, in turn: only what is measured runs."""
    with running_postgres(runner.factory.directory, runner.factory.cores) as postgres:
        runner.results.add(milliseconds("commit of one row on PostgreSQL"), on_postgres(1), _commit(postgres))
        for _ in range(runner.runs):
            for count in (0, *PROCESSES):
                with _on_postgres(runner, postgres, count) if count else _on_sqlite(runner) as subject:
                    runner.log(f"{runner.part}: cycles, {subject.name}")
                    _measure_cycles(runner, postgres, subject)
                if count > 2:
                    continue
                with _on_postgres(runner, postgres, count) if count else _on_sqlite(runner) as subject:
                    runner.log(f"{runner.part}: wake-ups, {subject.name}")
                    _measure_wakes(runner, subject)
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres(runner.factory.directory, runner.factory.cores))
        _measure_idle(runner, postgres, stack.enter_context(_on_postgres(runner, postgres, 1, hold=0)))
        serial = group_costs.measure(runner, postgres)
    _note_targets(runner)
    _extrapolate(runner, serial)


@contextmanager
def running(servers: Sequence[Server]) -> Iterator[None]:
    """Have servers run until the block ends."""
    try:
        for server in servers:
            server.start()
        yield
    finally:
        for server in servers:
            server.stop()


@contextmanager
def _on_sqlite(runner: Runner) -> Iterator[Processes]:
    server = runner.factory.make(PUSHD, ServerOptions(hold=HOLD))
    with running([server]):
        yield Processes(PUSHD, [server])


@contextmanager
def _on_postgres(runner: Runner, postgres: Postgres, count: int, hold: float = HOLD) -> Iterator[Processes]:
    """So many processes: one is alone on the core of the servers, several take turns on all cores."""
    size, cores = runner.size, runner.factory.cores
    url = postgres.make_database(max(size.clustered, size.held))
    servers: list[Server] = []
    for number in range(count):
        factory = evolve(runner.factory, cores=Cores(server=number % 2 and cores.generator, generator=cores.generator))
        first = servers[0].location.data_dir if servers else None
        servers.append(factory.make(PUSHD, ServerOptions(hold=hold, store=url, token_dir=first)))
    with running(servers):
        yield Processes(on_postgres(count), servers, url)


def _measure_cycles(runner: Runner, postgres: Postgres, subject: Processes) -> None:
    size = runner.size
    requests = {**subject.ports(), **subject.requests("put", "ack", "result")}
    settings = {**requests, "devices": size.clustered, "seconds": size.clustered_seconds}
    groups, cpu, database = subject.groups(), subject.cpu_seconds(), postgres.cpu_seconds()
    figures = runner.generator.run("cycle", settings)
    groups, cpu, database = subject.groups() - groups, subject.cpu_seconds() - cpu, postgres.cpu_seconds() - database
    cycles, completed = figures["cycles"], figures["completed"]
    name, add = cycle_metric(size.clustered), runner.results.add
    add(rate(name), subject.name, cycles["rate"])
    add(milliseconds(f"{name}, p50"), subject.name, cycles["p50"] * 1000)
    add(cpu_time(name), subject.name, cpu / completed * 1e6)
    if subject.url is not None:
        add(cpu_time(f"{name}, PostgreSQL"), subject.name, database / completed * 1e6)
    add(Metric(name=f"{name}, operations in a group", unit="each"), subject.name, OPERATIONS * completed / groups)


def cycle_metric(devices: int) -> str:
    """The name of the metric."""
    return f"cycles of {devices:,} devices, puts at any process"


def _measure_wakes(runner: Runner, subject: Processes) -> None:
    """Devices poll at the first process, and puts go to the last one."""
    size = runner.size
    puts, seconds = size.durable_rates[0]
    ports = {**subject.ports(put_at=-1), "port": str(subject.servers[0].location.port)}
    phases = f"{size.held}:{puts:g}:{seconds:g}"
    settings = {**ports, **subject.requests("put"), "settle": size.settle, "phases": phases}
    figures = runner.generator.run("wake", settings, timeout=90)[f"{size.held}@{puts:g}"]
    place = "another process" if len(subject.servers) > 1 else "the same process"
    for statistic in ("p50", "p99"):
        metric = milliseconds(f"put at {place}, {size.held:,} held, {puts:g} puts/s, {statistic}")
        runner.results.add(metric, subject.name, figures[statistic] * 1000)


def _measure_idle(runner: Runner, postgres: Postgres, subject: Processes) -> None:
    """The transactions of the database beside idle polls, and beside none."""
    size, name = runner.size, "transactions of the database, {}"
    settings = {**subject.ports(), **subject.requests(), "seconds": size.clustered_seconds}
    resting, began = _transactions(postgres, subject), time.monotonic()
    time.sleep(size.clustered_seconds)
    resting, rested = _transactions(postgres, subject) - resting, time.monotonic() - began
    polling, began = _transactions(postgres, subject), time.monotonic()
    polls = runner.generator.run("idle", settings)["polls"]
    polling, polled = _transactions(postgres, subject) - polling, time.monotonic() - began
    add = runner.results.add
    add(rate("idle polls on PostgreSQL"), subject.name, polls["rate"])
    add(Metric(name=name.format("no polls"), unit="/s"), subject.name, resting / rested)
    add(Metric(name=name.format("idle polls"), unit="/s"), subject.name, polling / polled)


_STATISTICS_DELAY = 1.2
"""Seconds after which sessions have reported their transactions."""


def _transactions(postgres: Postgres, subject: Processes) -> int:
    time.sleep(_STATISTICS_DELAY)
    with postgres.connect(subject.url) as connection:
        row = connection.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None, "each database has statistics"
    return int(row[0])


def _commit(postgres: Postgres) -> float:
    """Milliseconds that the commit of one row takes: the median of many."""
    durations = []
    with postgres.connect() as connection:
        connection.execute("CREATE TABLE one AS SELECT 0 AS row")
        for _ in range(100):
            began = time.monotonic()
            connection.execute("UPDATE one SET row = row + 1")
            durations.append(time.monotonic() - began)
    return statistics.median(durations) * 1000


def _note_targets(runner: Runner) -> None:
    name, figure = cycle_metric(runner.size.clustered), runner.results.figure
    sqlite, one = figure(name, PUSHD), figure(name, on_postgres(1))
    spent = [_spent(runner, count) for count in (1, 2)]
    if sqlite and one and all(spent):
        share, gain = one / sqlite, 2 * sum(spent[0]) / sum(spent[1])
        runner.results.notes.append(
            f"one process on PostgreSQL makes {share:.2f} x the cycles of one on SQLite (target {MIN_ONE}:"
            f" {_reached(share, MIN_ONE)}), on two cores that PostgreSQL shares with the generator"
        )
        runner.results.notes.append(
            f"two processes can make {gain:.2f} x the cycles of one, by CPU time of processes and database (target"
            f" {MIN_TWO}: {_reached(gain, MIN_TWO)})"
        )


def _reached(value: float, target: float) -> str:
    return "yes" if value >= target else "NO"


def _spent(runner: Runner, count: int) -> tuple[float, float]:
    """Microseconds of CPU time that a cycle takes the processes, and PostgreSQL."""
    name, figure = cycle_metric(runner.size.clustered), runner.results.figure
    own = figure(cpu_time(name).name, on_postgres(count)) or 0.0
    return own, figure(cpu_time(f"{name}, PostgreSQL").name, on_postgres(count)) or 0.0


@frozen
class Limit:
    """What bounds the cycles per second of a machine."""

    cycles: float
    text: str


def _extrapolate(runner: Runner, serial: float) -> None:
    """Note what 8 and 32 cores can do, by the CPU time of cycles with two processes, and by what is serial.

    :param serial: microseconds of a cycle in which a transaction holds the row of the feed, without its commit.
    """
    own, database = _spent(runner, 2)
    commit = runner.results.figure("commit of one row on PostgreSQL", on_postgres(1))
    if not (own and database and commit):
        return
    one_by_one = Limit(
        1e6 / (serial + OPERATIONS * commit * 1000 / MAX_GROUP),
        f"commits one after the other, {commit:.2f} ms each, in groups of {MAX_GROUP}",
    )
    for cores in (8, 32):
        processes = max(round(cores * own / (own + database)), 1)
        of_all = Limit(cores * 1e6 / (own + database), "the CPU time of all cores")
        first, second = sorted((of_all, one_by_one), key=lambda limit: limit.cycles)
        runner.results.notes.append(
            f"computed for {cores} cores, {processes} processes: up to {first.cycles:,.0f} cycles/s, half of which to"
            f" plan with; the first limit is {first.text}, the next {second.text} ({second.cycles:,.0f}/s)"
        )
