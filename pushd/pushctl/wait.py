"""Waiting until a command ends."""

import math
import sys
from collections.abc import Callable

from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater

from pushd.model.admin_api import MAX_WAIT
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.errors import Unreachable
from pushd.pushctl.exit_codes import ExitCode, exit_code
from pushd.pushctl.output import print_json, print_outcome
from pushd.pushctl.progress import command_progress
from pushd.pushctl.session import print_error

FOREVER = math.inf

PROGRESS_INTERVAL = 5.0
"""Seconds between two requests while the progress is shown."""

MIN_INTERVAL = 1.0
"""Seconds between two requests if the server does not wait as it was asked to."""


async def wait_until_ended(
    client: AdminClient,
    command: Json,
    limit: float,
    on_update: Callable[[Json], None],
    interval: float = MAX_WAIT,
) -> Json:
    """The command once it has ended, or as it is after ``limit`` seconds.

    It is requested again at least every ``interval`` seconds, and each time passed to ``on_update``.
    """
    clock = client.clock
    until = clock.seconds() + limit
    while exit_code(command) is ExitCode.OPEN and (left := until - clock.seconds()) > 0:
        began = clock.seconds()
        command = await client.command(command["id"], wait=min(left, interval))
        on_update(command)
        pause = min(MIN_INTERVAL, left)
        if exit_code(command) is ExitCode.OPEN and clock.seconds() - began < pause:
            await deferLater(clock, pause)
    return command


async def wait_and_print(client: AdminClient, command: Json, limit: float, *, as_json: bool) -> ExitCode:
    """Wait ``limit`` seconds at most for a command to end, print it, and return its exit code.

    Ctrl-C ends the wait, and so does a server that does not answer any more; the command is printed as it was last
    seen.
    """
    latest = command
    lost = False
    again = f"To wait again: pushctl show {command['id']} --wait"
    visible = sys.stderr.isatty() and not as_json

    def update(now: Json) -> None:
        nonlocal latest
        latest = now
        show(now)

    with command_progress(visible=visible) as show:
        show(command)
        try:
            await wait_until_ended(client, command, limit, update, PROGRESS_INTERVAL if visible else MAX_WAIT)
        except CancelledError:
            print_error(f"stopped waiting; the command goes on. {again}")
        except Unreachable as error:
            print_error(f"{error}; the command was accepted. {again}")
            lost = True
    (print_json if as_json else print_outcome)(latest)
    return ExitCode.UNKNOWN if lost else exit_code(latest)
