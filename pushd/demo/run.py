"""Runs the demo: starts the programs, sends the commands, shows the outcomes, and keeps running until Ctrl-C."""

import signal
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
from attrs import define
from rich.console import Console
from treq.client import HTTPClient
from twisted.internet import task
from twisted.internet.defer import CancelledError, Deferred, FirstError, ensureDeferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.client import Agent

from pushd.demo.display import CommandTable
from pushd.demo.layout import Layout, PortTaken, free_ports
from pushd.demo.processes import ProgramExited, ProgramGroup, foreground
from pushd.demo.scenario import LONG_WORK, Step, find_fault, steps_for
from pushd.demo.showcase import invite, name_devices, open_doors, register_devices
from pushd.lib.http_client import BoundedConnectionPool
from pushd.model.device import Admission
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.errors import ClientError, Misconfigured
from pushd.pushctl.profiles import Profiles
from pushd.pushctl.server_address import ServerOptions, find_server
from pushd.pushctl.wait import wait_until_ended

INTERRUPTED = 130
"""The exit code of ``--once`` if Ctrl-C ends it."""

CHECK_INTERVAL = 0.2
"""Seconds between two checks whether the server or the devices are ready."""

SERVER_TIMEOUT = 30.0
"""Seconds within which the server must be ready."""

DEVICES_TIMEOUT = 60.0
"""Seconds within which every device must have polled."""

COMMAND_TIMEOUT = 120.0
"""Seconds within which each command must end; the longest takes 40."""

UPDATE_INTERVAL = 2.0
"""Seconds within which the table shows a new state of a command."""

_PORT = click.IntRange(0, 65534)


class NotReady(Exception):
    """The server or the devices were not ready in time."""


@click.command()
@click.option("--once", is_flag=True, help="Exit when the commands have ended: 0 if all ended as expected, else 1.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default="demo-data",
    show_default=True,
    help="Directory for the data of the server and all logs.",
)
@click.option(
    "--port",
    type=_PORT,
    default=8080,
    show_default=True,
    help="Port for devices; the admin API is on the next one. 0: any two free ports.",
)
@click.option("--devices-port", type=_PORT, help="Port for devices, instead of --port.")
@click.option("--admin-port", type=_PORT, help="Port of the admin API, instead of the one after --port.")
@click.option("--controlid", type=click.IntRange(0, 100), default=5, show_default=True, help="Control iD devices.")
@click.option("--servereye", type=click.IntRange(0, 100), default=5, show_default=True, help="Server-Eye containers.")
def main(*, data_dir: Path, port: int, devices_port: int | None, admin_port: int | None, **others: Any) -> None:
    """Start pushd and simulated devices, send commands to them, and show the outcomes.

    All data and logs are in the data directory; a second start uses them again.
    """
    devices_port = port if devices_port is None else devices_port
    admin_port = (port + 1 if port else 0) if admin_port is None else admin_port
    try:
        devices_port, admin_port = free_ports(devices_port, admin_port)
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (PortTaken, OSError) as error:
        raise click.ClickException(str(error)) from None
    layout = Layout(data_dir=data_dir.resolve(), devices_port=devices_port, admin_port=admin_port, **others)
    try:
        with foreground():
            task.react(lambda reactor: _on_reactor(layout, reactor))
    except KeyboardInterrupt:  # before the reactor, which handles the signal while it runs
        raise SystemExit(INTERRUPTED if layout.once else 0) from None


def _on_reactor(layout: Layout, reactor: Any) -> Deferred[None]:
    programs = ProgramGroup(reactor, reactor)
    running = ensureDeferred(_run(layout, programs, reactor))

    def stop() -> Deferred[None]:
        # a second Ctrl-C must not interrupt the end of the programs
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # first of all, so that the end of a program is not taken for an error
        running.cancel()
        return programs.stop()

    reactor.addSystemEventTrigger("before", "shutdown", stop)
    return running


async def _run(layout: Layout, programs: ProgramGroup, reactor: Any) -> None:
    """The whole demo; ends with its exit code."""
    await deferLater(reactor, 0)  # once the reactor handles signals, no program is left behind
    table = CommandTable(Console())
    http = HTTPClient(Agent(reactor, pool=BoundedConnectionPool(reactor)))
    try:
        client, devices = await _run_commands(layout, programs, table, http, reactor)
        _print_outcome(table)
        if not layout.once:
            login = await programs.while_running(_show_more(layout, programs, client, devices))
            click.echo(layout.next_steps(login))
            with suppress(CancelledError):
                await programs.while_running(_forever())
    except NotReady as error:
        click.echo(f"{error} The logs are in {layout.data_dir}.", err=True)
        raise SystemExit(1) from None
    except (ClientError, ProgramExited) as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    except CancelledError:
        _print_outcome(table)
        if layout.once:
            raise SystemExit(INTERRUPTED) from None
    raise SystemExit(1 if table.faults() else 0)


async def _run_commands(
    layout: Layout, programs: ProgramGroup, table: CommandTable, http: HTTPClient, clock: IReactorTime
) -> tuple[AdminClient, list[Json]]:
    table.print_text(f"Starting the server; its data is in {layout.data_dir} ...")
    programs.start("server", layout.log("server"), layout.server())
    client = await programs.while_running(wait_for_server(layout.url, layout.data_dir, http, clock))
    count = layout.controlid + layout.servereye
    table.print_text(f"Starting {count} simulated devices ...")
    programs.start("simulator", layout.log("simulator"), layout.simulator())
    devices = await programs.while_running(wait_for_devices(client, count))
    await programs.while_running(name_devices(client, devices))
    table.print_text(f"All devices are online. Sending commands; one of each container's takes {LONG_WORK} s ...")
    await programs.while_running(send_commands(client, devices, table))
    return client, devices


async def _show_more(layout: Layout, programs: ProgramGroup, client: AdminClient, devices: list[Json]) -> str:
    """Start the devices that need an operator; returns the address of the dashboard's log-in."""
    await register_devices(client)
    programs.start("forgetful-simulator", layout.log("forgetful-simulator"), layout.forgetful_device())
    programs.start("changing-simulator", layout.log("changing-simulator"), layout.changing_devices())
    await open_doors(client, devices)
    return await invite(client)


def _print_outcome(table: CommandTable) -> None:
    table.print_all()
    table.print_text(table.summary())


async def _forever() -> None:
    await Deferred()


async def wait_for_server(url: str, data_dir: Path, http: HTTPClient, clock: IReactorTime) -> AdminClient:
    """A client of the server, once it has written its token and is ready.

    :raises NotReady: if it is not ready in time.
    """
    until = clock.seconds() + SERVER_TIMEOUT
    while clock.seconds() < until:
        with suppress(Misconfigured):
            server = find_server(ServerOptions(url=url, data_dir=data_dir), Profiles)
            client = AdminClient.of_server(server, http, clock)
            if await client.is_ready():
                return client
        await deferLater(clock, CHECK_INTERVAL)
    raise NotReady(f"The server is not ready after {SERVER_TIMEOUT:g} s.")


async def wait_for_devices(client: AdminClient, count: int) -> list[Json]:
    """Approve the devices that poll, and return them once there are ``count`` of them; the server may know others from
    an earlier start.

    :raises NotReady: if there are too few in time.
    """
    polling: dict[str, Json] = {}
    until = client.clock.seconds() + DEVICES_TIMEOUT
    while client.clock.seconds() < until:
        for device in await client.devices():
            if device.get("polling"):
                if device["admission"] == Admission.PENDING:
                    await client.approve(device["id"])
                polling[device["id"]] = device
        if len(polling) >= count:
            return [polling[name] for name in sorted(polling)]
        await deferLater(client.clock, CHECK_INTERVAL)
    raise NotReady(f"Only {len(polling)} of {count} devices are online after {DEVICES_TIMEOUT:g} s.")


async def send_commands(client: AdminClient, devices: list[Json], table: CommandTable) -> None:
    """Send each device its commands, all devices at the same time; returns when every command has ended."""
    user_id = int(client.clock.seconds())  # a new user at each start: devices may have the earlier ones
    with table.live():
        await _in_parallel(
            [DeviceRun(client, table, device["id"]).run(steps_for(device["dialect"], user_id)) for device in devices]
        )


@define(eq=False)
class DeviceRun:
    """Sends the commands of one device."""

    _client: AdminClient
    _table: CommandTable
    _device: str

    async def run(self, steps: tuple[Step, ...]) -> None:
        """Send the commands one after the other, and the parallel ones at once."""
        parallel = [self._step(step) for step in steps if step.parallel]
        await _in_parallel([*parallel, self._in_sequence([step for step in steps if not step.parallel])])

    async def _in_sequence(self, steps: list[Step]) -> None:
        for step in steps:
            await self._step(step)

    async def _step(self, step: Step) -> None:
        row = self._table.add(self._device, step.title)
        options = {} if step.ttl is None else {"ttl": step.ttl}
        command = await self._client.send(self._device, {"payload": step.payload, **options}, key=str(uuid4()))
        self._table.update(row, command)
        command = await wait_until_ended(
            self._client, command, COMMAND_TIMEOUT, lambda now: self._table.update(row, now), UPDATE_INTERVAL
        )
        self._table.end(row, command, find_fault(step, command))


async def _in_parallel(coroutines: list[Coroutine[Deferred[Any], Any, None]]) -> None:
    """Run all at the same time; the first error cancels the others."""
    running = [ensureDeferred(coroutine) for coroutine in coroutines]
    try:
        await gatherResults(running, consumeErrors=True)
    except FirstError as first:
        first.subFailure.raiseException()
    finally:
        for deferred in running:
            deferred.cancel()
