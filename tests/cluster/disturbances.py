"""What happens while commands are sent: nodes die, stand still and lose the database, and PostgreSQL dies."""

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from enum import StrEnum
from random import Random
from typing import Any

import psycopg
from attrs import define, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.cluster.config import ClusterConfig
from tests.cluster.fleet import patient_of
from tests.cluster.network import Network
from tests.cluster.recovery import Recovery
from tests.harness.operator import Operator
from tests.harness.postgres_process import PostgresProcess
from tests.harness.server_process import ServerProcess

PAUSE = (1.0, 4.0)
"""Seconds between two disturbances."""

OUT = (10.5, 16.0)
"""Seconds for which a node stands still or is cut off: longer than its leases, and than others wait for its beats."""

LONG = (26.0, 30.0)
"""Seconds for which a node is cut off that misses the heartbeat timeouts of devices that others serve."""

BRIEFLY = (1.5, 9.0)
"""Seconds for which a node stands still or is cut off after a claim: longer than the lease of what it claimed."""

DOWN = (0.0, 6.0)
"""Seconds until a node that was killed, or PostgreSQL, is started again."""

OVERLAP = 0.5
"""How often others are killed while a node stands still or is cut off."""

_POLL_SECONDS = 2.0
"""After so long a device that waits at a node polls again."""

_CLAIM_SECONDS = 20.0
"""Within so long a command is claimed for a device that waits."""

_STEP = 0.1


class Disturbance(StrEnum):
    """What happens."""

    KILLED = "a node was killed"
    STALLED = "a node stood still"
    STALLED_AFTER_CLAIM = "a node stood still between a claim and its answer"
    CUT_OFF = "a node was cut off from the database"
    CUT_OFF_LONG = "a node was cut off for longer than heartbeat timeouts"
    CUT_OFF_AFTER_CLAIM = "a node was cut off between a claim and its answer"
    SESSIONS_ENDED = "a node lost its sessions with the database"
    ALL_SESSIONS_ENDED = "the sessions of all nodes were ended"
    DATABASE_KILLED = "PostgreSQL was killed"


_KILLS_OF_EACH = 6
"""Kills of nodes for each other disturbance of every kind."""


@frozen(kw_only=True)
class Node:
    """A node, with what the harness can do to it."""

    number: int
    """From 0."""
    process: ServerProcess
    network: Network

    def stop(self) -> int:
        """Stop the process, which can be continued; its id."""
        pid = self.process.pid
        os.kill(pid, signal.SIGSTOP)
        return pid


@define(eq=False, kw_only=True)
class Disturbances:
    """Causes them, one after the other, at random nodes."""

    reactor: Any
    config: ClusterConfig
    nodes: Sequence[Node]
    database: PostgresProcess
    chance: Random
    recovery: Recovery
    counts: Counter[Disturbance]

    async def run(self, until: float, operator: Operator) -> None:
        """Disturb nodes until that moment of the reactor's clock, and until enough were killed; in the end all run."""
        for kind in self._kinds():
            if self.reactor.seconds() > until and self.counts[Disturbance.KILLED] >= self.config.kills:
                return
            await self._pause(PAUSE)
            self.counts[kind] += 1
            await self._cause(kind, self.chance.choice(self.nodes), operator)

    def _kinds(self) -> Iterator[Disturbance]:
        """Kinds of disturbances, endlessly: each as often as others before any is repeated, but kills."""
        chosen = [kind for kind in Disturbance if not self.config.faults or kind.name in self.config.faults]
        kills = [kind for kind in chosen if kind is Disturbance.KILLED] * (_KILLS_OF_EACH - 1)
        while True:
            yield from self.chance.sample([*chosen, *kills], len(chosen) + len(kills))

    async def _cause(self, kind: Disturbance, node: Node, operator: Operator) -> None:
        if kind is Disturbance.KILLED:
            await self._kill(node, kind, await self.recovery.held())
        elif kind in (Disturbance.STALLED_AFTER_CLAIM, Disturbance.CUT_OFF_AFTER_CLAIM):
            await self._interrupt_claim(kind, node, operator)
        elif kind is Disturbance.DATABASE_KILLED:
            await self._kill_database()
        elif kind in (Disturbance.SESSIONS_ENDED, Disturbance.ALL_SESSIONS_ENDED):
            port = node.process.config.admin_port if kind is Disturbance.SESSIONS_ENDED else None
            await self._measured(kind, lambda: deferToThread(end_sessions, self.config.store, port))
        elif kind is Disturbance.STALLED:
            pids: list[int] = []
            await self._take_out(kind, node, OUT, lambda: pids.append(node.stop()))
            os.kill(pids[0], signal.SIGCONT)
        else:
            bounds = LONG if kind is Disturbance.CUT_OFF_LONG else OUT
            await self._take_out(kind, node, bounds, node.network.cut)
            node.network.mend()

    async def _kill(self, node: Node, what: str, before: int, without: int | None = None) -> None:
        """Kill a node and start it again; ``before`` and ``without`` are as in :meth:`Recovery.measure`."""
        fault = self.recovery.fault()
        await node.process.kill_and_wait()
        recovering = Deferred.fromCoroutine(self.recovery.measure(what, fault, before, without))
        await self._pause(DOWN)
        node.process.start()
        await node.process.wait_ready()
        await recovering

    async def _kill_database(self) -> None:
        before, fault = await self.recovery.held(), self.recovery.fault()
        self.database.kill()
        await self._pause(DOWN)
        await deferToThread(self.database.start)
        await self.recovery.measure(f"{Disturbance.DATABASE_KILLED}, from its restart on", fault, before)

    async def _take_out(
        self, kind: Disturbance, node: Node, bounds: tuple[float, float], take_out: Callable[[], None]
    ) -> None:
        """Take a node out, and wait for some seconds and until the others serve all devices: then it may come back.
        Others may be killed meanwhile.
        """
        until = self.reactor.seconds() + self.chance.uniform(*bounds)
        before, fault = await self.recovery.held(), self.recovery.fault()
        take_out()
        recovering = Deferred.fromCoroutine(self.recovery.measure(kind, fault, before, without=node.number))
        if self.chance.random() < OVERLAP:
            await self._kill_others(node, until, before)
        await deferLater(self.reactor, max(until - self.reactor.seconds(), 0))
        await recovering

    async def _kill_others(self, node: Node, until: float, before: int) -> None:
        while True:
            await self._pause(PAUSE)
            if self.reactor.seconds() > until:
                return
            self.counts[Disturbance.KILLED] += 1
            other = self.chance.choice([other for other in self.nodes if other is not node])
            await self._kill(other, f"{Disturbance.KILLED} while another one was out", before, node.number)

    async def _interrupt_claim(self, kind: Disturbance, node: Node, operator: Operator) -> None:
        """Let a node be silent from the commit of a claim on, for longer than the lease of what was claimed."""
        await self._pause((_POLL_SECONDS, _POLL_SECONDS))
        self.recovery.fault()
        request = operator.workload.brief(patient_of(node.number))
        node.network.cut_after_claim()
        sending = Deferred.fromCoroutine(operator.send(request))
        until = self.reactor.seconds() + _CLAIM_SECONDS
        while not node.network.is_cut and self.reactor.seconds() < until:
            await deferLater(self.reactor, _STEP)
        if node.network.is_cut:
            operator.journal.record(request.device, "suspended", key=request.key)
            pid = node.stop() if kind is Disturbance.STALLED_AFTER_CLAIM else None
            if pid is not None:
                node.network.mend()
            for _ in range(round(self.chance.uniform(*BRIEFLY) / _STEP)):  # what arrives is recorded in between
                await deferLater(self.reactor, _STEP)
            operator.journal.record(request.device, "resumed", key=request.key)
            if pid is None:
                node.network.mend()
            else:
                os.kill(pid, signal.SIGCONT)
        await sending

    async def _measured(self, what: str, cause: Callable[[], Awaitable[object]]) -> None:
        before, fault = await self.recovery.held(), self.recovery.fault()
        await cause()
        await self.recovery.measure(what, fault, before)

    async def _pause(self, bounds: tuple[float, float]) -> None:
        await deferLater(self.reactor, self.chance.uniform(*bounds))


def end_sessions(store: str, port: int | None) -> None:
    """End the sessions of the node with this port, or of all nodes, as the failure of a network or of the database."""
    pattern = "pushd/%" if port is None else f"pushd/%:{port}%"
    with closing(psycopg.connect(store, autocommit=True)) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE %s AND pid <> pg_backend_pid()",
            (pattern,),
        )
