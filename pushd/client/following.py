"""
Waiting for a command before an operator's eyes.
"""

import sys

from twisted.internet.defer import CancelledError

from pushd.client.api import AdminClient
from pushd.client.connection import Json
from pushd.client.outcome import Outcome, outcome
from pushd.client.screen import progress, tell_json, tell_outcome
from pushd.client.session import complain
from pushd.client.waiting import ROUND, until_ended

LIVELY_ROUND = 5.0
"""Seconds between two looks while somebody watches the progress."""


async def settle(client: AdminClient, command: Json, limit: float, *, as_json: bool) -> Outcome:
    """
    Wait for a command to end, ``limit`` seconds at most, and say what became of it.
    """
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
