"""One message that a simulated Server-Eye container processes: acknowledged while the work lasts, then reported."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from pushd.lib.background import in_background, pause
from pushd.simulator.faults import Fault, Faults
from pushd.simulator.http import ReadFaults, RequestFailed
from pushd.simulator.servereye.client import ServerEyeClient

ACK_INTERVAL = 15.0
"""Seconds between the acks of long work; the server's lease is twice as long."""

_log = Logger()


@define(eq=False, kw_only=True)
class MessageTask:
    """Processes a message for ``seconds``, then reports ``body`` until the server accepts it.

    ``on_accepted`` is called each time that the server accepts the result. With ``crash`` the task never finishes:
    it is called after half the time, and has to stop all tasks of the container.
    """

    message_id: str
    client: ServerEyeClient
    clock: IReactorTime
    faults: Faults
    seconds: float
    body: bytes
    retry_delay: float
    on_accepted: Callable[[], None]
    crash: Callable[[], None] | None = None
    _running: Deferred[None] | None = field(default=None, init=False)
    _ack_loop: LoopingCall = field(init=False)
    _acks: set[Deferred[None]] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._ack_loop = LoopingCall(self._acknowledge)
        self._ack_loop.clock = self.clock

    def receive(self) -> None:
        """Process the message; if it was received before, acknowledge it and report its result again."""
        if self._running is None:
            self._running = in_background(self._process())
        elif self._ack_loop.running:
            self._acknowledge()
        elif self._running.called:
            self._acknowledge()
            self._running = in_background(self._report())
        # else the result is being sent, which also acknowledges the message

    def stop(self) -> None:
        """Stop whatever is in progress, without a report."""
        if self._ack_loop.running:
            self._ack_loop.stop()
        if self._running is not None:
            self._running.cancel()
        for ack in tuple(self._acks):
            ack.cancel()

    async def _process(self) -> None:
        self._ack_loop.start(ACK_INTERVAL)
        if self.crash is not None:
            await deferLater(self.clock, self.seconds / 2)
            self._running = None  # the crash stops this task, too
            self.crash()
            return
        await deferLater(self.clock, self.seconds)
        self._ack_loop.stop()
        await self._report()

    async def _report(self) -> None:
        while not await self._try_report():
            await deferLater(self.clock, self.retry_delay)

    async def _try_report(self) -> bool:
        """Report the result; False if it has to be sent again."""
        if self.faults.occurs(Fault.LOSE_RESULT):
            return True
        await pause(self.clock, self.faults.delay(Fault.LATE_RESULT))
        faults = ReadFaults(cut=self.faults.occurs(Fault.LOSE_RECEIPT))
        try:
            await self.client.report(self.message_id, self.body, faults)
        except RequestFailed as error:
            self._warn("result", "will retry", error)
            return False
        self.on_accepted()
        return not self.faults.occurs(Fault.REPEAT_RESULT)

    def _acknowledge(self) -> None:
        ack = in_background(self._send_ack())
        self._acks.add(ack)
        ack.addCallback(lambda _: self._acks.discard(ack))

    async def _send_ack(self) -> None:
        try:
            await pause(self.clock, self.faults.delay(Fault.LATE_ACK))
            await self.client.acknowledge(self.message_id)
        except RequestFailed as error:
            self._warn("ack", "the next ack or the result replaces it", error)

    def _warn(self, request: str, consequence: str, error: RequestFailed) -> None:
        _log.warn(
            "{device_id}: {request} of {command_id} not accepted, {consequence}: {error}",
            device_id=f"servereye:{self.client.container}",
            request=request,
            consequence=consequence,
            command_id=self.message_id,
            error=error,
        )
