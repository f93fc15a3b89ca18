"""The fleet: all simulated devices, as one service that starts them and lets them go."""

from collections.abc import Sequence
from contextlib import suppress

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pushd.lib.background import in_background, pause
from pushd.process import raise_file_limit
from pushd.simulator.device import Device
from pushd.simulator.journal import Journal
from pushd.simulator.performance import Performance

_log = Logger()


class Fleet(Service):
    """Starts the devices with the process, ``ramp`` seconds from the first to the last, and stops them before it
    ends.
    """

    def __init__(
        self,
        *,
        devices: Sequence[Device],
        journal: Journal,
        clock: IReactorTime,
        ramp: float = 0.0,
        performances: Sequence[Performance] = (),
    ) -> None:
        self.devices = tuple(devices)
        self._journal = journal
        self._clock = clock
        self._ramp = ramp
        self._performances = performances
        self._starting: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        self._journal.open()
        self._check_files()
        self._starting = in_background(self._start(self._clock.seconds()))
        for performance in self._performances:
            performance.begin()

    def stopService(self) -> Deferred[None]:
        """Let every device go; a server that does not answer costs two seconds for each fifty containers."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def _check_files(self) -> None:
        limit = raise_file_limit()
        if limit < 2 * len(self.devices):
            _log.warn(
                "{count} devices need up to two connections each, and only {limit} files may be open: see ulimit -Hn",
                count=len(self.devices),
                limit=limit,
            )

    async def _start(self, began: float) -> None:
        _log.info("{count} devices start within {ramp} s", count=len(self.devices), ramp=self._ramp)
        with suppress(CancelledError):
            for place, device in enumerate(self.devices):
                due = began + self._ramp * place / len(self.devices)
                await pause(self._clock, max(0.0, due - self._clock.seconds()))
                device.start()
                self._journal.note(device.id, "started")

    async def _stop(self) -> None:
        _log.info("{count} devices stop", count=len(self.devices))
        if self._starting is not None:
            self._starting.cancel()
        for performance in self._performances:
            performance.end()
        await gatherResults([device.stop() for device in self.devices])
        self._journal.close()
        _log.info("All devices have stopped")
