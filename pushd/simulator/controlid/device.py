"""A simulated Control iD device: one poll, one command or batch, one result at a time, for ever."""

from functools import partial
from typing import Protocol
from uuid import uuid4

from attrs import Factory, define, field
from automat import TypeMachine, TypeMachineBuilder
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pushd.dialects.controlid.wire import Outcome, read_push
from pushd.lib.background import in_background, pause
from pushd.lib.strict_json import UnreadableBody
from pushd.simulator.controlid.local_api import LocalApi
from pushd.simulator.controlid.tables import Refused
from pushd.simulator.controlid.transaction import Push, Report, carry_out, endpoint_of
from pushd.simulator.faults import Fault, Faults
from pushd.simulator.http import Line, NoAnswer, Reading
from pushd.simulator.journal import Journal
from pushd.simulator.log_throttle import Complaints

_log = Logger()

DIALECT = "controlid"


class Cycle(Protocol):
    """What happens to a device."""

    def start(self) -> None:
        """It is switched on."""

    def nothing(self) -> None:
        """The poll brought nothing, or failed."""

    def handed(self, uuid: str, push: Push) -> None:
        """The poll brought a command or a batch."""

    def died(self) -> None:
        """It restarts, and has forgotten what it was doing."""

    def finished(self, report: Report) -> None:
        """The work is done."""

    def undelivered(self, report: Report) -> None:
        """The server did not take the result, as far as the device knows."""

    def again(self, report: Report) -> None:
        """It is time to send the result again."""

    def delivered(self) -> None:
        """The server took the result."""

    def rested(self) -> None:
        """It is time to poll again."""

    def stop(self) -> None:
        """It is switched off."""


@define(eq=False, kw_only=True)
class ControlIdDevice:
    """One reader or turnstile; durations are in seconds.

    ``patience`` is its ``push_request_timeout``, ``period`` its ``push_request_period``; ``work`` is how long it takes
    over a command or batch.
    """

    number: str
    line: Line
    clock: IReactorTime
    journal: Journal
    api: LocalApi
    faults: Faults = field(factory=Faults)
    complaints: Complaints = field(default=Factory(lambda self: Complaints(clock=self.clock), takes_self=True))
    patience: float = 15.0
    period: float = 1.0
    work: float = 0.2
    _overtaken: set[Deferred[None]] = field(factory=set, init=False)
    """Results that are late, while the device goes on."""
    _cycle: Cycle = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._cycle = _machine(self)

    @property
    def id(self) -> str:
        """The device's id in the words of a fleet."""
        return f"{DIALECT}:{self.number}"

    def start(self) -> None:
        """Switch it on: it polls."""
        self._cycle.start()

    def vanish(self) -> None:
        """Switch it off, whatever it is doing."""
        self.stop()

    def stop(self) -> Deferred[None]:
        """The same: this dialect has no goodbye. Fires when its connections are closed."""
        self._cycle.stop()
        self.forget()
        return self.line.hang_up()

    def forget(self) -> None:
        """Know nothing of results that are late."""
        for telling in tuple(self._overtaken):
            telling.cancel()

    async def poll(self, cycle: Cycle) -> None:
        """Ask for a command, and tell ``cycle`` what came."""
        # the connection pool repeats it where a kept connection turns out to be dead, as firmware does
        uuid = str(uuid4())
        try:
            push = read_push(await self._ask(uuid))
            if push is not None and self.faults.strikes(Fault.LOSE_ANSWER):
                raise NoAnswer("it was lost")
        except (NoAnswer, UnreadableBody) as problem:
            self.complaints.hear(self.id, "poll", problem)
            push = None
        if push is None:
            cycle.nothing()
        else:
            cycle.handed(uuid, push)

    async def report(self, cycle: Cycle, report: Report) -> None:
        """Tell the server what became of a command, and ``cycle`` whether the server knows."""
        try:
            known = self._is_late(report) or self.faults.strikes(Fault.LOSE_RESULT) or await self._tell(report)
        except NoAnswer as problem:
            self.complaints.hear(self.id, "result", problem)
            known = False
        if known:
            cycle.delivered()
        else:
            cycle.undelivered(report)

    def run(self, uuid: str, push: Push) -> Report:
        """Execute a command or batch, and keep in the journal that it was."""
        return carry_out(uuid, push, partial(self._execute, uuid))

    async def _ask(self, uuid: str) -> bytes:
        return await self.line.get(
            "push",
            query={"deviceId": self.number, "uuid": uuid},
            patience=self.faults.patience(self.patience),
            reading=Reading(late=self.faults.delay(Fault.SLOW_READER), cut=self.faults.strikes(Fault.DROP_ANSWER)),
        )

    async def _tell(self, report: Report) -> bool:
        endpoint = {} if report.endpoint is None else {"endpoint": report.endpoint}
        query = {"deviceId": self.number, "uuid": report.uuid, **endpoint}
        reading = Reading(cut=self.faults.strikes(Fault.LOSE_RECEIPT))
        await self.line.post("result", query=query, patience=self.patience, body=report.body, reading=reading)
        self.journal.record(self.id, "reported", uuid=report.uuid)
        return not self.faults.strikes(Fault.REPEAT_RESULT)

    def _is_late(self, report: Report) -> bool:
        delay = self.faults.delay(Fault.LATE_RESULT)
        if delay:
            telling = in_background(self._tell_late(report, delay))
            self._overtaken.add(telling)
            telling.addCallback(lambda _: self._overtaken.discard(telling))
        return delay > 0

    async def _tell_late(self, report: Report, delay: float) -> None:
        try:
            await pause(self.clock, delay)
            await self._tell(report)
        except (CancelledError, NoAnswer) as problem:
            _log.warn("A late result of {device} is lost: {problem}", device=self.id, problem=problem)

    def _execute(self, uuid: str, command: Push) -> Outcome:
        endpoint = endpoint_of(command)
        query = command.get("queryString")
        self.journal.record(
            self.id, "ran", uuid=uuid, endpoint=endpoint, query=query if isinstance(query, str) else None
        )
        try:
            outcome = Outcome(response=self.api.call(command))
        except Refused as refusal:
            outcome = Outcome(error=str(refusal))
        _log.info("{device} ran {endpoint}: {said}", device=self.id, endpoint=endpoint, said=outcome.error or "done")
        return outcome


def _polling(cycle: Cycle, device: ControlIdDevice) -> Deferred[None]:
    return in_background(device.poll(cycle))


def _working(cycle: Cycle, device: ControlIdDevice, uuid: str, push: Push) -> IDelayedCall:
    report = device.run(uuid, push)
    duration = device.faults.duration(device.work)
    if device.faults.strikes(Fault.DIE_WORKING):
        return device.clock.callLater(duration / 2, cycle.died)
    return device.clock.callLater(duration, cycle.finished, report)


def _reporting(cycle: Cycle, device: ControlIdDevice, report: Report) -> Deferred[None]:
    return in_background(device.report(cycle, report))


def _insisting(cycle: Cycle, device: ControlIdDevice, report: Report) -> IDelayedCall:
    return device.clock.callLater(device.period, cycle.again, report)


def _resting(cycle: Cycle, device: ControlIdDevice) -> IDelayedCall:
    return device.clock.callLater(device.period, cycle.rested)


def _build() -> TypeMachine[Cycle, ControlIdDevice]:
    machine = TypeMachineBuilder(Cycle, ControlIdDevice)
    off = machine.state("off")
    polling = machine.state("polling", _polling)
    working = machine.state("working", _working)
    reporting = machine.state("reporting", _reporting)
    insisting = machine.state("insisting", _insisting)
    resting = machine.state("resting", _resting)

    off.upon(Cycle.start).to(polling).returns(None)
    polling.upon(Cycle.nothing).to(resting).returns(None)
    polling.upon(Cycle.handed).to(working).returns(None)
    working.upon(Cycle.finished).to(reporting).returns(None)
    reporting.upon(Cycle.undelivered).to(insisting).returns(None)
    insisting.upon(Cycle.again).to(reporting).returns(None)
    reporting.upon(Cycle.delivered).to(polling).returns(None)
    resting.upon(Cycle.rested).to(polling).returns(None)

    @polling.upon(Cycle.stop).to(off)
    @reporting.upon(Cycle.stop).to(off)
    def hang_up(_cycle: Cycle, _device: ControlIdDevice, asking: Deferred[None]) -> None:
        asking.cancel()

    @working.upon(Cycle.died).to(resting)
    def die(_cycle: Cycle, device: ControlIdDevice, _waiting: IDelayedCall) -> None:
        device.forget()

    @working.upon(Cycle.stop).to(off)
    @insisting.upon(Cycle.stop).to(off)
    @resting.upon(Cycle.stop).to(off)
    def forget(_cycle: Cycle, _device: ControlIdDevice, waiting: IDelayedCall) -> None:
        waiting.cancel()

    # what was hung up says so once more
    off.upon(Cycle.nothing).loop().returns(None)
    off.upon(Cycle.undelivered).loop().returns(None)
    off.upon(Cycle.stop).loop().returns(None)
    return machine.build()


_machine = _build()
