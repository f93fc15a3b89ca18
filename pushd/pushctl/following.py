"""Waiting for a command before an operator's eyes."""

import sys

from twisted.internet.defer import CancelledError

from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.exit_codes import Outcome, outcome
from pushd.pushctl.output import progress, tell_json, tell_outcome
from pushd.pushctl.session import complain
from pushd.pushctl.wait import ROUND, until_ended

LIVELY_ROUND = 5.0
"""Seconds between two looks while somebody watches the progress."""


async def settle(client: AdminClient, command: Json, limit: float, *, as_json: bool) -> Outcome:
    """Wait for a command to end, ``limit`` seconds at most, and say what became of it."""
    command = await _patiently(client, command, limit, as_json=as_json)
    if as_json:
        tell_json(command)
    else:
        tell_outcome(command)
    return outcome(command)


async def _patiently(client: AdminClient, command: Json, limit: float, *, as_json: bool) -> Json:
    latest = command
    seen = sys.stderr.isatty() and not as_json

    def note(now: Json) -> None:
        nonlocal latest
        latest = now
        show(now)

    with progress(seen=seen) as show:
        show(command)
        try:
            return await until_ended(client, command, limit, note, LIVELY_ROUND if seen else ROUND)
        except CancelledError:
            complain(f"no longer waiting; it goes on, and so does: pushctl show {command['id']} --wait")
            return latest
