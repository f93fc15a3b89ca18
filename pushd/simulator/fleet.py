"""The fleet: builds all simulated devices, and starts and stops them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

from attrs import Factory, field, frozen
from hyperlink import DecodedURL
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pushd.lib.background import in_background, pause
from pushd.process import raise_file_limit
from pushd.simulator.controlid.device import DIALECT as CONTROLID
from pushd.simulator.controlid.device import ControlIdDevice
from pushd.simulator.controlid.local_api import LocalApi
from pushd.simulator.device import DeviceId, SimulatedDevice
from pushd.simulator.faults import Faults, seeded_random
from pushd.simulator.http import DeviceClient
from pushd.simulator.journal import Journal
from pushd.simulator.log_throttle import LogThrottle
from pushd.simulator.options import FleetOptions
from pushd.simulator.outages import OutageRunner, site_address
from pushd.simulator.servereye.client import ServerEyeClient
from pushd.simulator.servereye.device import ServerEyeDevice

_log = Logger()

_FIRST_SERIAL = 4408800000000000
"""Real readers count up from here: 16 digits, more than a double represents exactly."""

_CONCURRENT_SIGN_OFFS = 50

CreateClient = Callable[[DecodedURL, str | None], DeviceClient]
"""Creates a client of the server at a URL, which connects from an address; None leaves that to the OS."""


def controlid_ids(seed: int, count: int) -> tuple[str, ...]:
    """The consecutive deviceIds of ``count`` Control iD devices; a seed makes the same ids each time."""
    first = _FIRST_SERIAL + 1000 * seeded_random(seed, "controlid").randrange(10**9) + 101
    return tuple(str(first + index) for index in range(count))


def servereye_ids(seed: int, count: int) -> tuple[str, ...]:
    """The containerIds of ``count`` containers, which are UUIDs; a seed makes the same ids each time."""
    random = seeded_random(seed, "servereye")
    return tuple(str(UUID(int=random.getrandbits(128), version=4)) for _ in range(count))


class Fleet(Service):
    """Starts the devices over ``ramp`` seconds, runs their outages, and stops them before the process ends."""

    def __init__(
        self,
        *,
        devices: Sequence[SimulatedDevice],
        journal: Journal,
        clock: IReactorTime,
        ramp: float = 0.0,
        outages: Sequence[OutageRunner] = (),
    ) -> None:
        self.devices = tuple(devices)
        self._journal = journal
        self._clock = clock
        self._ramp = ramp
        self._outages = outages
        self._starting: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        self._journal.open()
        self._check_file_limit()
        self._starting = in_background(self._start(self._clock.seconds()))
        for outage in self._outages:
            outage.start()

    def stopService(self) -> Deferred[None]:
        """Stop all devices; if the server does not respond, this takes two seconds for every 50 containers."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def _check_file_limit(self) -> None:
        limit = raise_file_limit()
        if limit < 2 * len(self.devices):
            _log.warn(
                "{count} devices need up to two connections each, but only {limit} files may be open: see ulimit -Hn",
                count=len(self.devices),
                limit=limit,
            )

    async def _start(self, started_at: float) -> None:
        count = len(self.devices)
        what = "device" if count == 1 else "devices"
        _log.info("Starting {count} {what} over {ramp:g} s", count=count, what=what, ramp=self._ramp)
        with suppress(CancelledError):
            for index, device in enumerate(self.devices):
                due = started_at + self._ramp * index / len(self.devices)
                await pause(self._clock, max(0.0, due - self._clock.seconds()))
                device.start()
                self._journal.record_presence(device.id, "started")

    async def _stop(self) -> None:
        _log.info("Stopping {count} devices", count=len(self.devices))
        if self._starting is not None:
            self._starting.cancel()
        for outage in self._outages:
            outage.stop()
        await gatherResults([device.stop() for device in self.devices])
        self._journal.close()
        _log.info("All devices have stopped")


def build_fleet(options: FleetOptions, clock: IReactorTime, create_client: CreateClient) -> Fleet:
    """All devices and outages of the options; nothing is opened before the fleet starts."""
    journal = Journal(clock=clock, path=options.journal)
    builder = _DeviceBuilder(options=options, create_client=create_client, clock=clock, journal=journal)
    scenario = options.scenario
    devices = [builder.build(device, at, scenario.site(at)) for at, device in enumerate(scenario.devices, 1)]
    by_id = {device.id: device for device in devices}
    return Fleet(
        devices=devices,
        journal=journal,
        clock=clock,
        ramp=options.ramp,
        outages=[
            OutageRunner(assigned=assigned, devices=by_id, clock=clock, journal=journal)
            for assigned in scenario.assign()
        ],
    )


@frozen(kw_only=True)
class _DeviceBuilder:
    """Builds devices, each with a client and faults of its own."""

    options: FleetOptions
    create_client: CreateClient
    clock: IReactorTime
    journal: Journal
    _sign_offs: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_CONCURRENT_SIGN_OFFS), init=False)
    _log_throttle: LogThrottle = field(
        default=Factory(lambda self: LogThrottle(clock=self.clock), takes_self=True), init=False
    )

    def build(self, device: DeviceId, position: int, site: int | None) -> SimulatedDevice:
        """A device at its position in the fleet, from 1."""
        if device.dialect != CONTROLID:
            return self._servereye(device, site)
        models = self.options.models  # Control iD devices come first
        return self._controlid(device, site, models[(position - 1) % len(models)])

    def _controlid(self, device: DeviceId, site: int | None, model: str) -> ControlIdDevice:
        return ControlIdDevice(
            number=device.local,
            client=self._client(device, site, *self.options.base),
            clock=self.clock,
            journal=self.journal,
            api=LocalApi(serial=device.local, model=model, now=self.clock.seconds),
            faults=self._faults(device),
            log_throttle=self._log_throttle,
            timeout=self.options.timeout,
            period=self.options.period,
            command_duration=self.options.command_duration,
            object_responses=self.options.object_responses,
        )

    def _servereye(self, device: DeviceId, site: int | None) -> ServerEyeDevice:
        http = self._client(device, site)
        return ServerEyeDevice(
            client=ServerEyeClient(http=http, container=device.local, api_key=self.options.api_key),
            clock=self.clock,
            journal=self.journal,
            faults=self._faults(device),
            log_throttle=self._log_throttle,
            sign_offs=self._sign_offs,
            retry_delay=self.options.retry_delay,
            command_duration=self.options.command_duration,
        )

    def _client(self, device: DeviceId, site: int | None, *base: str) -> DeviceClient:
        secret = self.options.secrets.get(str(device))
        path = (*(("d", secret) if secret else ()), *base)
        return self.create_client(self.options.server.child(*path), None if site is None else site_address(site))

    def _faults(self, device: DeviceId) -> Faults:
        # random numbers of its own: the faults of a device do not depend on the order of requests of others
        return Faults(probabilities=self.options.faults, random=seeded_random(self.options.seed, str(device)))
