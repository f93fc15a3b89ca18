"""Presence strips of the dashboard: what a request for those of 25 devices takes, and what it does to wake-ups."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from itertools import cycle
from urllib.parse import urlencode

from benchmarks import event_history
from benchmarks.generator import MeasurementFailed, read_figures
from benchmarks.results import cpu_time, milliseconds
from benchmarks.runner import Runner
from benchmarks.server_names import PUSHD
from benchmarks.servers import HOST, Server
from benchmarks.start_commands import ServerOptions
from pushd.model.event import EventType
from tests.postgres import running_server

HOLD = 55

AT_ONCE = 25
"""Devices of one request, as the dashboard asks for them."""

EVERY = 0.1
"""Seconds between the beginnings of two requests of a page, at its highest rate."""

TYPES = (EventType.DEVICE_ONLINE, EventType.DEVICE_OFFLINE, EventType.DEVICE_SIGNED_OFF)

REQUESTS = 40
"""Measured without other load."""

PUTS = 200
"""Each second, while wake-ups are measured."""


def run(runner: Runner) -> None:
    """Measure pushd on SQLite and on PostgreSQL, each with fleets of several sizes and a day of their events."""
    with running_server() as postgres:
        for devices in runner.size.watched:
            data = event_history.make_sqlite(runner.factory.directory / f"watched-{devices}", devices)
            _measure(runner, devices, "SQLite", ServerOptions(hold=HOLD, data_dir=data))
            with postgres.database() as url:
                event_history.fill_postgres(url, devices)
                data = runner.factory.directory / f"watched-{devices}-postgres"  # of all servers, as its token is one
                _measure(runner, devices, "PostgreSQL", ServerOptions(hold=HOLD, data_dir=data, store=url))


def _measure(runner: Runner, devices: int, kind: str, options: ServerOptions) -> None:
    name = f"strips of {AT_ONCE} of {devices:,} devices, {kind}"
    servers = runner.make_servers([PUSHD], options)
    runner.restart_and_measure(servers, lambda server: measure(runner, server, devices, name))


def measure(runner: Runner, server: Server, devices: int, name: str) -> None:
    """Measure requests alone, and wake-ups with and without a page that asks for strips at its highest rate."""
    with _requests(server, devices) as requests:
        next(requests)
        cpu = server.cpu_seconds()
        durations = sorted(next(requests) for _ in range(REQUESTS))
        cpu = server.cpu_seconds() - cpu
        runner.results.add(cpu_time(name), server.name, cpu / REQUESTS * 1e6)
        runner.results.add(milliseconds(f"{name}, p50"), server.name, 1000 * durations[REQUESTS // 2])
        phases = f"{min(devices, 2_000)}:{PUTS}:{3 * runner.size.idle}"
        settings = {
            **server.ports,
            **server.requests().settings("put"),
            "phases": phases,
            "settle": runner.size.settle,
        }
        for is_asked in (False, True):
            with runner.generator.start("wake", settings) as process:
                while process.poll() is None:
                    taken = next(requests) if is_asked else 0
                    time.sleep(max(0, EVERY - taken))
                output, errors = process.communicate()
            if process.returncode:
                raise MeasurementFailed(errors.strip())
            [woken] = [each for each in read_figures(output).values() if isinstance(each, dict)]
            load = "with" if is_asked else "without"
            for statistic in ("p50", "p99", "worst"):
                metric = milliseconds(f"{name}: wake-up {load} them, {statistic}", statistic == "worst")
                runner.results.add(metric, server.name, 1000 * woken[statistic])


@contextmanager
def _requests(server: Server, devices: int) -> Iterator[Iterator[float]]:
    """Asks for strips, one request after the other, of other devices each time; gives the seconds that each took."""
    with closing(HTTPConnection(HOST, server.location.admin_port)) as connection:
        yield _ask_again_and_again(connection, server, devices)


def _ask_again_and_again(connection: HTTPConnection, server: Server, devices: int) -> Iterator[float]:
    token = (server.location.data_dir / "admin.token").read_text("ascii").strip()
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - event_history.DAY / 1000))
    for first in cycle(range(0, devices, AT_ONCE)):
        ids = [f"servereye:bench{number}" for number in range(first, first + AT_ONCE)]
        query = urlencode({"device": ids, "type": TYPES, "since": since, "limit": 500}, doseq=True)
        began = time.monotonic()
        connection.request("GET", f"/v1/events?{query}", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        items = json.loads(answer.read())["items"]
        if answer.status != 200 or not items:
            raise MeasurementFailed(f"strips were answered with {answer.status} and {len(items)} events")
        yield time.monotonic() - began
