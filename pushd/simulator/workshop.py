"""The workshop: makes the devices of a plan, and the fleet of them."""

from collections.abc import Callable, Iterator

from attrs import Factory, field, frozen
from hyperlink import DecodedURL
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorTime

from pushd.simulator import sites
from pushd.simulator.arguments import DeviceId
from pushd.simulator.casting import cast
from pushd.simulator.controlid.device import DIALECT as CONTROLID
from pushd.simulator.controlid.device import ControlIdDevice
from pushd.simulator.controlid.local_api import LocalApi
from pushd.simulator.device import Device
from pushd.simulator.exchange import Exchange
from pushd.simulator.faults import Faults, dice
from pushd.simulator.fleet import Fleet
from pushd.simulator.http import Line
from pushd.simulator.journal import Journal
from pushd.simulator.log_throttle import Complaints
from pushd.simulator.options import Plan
from pushd.simulator.performance import Performance
from pushd.simulator.servereye.device import DIALECT as SERVEREYE
from pushd.simulator.servereye.device import ServerEyeDevice
from pushd.simulator.servereye.push_service import PushService

_GOODBYES = 50
"""Containers that sign off at the same time."""

MakeLine = Callable[[DecodedURL, str | None], Line]
"""Makes a line to a server, from this address."""


@frozen(kw_only=True)
class Workshop:
    """Makes the devices of a plan, each with a line and a fate of its own, and the moods that they take part in."""

    plan: Plan
    make_line: MakeLine
    clock: IReactorTime
    journal: Journal
    _goodbyes: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_GOODBYES), init=False)
    _complaints: Complaints = field(
        default=Factory(lambda self: Complaints(clock=self.clock), takes_self=True), init=False
    )

    def fleet(self) -> Fleet:
        """All devices and moods of the plan."""
        devices = {device.id: device for device in self.devices()}
        performances = [
            Performance(part=part, devices=devices, clock=self.clock, journal=self.journal) for part in cast(self.plan)
        ]
        return Fleet(
            devices=tuple(devices.values()),
            performances=performances,
            clock=self.clock,
            journal=self.journal,
            ramp=self.plan.ramp,
        )

    def devices(self) -> Iterator[Device]:
        """Every device of the plan, in the order of their places."""
        for place, device in enumerate(self.plan.devices, 1):
            make = _MAKERS[device.dialect]
            yield make(self, device, self.plan.site(place))

    def controlid(self, device: DeviceId, site: int | None = None) -> ControlIdDevice:
        """A Control iD device."""
        return ControlIdDevice(
            number=device.local,
            line=self._line(device, site, *self.plan.base),
            clock=self.clock,
            journal=self.journal,
            api=LocalApi(serial=device.local),
            faults=self._faults(device),
            complaints=self._complaints,
            patience=self.plan.timeout,
            period=self.plan.period,
            work=self.plan.work,
        )

    def servereye(self, device: DeviceId, site: int | None = None) -> ServerEyeDevice:
        """A Server-Eye container."""
        line = self._line(device, site)
        return ServerEyeDevice(
            service=PushService(line=line, container=device.local, api_key=self.plan.api_key),
            clock=self.clock,
            journal=self.journal,
            faults=self._faults(device),
            complaints=self._complaints,
            goodbyes=self._goodbyes,
            retry=self.plan.retry,
            work=self.plan.work,
        )

    def _line(self, device: DeviceId, site: int | None, *base: str) -> Line:
        secret = self.plan.secrets.get(str(device))
        path = (*(("d", secret) if secret else ()), *base)
        return self.make_line(self.plan.server.child(*path), None if site is None else sites.address(site))

    def _faults(self, device: DeviceId) -> Faults:
        # each has dice of its own, so that its fate does not hang on who comes first
        return Faults(odds=self.plan.odds, chance=dice(self.plan.seed, str(device)))


_MAKERS: dict[str, Callable[[Workshop, DeviceId, int | None], Device]] = {
    CONTROLID: Workshop.controlid,
    SERVEREYE: Workshop.servereye,
}


def assemble(plan: Plan, reactor: IReactorTime) -> Fleet:
    """The fleet of a plan; ``reactor`` must also be able to connect."""
    journal = Journal(clock=reactor, path=plan.journal)
    return Workshop(plan=plan, make_line=Exchange(reactor).line, clock=reactor, journal=journal).fleet()
