"""What all commands of ``pushctl`` share: find the server, run with a client, report errors, set the exit code."""

import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from attrs import field, frozen
from treq.client import HTTPClient
from twisted.internet import task
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import Agent

from pushd.lib.http_client import BoundedConnectionPool
from pushd.lib.resolver import install_resolver
from pushd.lib.text import printable
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Connection, Json
from pushd.pushctl.errors import ClientError, Refused
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.output import print_json
from pushd.pushctl.server_address import find_server

CONNECT_TIMEOUT = 10.0
"""Seconds that connecting to the server may take."""

Program = Callable[[HTTPClient, IReactorTime], Coroutine[Deferred[Any], Any, None]]
"""What runs on the reactor; it ends with :exc:`SystemExit`."""

Work = Callable[[AdminClient], Coroutine[Deferred[Any], Any, ExitCode | None]]
"""What one command does; None is :attr:`ExitCode.SUCCEEDED`."""


@frozen(kw_only=True)
class Session:
    """One call of ``pushctl``: the options that all commands share, and ``run``, which runs a program."""

    url: str
    token: str | None = field(repr=False)
    data_dir: Path
    run: Callable[[Program], None]

    def perform(self, work: Work) -> None:
        """Do the work, and exit with its exit code."""

        async def program(http: HTTPClient, clock: IReactorTime) -> None:
            try:
                raise SystemExit(await work(self._client(http, clock)) or ExitCode.SUCCEEDED)
            except ClientError as error:
                print_error(str(error))
                raise SystemExit(ExitCode.REFUSED) from None
            except CancelledError:
                raise SystemExit(ExitCode.INTERRUPTED) from None
            except BrokenPipeError:
                _discard_stdout()
                raise SystemExit(ExitCode.REFUSED) from None

        self.run(program)

    def _client(self, http: HTTPClient, clock: IReactorTime) -> AdminClient:
        server = find_server(self.url, self.token, self.data_dir)
        return AdminClient(Connection(treq=http, base=server.url, token=server.token, clock=clock))


def with_client(command: Callable[..., Coroutine[Deferred[Any], Any, ExitCode | None]]) -> Callable[..., None]:
    """Make the callback of a click command of a coroutine function that takes an :class:`AdminClient` and the options.

    What it returns is the exit code; None is :attr:`ExitCode.SUCCEEDED`.
    """

    @click.pass_obj
    @wraps(command)
    def callback(session: Session, /, **options: Any) -> None:
        session.perform(lambda client: command(client, **options))

    return callback


async def for_each(
    ids: Sequence[str],
    call: Callable[[str], Coroutine[Deferred[Any], Any, Json]],
    describe: Callable[[Json], str],
    *,
    as_json: bool,
) -> ExitCode:
    """Call for each id and print what it returns; if the server refuses one, go on and return the worst exit code."""

    async def call_one(name: str) -> ExitCode:
        try:
            result = await call(name)
        except Refused as error:
            print_error(f"{name}: {error}")
            return ExitCode.REFUSED
        if as_json:
            print_json(result)
        else:
            terminal.echo(f"{printable(name)} {describe(result)}")
        return ExitCode.SUCCEEDED

    return max([await call_one(name) for name in ids])


def print_error(message: str) -> None:
    """Print one line on stderr."""
    terminal.echo(f"pushctl: {printable(message)}", err=True)


def run_on_reactor(program: Program) -> NoReturn:
    """Run the program over the network; a signal cancels it."""

    def main(reactor: Any) -> Deferred[None]:
        install_resolver(reactor)  # a name server that does not answer must not delay the end
        agent = Agent(reactor, connectTimeout=CONNECT_TIMEOUT, pool=BoundedConnectionPool(reactor))
        running = ensureDeferred(program(HTTPClient(agent), reactor))
        reactor.addSystemEventTrigger("before", "shutdown", running.cancel)
        return running

    task.react(main)


def _discard_stdout() -> None:
    """Nothing reads stdout any more; without this the interpreter would report that once more as it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
