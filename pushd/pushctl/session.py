"""What every command of ``pushctl`` does around its own work: find the server, ask, complain, tell the outcome."""

import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

import click
from attrs import field, frozen
from treq.client import HTTPClient
from twisted.internet import task
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import Agent, HTTPConnectionPool

from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Connection
from pushd.pushctl.errors import ClientError
from pushd.pushctl.exit_codes import Outcome
from pushd.pushctl.server_address import find_target

CONNECT_TIMEOUT = 10.0
"""Seconds until a server that does not even refuse counts as not there."""

Program = Callable[[HTTPClient, IReactorTime], Coroutine[Deferred[Any], Any, None]]
"""Something to run with a way to ask and a clock; it ends by :exc:`SystemExit`."""

Work = Callable[[AdminClient], Coroutine[Deferred[Any], Any, Outcome]]
"""What one command does with the server."""


@frozen(kw_only=True)
class Session:
    """One call of ``pushctl``: which server, and what runs the work."""

    url: str
    token: str | None = field(repr=False)
    data_dir: Path
    run: Callable[[Program], None]

    def perform(self, work: Work) -> None:
        """Do the work, and end the program with its outcome as the exit code."""

        async def program(http: HTTPClient, clock: IReactorTime) -> None:
            try:
                raise SystemExit(await work(self._client(http, clock)))
            except ClientError as error:
                complain(str(error))
                raise SystemExit(Outcome.REFUSED) from None
            except CancelledError:
                raise SystemExit(Outcome.INTERRUPTED) from None
            except BrokenPipeError:
                _forget_stdout()
                raise SystemExit(Outcome.REFUSED) from None

        self.run(program)

    def _client(self, http: HTTPClient, clock: IReactorTime) -> AdminClient:
        target = find_target(self.url, self.token, self.data_dir)
        return AdminClient(Connection(treq=http, base=target.url, token=target.token, clock=clock))


def complain(message: str) -> None:
    """Tell the operator what is wrong, where it does not mix with what was asked for."""
    click.echo(f"pushctl: {message}", err=True)


def run_on_reactor(program: Program) -> NoReturn:
    """Run the program over the network; a signal cancels what it waits for."""

    def main(reactor: Any) -> Deferred[None]:
        agent = Agent(reactor, connectTimeout=CONNECT_TIMEOUT, pool=HTTPConnectionPool(reactor))
        running = ensureDeferred(program(HTTPClient(agent), reactor))
        reactor.addSystemEventTrigger("before", "shutdown", running.cancel)
        return running

    task.react(main)


def _forget_stdout() -> None:
    """Whoever read our output has left; without this the interpreter would complain once more as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
