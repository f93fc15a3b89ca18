"""A simulated Server-Eye container: polls for ever, has several messages in work at a time, and signs off when it
goes.
"""

from functools import partial

from attrs import Factory, define, field
from automat import TypeMachine, TypeMachineBuilder
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pushd.dialects.servereye.wire import Message, read_message, write_result
from pushd.lib.background import in_background
from pushd.lib.strict_json import UnreadableBody
from pushd.simulator.faults import Fault, Faults
from pushd.simulator.http import NoAnswer, Reading
from pushd.simulator.journal import Journal
from pushd.simulator.log_throttle import Complaints
from pushd.simulator.servereye.actions import Agent, Outcome
from pushd.simulator.servereye.life import Life
from pushd.simulator.servereye.message_task import Errand
from pushd.simulator.servereye.push_service import PushService

DIALECT = "servereye"

_log = Logger()


@define(eq=False, kw_only=True)
class ServerEyeDevice:
    """One container; durations are in seconds.

    ``retry`` is how long it waits after a failure, ``work`` how long it takes over anything that does not say;
    ``memory`` is how many messages it knows to have run.
    """

    service: PushService
    clock: IReactorTime
    journal: Journal
    agent: Agent = field(factory=Agent)
    faults: Faults = field(factory=Faults)
    complaints: Complaints = field(default=Factory(lambda self: Complaints(clock=self.clock), takes_self=True))
    goodbyes: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(1))
    """Held while it signs off, for a process that lets thousands go cannot give all at once their two seconds."""
    retry: float = 10.0
    work: float = 0.2
    memory: int = 1000
    _errands: dict[str, Errand] = field(factory=dict, init=False)
    _farewells: list[Deferred[None]] = field(factory=list, init=False)
    """Of those who wait for it to be gone."""
    _life: Life = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._life = _machine(self)

    @property
    def id(self) -> str:
        """The device's id in the words of a fleet."""
        return f"{DIALECT}:{self.service.container}"

    def start(self) -> None:
        """Start it: it polls."""
        self._life.start()

    def stop(self) -> Deferred[None]:
        """Stop it: what is in work is left, the sign-off gets two seconds to be answered, then the held poll is
        closed.
        """
        gone: Deferred[None] = Deferred()
        self._farewells.append(gone)
        self.forget()
        self._life.stop()
        return gone

    def vanish(self) -> None:
        """Cut it off, whatever it is doing: it signs off no more than anything else."""
        self.forget()
        self._life.vanish()
        self.service.line.hang_up()

    def has_gone(self) -> None:
        """Close what is kept open, and tell those who wait for that."""
        farewells, self._farewells = self._farewells, []
        for gone in farewells:
            self.service.line.hang_up().chainDeferred(gone)

    async def poll(self, life: Life) -> None:
        """Wait for a message, and tell ``life`` what came."""
        patience = self.faults.patience(self.service.patience)
        reading = Reading(late=self.faults.delay(Fault.SLOW_READER), cut=self.faults.strikes(Fault.DROP_ANSWER))
        try:
            message = read_message(await self.service.poll(patience=patience, reading=reading))
            if message is not None and self.faults.strikes(Fault.LOSE_ANSWER):
                raise NoAnswer("it was lost")
        except (NoAnswer, UnreadableBody) as problem:
            self.complaints.hear(self.id, "poll", problem)
            life.failed()
        else:
            life.answered(message)

    async def sign_off(self, life: Life, poll: Deferred[None] | None) -> None:
        """Say goodbye, keep in the journal whether that was answered, and tell ``life`` when it is over."""
        try:
            await self.goodbyes.run(self.service.sign_off)
        except NoAnswer as problem:
            self.complaints.hear(self.id, "sign-off", problem)
            answered = False
        else:
            answered = True
        self.journal.note(self.id, "signed-off", answered=answered)
        life.signed_off(poll)

    def receive(self, message: Message) -> None:
        """Run a message; one that was run before is only reported again."""
        errand = self._errands.get(message.message_id) or self._begin(message)
        if errand is None:  # as the vendor's C++ client does: no ack, no result
            _log.warn("{device} does not know the control {control}", device=self.id, control=message.control)
        else:
            errand.receive()

    def forget(self) -> None:
        """Leave all work, and know nothing of it any more."""
        for errand in self._errands.values():
            errand.drop()
        self._errands.clear()

    def _begin(self, message: Message) -> Errand | None:
        outcome = self.agent.perform(message.control, message.data)
        if outcome is None:
            return None
        self.journal.record(self.id, "ran", command=message.message_id, control=message.control)
        _log.info("{device} runs {control}", device=self.id, control=message.control)
        return self._remember(self._errand(message.message_id, outcome))

    def _errand(self, message_id: str, outcome: Outcome) -> Errand:
        return Errand(
            message_id=message_id,
            service=self.service,
            clock=self.clock,
            faults=self.faults,
            seconds=self.faults.duration(self.work if outcome.seconds is None else outcome.seconds),
            body=_written(outcome),
            retry=self.retry,
            taken=partial(self.journal.record, self.id, "reported", command=message_id),
            die=self._life.died if self.faults.strikes(Fault.DIE_WORKING) else None,
        )

    def _remember(self, errand: Errand) -> Errand:
        self._errands[errand.message_id] = errand
        if len(self._errands) > self.memory:
            self._errands.pop(next(iter(self._errands))).drop()
        return errand


def _written(outcome: Outcome) -> bytes:
    try:
        return write_result(outcome.success, outcome.message, outcome.data)
    except (ValueError, RecursionError):  # half a surrogate pair, or endless nesting, that we were told to echo
        return write_result(False, "the result cannot be written")


def _polling(life: Life, device: ServerEyeDevice) -> Deferred[None]:
    return in_background(device.poll(life))


def _resting(life: Life, device: ServerEyeDevice) -> IDelayedCall:
    return device.clock.callLater(device.retry, life.rested)


def _receive(life: Life, device: ServerEyeDevice, _poll: Deferred[None], message: Message | None) -> None:
    life.polled()  # takes effect after this: the next poll does not wait for the work
    if message is not None:
        device.receive(message)


def _die(_life: Life, device: ServerEyeDevice, poll: Deferred[None]) -> None:
    poll.cancel()
    device.forget()


def _die_resting(_life: Life, device: ServerEyeDevice) -> None:
    device.forget()


def _say_goodbye(life: Life, device: ServerEyeDevice, poll: Deferred[None]) -> None:
    in_background(device.sign_off(life, poll))


def _say_goodbye_resting(life: Life, device: ServerEyeDevice, waiting: IDelayedCall) -> None:
    waiting.cancel()
    in_background(device.sign_off(life, None))


def _leave(_life: Life, device: ServerEyeDevice, poll: Deferred[None] | None) -> None:
    if poll is not None:
        poll.cancel()
    device.has_gone()


def _hang_up(_life: Life, _device: ServerEyeDevice, poll: Deferred[None]) -> None:
    poll.cancel()


def _wait_no_more(_life: Life, _device: ServerEyeDevice, waiting: IDelayedCall) -> None:
    waiting.cancel()


def _be_gone(_life: Life, device: ServerEyeDevice) -> None:
    device.has_gone()


def _build() -> TypeMachine[Life, ServerEyeDevice]:
    machine = TypeMachineBuilder(Life, ServerEyeDevice)
    off = machine.state("off")
    polling = machine.state("polling", _polling)
    receiving = machine.state("receiving")
    resting = machine.state("resting", _resting)
    leaving = machine.state("leaving")

    off.upon(Life.start).to(polling).returns(None)
    polling.upon(Life.answered).to(receiving)(_receive)
    receiving.upon(Life.polled).to(polling).returns(None)
    polling.upon(Life.failed).to(resting).returns(None)
    resting.upon(Life.rested).to(polling).returns(None)

    polling.upon(Life.died).to(resting)(_die)
    resting.upon(Life.died, nodata=True).loop()(_die_resting)
    polling.upon(Life.vanish).to(off)(_hang_up)
    resting.upon(Life.vanish).to(off)(_wait_no_more)
    off.upon(Life.vanish).loop().returns(None)

    polling.upon(Life.stop).to(leaving)(_say_goodbye)
    resting.upon(Life.stop).to(leaving)(_say_goodbye_resting)
    leaving.upon(Life.stop).loop().returns(None)
    leaving.upon(Life.signed_off).to(off)(_leave)
    off.upon(Life.stop).loop()(_be_gone)

    # a poll that was closed says so once more; one that is answered while we leave comes too late
    for state in (off, resting, leaving):
        state.upon(Life.failed).loop().returns(None)
    leaving.upon(Life.answered).loop().returns(None)
    return machine.build()


_machine = _build()
