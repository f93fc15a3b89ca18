"""The demo's play: wait for the server and its devices, have each do its programme, and watch."""

from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from attrs import define
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, FirstError, ensureDeferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pushd.demo.display import Board
from pushd.demo.scenario import Step, judge, programme
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Connection, Json
from pushd.pushctl.errors import Misconfigured
from pushd.pushctl.server_address import find_server
from pushd.pushctl.wait import wait_until_ended

LOOK_AGAIN = 0.2
"""Seconds between two looks at what takes its time to come up."""

READY_WITHIN = 30.0
"""Seconds in which the server should be ready."""

ONLINE_WITHIN = 60.0
"""Seconds in which every device should have polled."""

END_WITHIN = 120.0
"""Seconds in which each command should end; the longest works for 40."""

LIVELY_ROUND = 2.0
"""Seconds after which the table shows a command's new state at the latest."""


class NotInTime(Exception):
    """Something did not come up."""


async def reach(url: str, data_dir: Path, http: HTTPClient, clock: IReactorTime) -> AdminClient:
    """A way to ask the server, once it is ready; it writes its token as it starts.

    :raises NotInTime: if it is not.
    """
    until = clock.seconds() + READY_WITHIN
    while clock.seconds() < until:
        with suppress(Misconfigured):
            server = find_server(url, None, data_dir)
            client = AdminClient(Connection(treq=http, base=server.url, token=server.token, clock=clock))
            if await client.is_ready():
                return client
        await deferLater(clock, LOOK_AGAIN)
    raise NotInTime(f"The server is not ready after {READY_WITHIN:g} s.")


async def gather(client: AdminClient, count: int) -> list[Json]:
    """The devices, once so many have been seen polling.

    The server may remember others from an earlier start: those that do not poll now do not take part.

    :raises NotInTime: if too few come.
    """
    present: dict[str, Json] = {}
    until = client.clock.seconds() + ONLINE_WITHIN
    while client.clock.seconds() < until:
        for device in await client.devices([("presence", "online")]):
            if device.get("polling"):
                present[device["id"]] = device
        if len(present) >= count:
            return [present[name] for name in sorted(present)]
        await deferLater(client.clock, LOOK_AGAIN)
    raise NotInTime(f"Only {len(present)} of {count} devices are online after {ONLINE_WITHIN:g} s.")


@define(eq=False)
class Play:
    """Has devices do their programmes, all at the same time."""

    _client: AdminClient
    _board: Board

    async def perform(self, devices: list[Json]) -> None:
        """Return when every command of every device has ended."""
        guest = int(self._client.clock.seconds())  # a new user at each start: readers may remember the others
        parts = [self._part(device["id"], programme(device["dialect"], guest)) for device in devices]
        with self._board.open():
            await _together(parts)

    async def _part(self, device: str, steps: tuple[Step, ...]) -> None:
        beside = [self._carry_out(device, step) for step in steps if step.beside]
        await _together([*beside, self._in_turn(device, [step for step in steps if not step.beside])])

    async def _in_turn(self, device: str, steps: list[Step]) -> None:
        for step in steps:
            await self._carry_out(device, step)

    async def _carry_out(self, device: str, step: Step) -> None:
        row = self._board.add(device, step.title)
        command = await self._client.send(device, {"payload": step.payload}, key=str(uuid4()))
        self._board.note(row, command)
        command = await wait_until_ended(
            self._client, command, END_WITHIN, lambda seen: self._board.note(row, seen), LIVELY_ROUND
        )
        self._board.settle(row, command, judge(step, command))


async def _together(parts: list[Coroutine[Deferred[Any], Any, None]]) -> None:
    """Do all at the same time; the first error ends the others."""
    running = [ensureDeferred(part) for part in parts]
    try:
        await gatherResults(running, consumeErrors=True)
    except FirstError as first:
        first.subFailure.raiseException()
    finally:
        for part in running:
            part.cancel()
