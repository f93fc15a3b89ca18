"""The performance of a mood: tells its devices to vanish, to sign off and to come back, when it is time."""

from collections.abc import Mapping
from contextlib import suppress

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pushd.lib.background import in_background, pause
from pushd.simulator.casting import Part
from pushd.simulator.device import Device
from pushd.simulator.journal import Journal
from pushd.simulator.scenarios import Change, Phase

_log = Logger()


@define(eq=False, kw_only=True)
class Performance:
    """One mood, played by its devices, which know nothing of it."""

    part: Part
    devices: Mapping[str, Device]
    clock: IReactorTime
    journal: Journal
    _playing: list[Deferred[None]] = field(factory=list, init=False)
    _announced: set[Phase] = field(factory=set, init=False)
    """Phases that the log has a line of: whoever is the first to go or come announces all."""

    def begin(self) -> None:
        """Count the mood's seconds from now."""
        began = self.clock.seconds()
        self._playing = [in_background(self._play(device, began)) for device in self.part.lags]

    def end(self) -> None:
        """Leave every device as it is."""
        for playing in self._playing:
            playing.cancel()

    async def _play(self, device: str, began: float) -> None:
        with suppress(CancelledError):
            for phase in self.part.mood.phases():
                await pause(self.clock, max(0.0, began + phase.after - self.clock.seconds()))
                self._announce(phase)
                await self._change(device, phase.change)

    def _announce(self, phase: Phase) -> None:
        if phase in self._announced:
            return
        self._announced.add(phase)
        mood, count, change = self.part.mood.text, len(self.part.lags), phase.change.replace("-", " ")
        _log.info("{mood}: {count} devices {change}", mood=mood, count=count, change=change)

    async def _change(self, name: str, change: Change) -> None:
        device = self.devices[name]
        if change is Change.SIGNED_OFF:
            await device.stop()  # which notes it: it knows whether the server answered
            return
        if change is Change.BACK:
            await pause(self.clock, self.part.lags[name])
            device.start()
        else:
            device.vanish()
        self.journal.note(name, change)
