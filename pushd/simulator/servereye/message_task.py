"""One message in work at a simulated Server-Eye container: acknowledged, kept alive, reported until the server
has it.
"""

from collections.abc import Callable
from typing import Protocol

from attrs import define, field, frozen
from automat import TypeMachine, TypeMachineBuilder
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pushd.lib.background import in_background, pause
from pushd.simulator.faults import Fault, Faults
from pushd.simulator.http import NoAnswer, Reading
from pushd.simulator.servereye.push_service import PushService

ACK_EVERY = 15.0
"""Seconds between the signs of life of long work; the server gives a message up after twice that."""

_log = Logger()


class Progress(Protocol):
    """What happens to an errand."""

    def received(self) -> None:
        """The message came, for the first time or again."""

    def finished(self) -> None:
        """The work is done."""

    def undelivered(self) -> None:
        """The server did not take the result, as far as the container knows."""

    def again(self) -> None:
        """It is time to send the result again."""

    def delivered(self) -> None:
        """The server took the result."""

    def dropped(self) -> None:
        """The container goes away, or has forgotten it."""


@frozen
class Labour:
    """Work going on: the acks that keep it alive, and what will end it."""

    acks: LoopingCall
    end: IDelayedCall

    def cease(self) -> None:
        """Leave off both."""
        self.acks.stop()
        if self.end.active():  # else it is the end that calls us
            self.end.cancel()


@define(eq=False, kw_only=True)
class Errand:
    """A message that the container knows what to make of: ``body`` is reported after ``seconds`` of work.

    Each time that the server takes the result, ``taken`` is called. With ``die`` it comes to nothing: that is called
    halfway, and has to drop whatever the container has in work.
    """

    message_id: str
    service: PushService
    clock: IReactorTime
    faults: Faults
    seconds: float
    body: bytes
    retry: float
    taken: Callable[[], None]
    die: Callable[[], None] | None = None
    _acks: set[Deferred[None]] = field(factory=set, init=False)
    _progress: Progress = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._progress = _machine(self)

    def receive(self) -> None:
        """Begin; or, if the message came before, say again what is known."""
        self._progress.received()

    def drop(self) -> None:
        """Leave it, whatever is being done."""
        self._progress.dropped()
        for ack in tuple(self._acks):
            ack.cancel()

    def acknowledge(self) -> None:
        """Say once that the message is in work; a server that does not hear it hears the next, or the result."""
        ack = in_background(self._acknowledge())
        self._acks.add(ack)
        ack.addCallback(lambda _: self._acks.discard(ack))

    async def report(self, progress: Progress) -> None:
        """Tell the server what became of the message, and ``progress`` whether the server knows."""
        try:
            known = self.faults.strikes(Fault.LOSE_RESULT) or await self._tell()
        except (CancelledError, NoAnswer) as problem:
            _log.warn("The result of {message} was not taken: {problem}", message=self.message_id, problem=problem)
            known = False
        if known:
            progress.delivered()
        else:
            progress.undelivered()

    async def _tell(self) -> bool:
        await pause(self.clock, self.faults.delay(Fault.LATE_RESULT))
        reading = Reading(cut=self.faults.strikes(Fault.LOSE_RECEIPT))
        await self.service.report(self.message_id, self.body, reading)
        self.taken()
        return not self.faults.strikes(Fault.REPEAT_RESULT)

    async def _acknowledge(self) -> None:
        try:
            await pause(self.clock, self.faults.delay(Fault.LATE_ACK))
            await self.service.acknowledge(self.message_id)
        except (CancelledError, NoAnswer) as problem:
            _log.warn("The ack of {message} was not taken: {problem}", message=self.message_id, problem=problem)


def _working(progress: Progress, errand: Errand) -> Labour:
    acks = LoopingCall(errand.acknowledge)
    acks.clock = errand.clock
    acks.start(ACK_EVERY)
    if errand.die is not None:
        return Labour(acks, errand.clock.callLater(errand.seconds / 2, errand.die))
    return Labour(acks, errand.clock.callLater(errand.seconds, progress.finished))


def _reporting(progress: Progress, errand: Errand) -> Deferred[None]:
    return in_background(errand.report(progress))


def _insisting(progress: Progress, errand: Errand) -> IDelayedCall:
    return errand.clock.callLater(errand.retry, progress.again)


def _build() -> TypeMachine[Progress, Errand]:
    machine = TypeMachineBuilder(Progress, Errand)
    new = machine.state("new")
    working = machine.state("working", _working)
    reporting = machine.state("reporting", _reporting)
    insisting = machine.state("insisting", _insisting)
    done = machine.state("done")
    gone = machine.state("gone")

    new.upon(Progress.received).to(working).returns(None)
    reporting.upon(Progress.undelivered).to(insisting).returns(None)
    insisting.upon(Progress.again).to(reporting).returns(None)
    reporting.upon(Progress.delivered).to(done).returns(None)

    @working.upon(Progress.finished).to(reporting)
    @working.upon(Progress.dropped).to(gone)
    def cease(_progress: Progress, _errand: Errand, labour: Labour) -> None:
        labour.cease()

    @working.upon(Progress.received, nodata=True).loop()
    @done.upon(Progress.received).to(reporting)
    def acknowledge_again(_progress: Progress, errand: Errand) -> None:
        errand.acknowledge()

    @reporting.upon(Progress.dropped).to(gone)
    def hang_up(_progress: Progress, _errand: Errand, asking: Deferred[None]) -> None:
        asking.cancel()

    @insisting.upon(Progress.dropped).to(gone)
    def forget(_progress: Progress, _errand: Errand, waiting: IDelayedCall) -> None:
        waiting.cancel()

    # the result is on its way, and says it all
    reporting.upon(Progress.received).loop().returns(None)
    insisting.upon(Progress.received).loop().returns(None)
    done.upon(Progress.dropped).to(gone).returns(None)
    gone.upon(Progress.dropped).loop().returns(None)
    gone.upon(Progress.undelivered).loop().returns(None)  # what was hung up says so once more
    return machine.build()


_machine = _build()
