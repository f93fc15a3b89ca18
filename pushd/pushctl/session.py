"""What all commands of ``pushctl`` share: find the server, run with a client, report errors, set the exit code."""

import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from attrs import frozen
from click.core import ParameterSource
from treq.client import HTTPClient
from twisted.internet import defer, task
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import Agent

from pushd.lib.http_client import BoundedConnectionPool
from pushd.lib.resolver import install_resolver
from pushd.lib.text import printable
from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.errors import ClientError, OutcomeUnknown, Refused, Unreachable, Withheld
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.output import print_json
from pushd.pushctl.profiles import load_profiles, profiles_path
from pushd.pushctl.progress import reading_progress
from pushd.pushctl.server_address import (
    DEFAULT_DATA_DIR,
    TOKEN_VARIABLE,
    ServerAddress,
    ServerOptions,
    find_server,
)

CONNECT_TIMEOUT = 10.0
"""Seconds that connecting to the server may take."""

Program = Callable[[HTTPClient, IReactorTime], Coroutine[Deferred[Any], Any, None]]
"""What runs on the reactor; it ends with :exc:`SystemExit`."""

Work = Callable[[AdminClient], Coroutine[Deferred[Any], Any, ExitCode | None]]
"""What one command does; None is :attr:`ExitCode.SUCCEEDED`."""


WorkOverHttp = Callable[[HTTPClient, IReactorTime], Coroutine[Deferred[Any], Any, ExitCode | None]]


@frozen(kw_only=True)
class Session:
    """One call of ``pushctl``: the options that all commands share, and ``run``, which runs a program."""

    options: ServerOptions
    run: Callable[[Program], None]

    @classmethod
    def of(cls, context: click.Context) -> "Session":
        """The session of a call: its options are those of the outermost context, whose object may be another ``run``.

        :raises click.UsageError: if options contradict each other.
        """
        root = context.find_root()
        return cls(options=_server_options(root), run=root.obj or run_on_reactor)

    @property
    def data_dir(self) -> Path:
        """The data directory of a server on this machine."""
        return self.options.data_dir or DEFAULT_DATA_DIR

    def perform(self, work: Work) -> None:
        """Do the work, and exit with its exit code."""
        self.perform_over_http(lambda http, clock: work(self._client(http, clock)))

    def perform_over_http(self, work: WorkOverHttp) -> None:
        """Do work that needs more than the selected server, and exit with its exit code."""

        async def program(http: HTTPClient, clock: IReactorTime) -> None:
            with reported_errors():
                raise SystemExit(await work(http, clock) or ExitCode.SUCCEEDED)

        self.run(program)

    def attempt(self, work: Work, timeout: float) -> None:
        """Do the work within ``timeout`` seconds, or not; errors are not reported."""

        async def program(http: HTTPClient, clock: IReactorTime) -> None:
            with suppress(ClientError, defer.TimeoutError):
                await ensureDeferred(work(self._client(http, clock))).addTimeout(timeout, clock)
            raise SystemExit

        with suppress(SystemExit):
            self.run(program)

    def server(self) -> ServerAddress:
        """The selected server, and the token for it.

        :raises Misconfigured: if the URL or the token cannot be used, or there is none.
        """
        return find_server(self.options, lambda: load_profiles(profiles_path()))

    def _client(self, http: HTTPClient, clock: IReactorTime) -> AdminClient:
        server = self.server()
        return AdminClient.of_server(server, http, clock, reading_progress)


@contextmanager
def reported_errors() -> Iterator[None]:
    """Exit with a message and an exit code, instead of an error that the operator can understand."""
    try:
        yield
    except ClientError as error:
        print_error(str(error))
        raise SystemExit(ExitCode.UNKNOWN if isinstance(error, OutcomeUnknown) else ExitCode.REFUSED) from None
    except click.UsageError as error:  # which click itself shows only if it is raised before the reactor runs
        error.ctx = error.ctx or click.get_current_context(silent=True)
        error.show()
        raise SystemExit(ExitCode.MISUSED) from None
    except (CancelledError, click.Abort):
        raise SystemExit(ExitCode.INTERRUPTED) from None
    except BrokenPipeError:  # as of "pushctl events | head": its reader has seen enough
        _discard_stdout()
        raise SystemExit(ExitCode.SUCCEEDED) from None


def _server_options(context: click.Context) -> ServerOptions:
    """The options that select the server. Those on the command line win over all environment variables.

    :raises click.UsageError: if a profile and something else are on the command line.
    """
    typed = {name for name in _SELECTING if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    profile = context.params.get("profile")
    if profile is None or (typed and "profile" not in typed):
        given = {name: context.params.get(name) for name in _SELECTING if name != "profile"}
        return ServerOptions(**given, token_source="--token" if "token" in typed else TOKEN_VARIABLE)
    if len(typed) > 1:
        raise click.UsageError("--profile selects the URL and the token: leave out --url, --token and --data-dir.")
    return ServerOptions(profile=profile)


_SELECTING = ("url", "token", "data_dir", "profile")


def with_client(command: Callable[..., Coroutine[Deferred[Any], Any, ExitCode | None]]) -> Callable[..., None]:
    """Make the callback of a click command of a coroutine function that takes an :class:`AdminClient` and the options.

    What it returns is the exit code; None is :attr:`ExitCode.SUCCEEDED`. Of a group that is also a command, such as
    ``pushctl devices``, it runs only if no command of the group follows.
    """

    @click.pass_context
    @wraps(command)
    def callback(context: click.Context, /, **options: Any) -> None:
        if context.invoked_subcommand is None:
            context.obj.perform(lambda client: command(client, **options))

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
        except (Refused, Withheld) as error:
            print_error(f"{name}: {error}")
            return ExitCode.REFUSED
        if as_json:
            print_json(result)
        else:
            terminal.echo(f"{printable(name)} {describe(result)}")
        return ExitCode.SUCCEEDED

    return max([await call_one(name) for name in ids])


@contextmanager
def in_doubt(advice: str) -> Iterator[None]:
    """If there was no answer to a request that may have been carried out, print what to do.

    :raises OutcomeUnknown: if the server may have received the request.
    """
    try:
        yield
    except Unreachable as error:
        if error.never_sent:
            raise
        print_error(advice)
        raise OutcomeUnknown(str(error)) from None
    except CancelledError:
        print_error(advice)
        raise


def names_key(key: str) -> AbstractContextManager[None]:
    """If there was no answer to a request, name its idempotency key: with it the request can be repeated.

    :raises OutcomeUnknown: if the server may have received the request.
    """
    return in_doubt(
        f"the command may have been accepted; the same call with --idempotency-key {key} does not send it twice"
    )


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
