"""``python -m pushd.demo``: the server, ten simulated devices and a programme of commands, to see how it works."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from treq.client import HTTPClient
from twisted.internet import task
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import Agent, HTTPConnectionPool

from pushd.demo.display import Board
from pushd.demo.layout import PortTaken, Setting, free_ports
from pushd.demo.processes import Died, Household
from pushd.demo.scenario import LONG_WORK
from pushd.demo.stage import NotInTime, Play, gather, reach
from pushd.pushctl.errors import ClientError

INTERRUPTED = 130
"""The exit code of what Ctrl-C ended before it was done."""


@click.command()
@click.option("--once", is_flag=True, help="End by itself: exit code 0 if every outcome was the expected one, else 1.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), default="demo-data", show_default=True)
@click.option(
    "--devices-port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any free one."
)
@click.option("--admin-port", type=click.IntRange(0, 65535), default=8081, show_default=True, help="0: any.")
@click.option("--controlid", type=click.IntRange(0, 100), default=5, show_default=True, help="Control iD devices.")
@click.option("--servereye", type=click.IntRange(0, 100), default=5, show_default=True, help="Server-Eye containers.")
def main(*, data_dir: Path, devices_port: int, admin_port: int, **others: Any) -> None:
    """Start pushd and some simulated devices, send them commands, and show what comes of it.

    All state and logs are in the data directory; a second start there goes on where the first one ended.
    """
    try:
        devices_port, admin_port = free_ports(devices_port, admin_port)
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (PortTaken, OSError) as error:
        raise click.ClickException(str(error)) from None
    setting = Setting(data_dir=data_dir.resolve(), devices_port=devices_port, admin_port=admin_port, **others)

    def on_reactor(reactor: Any) -> Deferred[None]:
        household = Household(reactor, reactor)
        running = ensureDeferred(_show(setting, household, reactor))
        # in this order: what waits is told first, so that no dying child is taken for an accident
        reactor.addSystemEventTrigger("before", "shutdown", running.cancel)
        reactor.addSystemEventTrigger("before", "shutdown", household.end)
        return running

    task.react(on_reactor)


async def _show(setting: Setting, household: Household, reactor: Any) -> None:
    """The whole demo, and its exit code."""
    board = Board(Console())
    http = HTTPClient(Agent(reactor, pool=HTTPConnectionPool(reactor)))
    try:
        await _play(setting, household, board, http, reactor)
        if not setting.once:
            await _stay(setting, household)
    except (ClientError, Died, NotInTime) as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    except CancelledError:
        raise SystemExit(INTERRUPTED) from None
    raise SystemExit(1 if board.unexpected() else 0)


async def _play(setting: Setting, household: Household, board: Board, http: HTTPClient, clock: IReactorTime) -> None:
    click.echo(f"Starting the server in {setting.data_dir} ...")
    household.start("server", setting.log("server"), setting.server())
    client = await household.watch_over(reach(setting.url, setting.data_dir, http, clock))
    count = setting.controlid + setting.servereye
    click.echo(f"Starting {count} simulated devices ...")
    household.start("simulator", setting.log("simulator"), setting.simulator())
    devices = await household.watch_over(gather(client, count))
    click.echo(f"All are online. Each does its programme; a container works for {LONG_WORK} s on one of its commands.")
    await household.watch_over(Play(client, board).perform(devices))
    board.close()
    click.echo(board.summary())


async def _stay(setting: Setting, household: Household) -> None:
    click.echo(setting.farewell())
    with suppress(CancelledError):
        await household.watch_over(_for_ever())


async def _for_ever() -> None:
    await Deferred()


if __name__ == "__main__":
    main()
