"""
The fleet: all simulated devices, as one service that starts them and lets them go.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from attrs import field, frozen
from hyperlink import DecodedURL
from treq.client import HTTPClient
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.client import Agent, HTTPConnectionPool

from pushd.simulator import controlid, servereye
from pushd.simulator.controlid import ControlIdDevice
from pushd.simulator.faults import Fault, Faults, dice
from pushd.simulator.journal import Journal
from pushd.simulator.line import Line
from pushd.simulator.local_api import LocalApi
from pushd.simulator.push_service import PushService
from pushd.simulator.servereye import ServerEyeDevice

_IDLE_CONNECTION = 30
"""Seconds for which a connection is kept for the next request: less than servers keep theirs."""

_log = Logger()


class Device(Protocol):
    """
    A simulated device, whatever it speaks.
    """

    @property
    def id(self) -> str:
        """
        Its id in the words of a fleet: ``<dialect>:<its own id>``.
        """

    def start(self) -> None:
        """
        Let it poll.
        """

    def stop(self) -> Deferred[None]:
        """
        Let it go; fires when it has gone.
        """


@frozen(kw_only=True)
class Plan:
    """
    Which devices there are, how they behave, and where their server is; durations are in seconds.
    """

    server: DecodedURL
    controlid: Sequence[str] = ()
    servereye: Sequence[str] = ()
    base: Sequence[str] = ()
    """Segments of the path that Control iD devices put before ``/push`` and ``/result``."""
    api_key: str | None = None
    secrets: Mapping[str, str] = field(factory=dict)
    """By device: the secret that goes into its path."""
    seed: int = 0
    odds: Mapping[Fault, float] = field(factory=dict)
    timeout: float = 15.0
    period: float = 1.0
    retry: float = 10.0
    work: float = 0.2
    journal: Path | None = None


class Fleet(Service):
    """
    Starts the devices with the process, and stops them before it ends.
    """

    def __init__(self, devices: Sequence[Device], journal: Journal, pool: HTTPConnectionPool) -> None:
        self.devices = tuple(devices)
        self._journal = journal
        self._pool = pool

    def startService(self) -> None:
        """
        See :meth:`twisted.application.service.IService.startService`.
        """
        super().startService()
        self._journal.open()
        for device in self.devices:
            _log.info("{device} starts", device=device.id)
            device.start()

    def stopService(self) -> Deferred[None]:
        """
        Let every device go, which takes the slowest of them about two seconds at most.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await gatherResults([device.stop() for device in self.devices])
        self._journal.close()
        await self._pool.closeCachedConnections()


@frozen(kw_only=True)
class Workshop:
    """
    Makes the devices of a plan, each with a line and a fate of its own.
    """

    plan: Plan
    treq: HTTPClient
    clock: IReactorTime
    journal: Journal

    def devices(self) -> Iterator[Device]:
        """
        Every device of the plan.
        """
        yield from map(self.controlid, self.plan.controlid)
        yield from map(self.servereye, self.plan.servereye)

    def controlid(self, number: str) -> ControlIdDevice:
        """
        The Control iD device with this deviceId.
        """
        name = f"{controlid.DIALECT}:{number}"
        return ControlIdDevice(
            number=number,
            line=self._line(name, *self.plan.base),
            clock=self.clock,
            journal=self.journal,
            api=LocalApi(serial=number),
            faults=self._faults(name),
            patience=self.plan.timeout,
            period=self.plan.period,
            work=self.plan.work,
        )

    def servereye(self, container: str) -> ServerEyeDevice:
        """
        The Server-Eye container with this containerId.
        """
        name = f"{servereye.DIALECT}:{container}"
        return ServerEyeDevice(
            service=PushService(line=self._line(name), container=container, api_key=self.plan.api_key),
            clock=self.clock,
            journal=self.journal,
            faults=self._faults(name),
            retry=self.plan.retry,
            work=self.plan.work,
        )

    def _line(self, name: str, *base: str) -> Line:
        secret = self.plan.secrets.get(name)
        path = (*(("d", secret) if secret else ()), *base)
        return Line(treq=self.treq, clock=self.clock, root=self.plan.server.child(*path))

    def _faults(self, name: str) -> Faults:
        # each has dice of its own, so that its fate does not hang on who comes first
        return Faults(odds=self.plan.odds, chance=dice(self.plan.seed, name))


def assemble(plan: Plan, reactor: IReactorTime) -> Fleet:
    """
    The fleet of a plan; ``reactor`` must also be able to connect.
    """
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = 2 * (len(plan.controlid) + len(plan.servereye))
    pool.cachedConnectionTimeout = _IDLE_CONNECTION
    journal = Journal(clock=reactor, path=plan.journal)
    treq = HTTPClient(Agent(reactor, pool=pool))
    workshop = Workshop(plan=plan, treq=treq, clock=reactor, journal=journal)
    return Fleet(tuple(workshop.devices()), journal, pool)
