"""Waiting for a command to end."""

import math
from collections.abc import Callable

from twisted.internet.task import deferLater

from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.exit_codes import Outcome, outcome

FOREVER = math.inf

ROUND = 60.0
"""Seconds that the server may be asked to wait at a time; it takes no more."""

PAUSE = 1.0
"""Seconds between two questions, should the server not wait as it was asked to."""


async def until_ended(
    client: AdminClient,
    command: Json,
    limit: float,
    tell: Callable[[Json], None],
    round_length: float = ROUND,
) -> Json:
    """The command once it has ended, or as it stands after ``limit`` seconds.

    ``tell`` is told how it stands after each round, of ``round_length`` seconds.
    """
    clock = client.clock
    until = clock.seconds() + limit
    while outcome(command) is Outcome.OPEN and (left := until - clock.seconds()) > 0:
        began = clock.seconds()
        command = await client.command(command["id"], wait=min(left, round_length))
        tell(command)
        pause = min(PAUSE, left)
        if outcome(command) is Outcome.OPEN and clock.seconds() - began < pause:
            await deferLater(clock, pause)
    return command
