"""A simulated Server-Eye container: polls, processes several messages at a time, and signs off when it stops."""

from functools import partial

from attrs import Factory, define, field
from twisted.internet.defer import Deferred, DeferredLock, DeferredSemaphore, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pushd.dialects.servereye.wire import Message, read_message, write_result
from pushd.lib.background import in_background, pause
from pushd.lib.strict_json import UnreadableBody
from pushd.simulator.faults import Fault, Faults
from pushd.simulator.http import ReadFaults, RequestFailed
from pushd.simulator.journal import Journal
from pushd.simulator.log_throttle import LogThrottle
from pushd.simulator.servereye.actions import ActionResult, ContainerActions
from pushd.simulator.servereye.client import ServerEyeClient
from pushd.simulator.servereye.message_task import MessageTask

DIALECT = "servereye"

_log = Logger()


@define(eq=False, kw_only=True)
class ServerEyeDevice:
    """One container; durations are in seconds."""

    client: ServerEyeClient
    clock: IReactorTime
    journal: Journal
    actions: ContainerActions = field(factory=ContainerActions)
    faults: Faults = field(factory=Faults)
    log_throttle: LogThrottle = field(default=Factory(lambda self: LogThrottle(clock=self.clock), takes_self=True))
    sign_offs: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(1))
    """Limits how many containers of a fleet sign off at the same time."""
    retry_delay: float = 10.0
    """Time between a failed request, or a crash, and the next attempt."""
    command_duration: float = 0.2
    """Time that a message takes, unless it sets its own duration."""
    memory: int = 1000
    """Number of messages that the container remembers, to report their results again."""
    _polling: Deferred[None] = field(factory=lambda: succeed(None), init=False)
    _tasks: dict[str, MessageTask] = field(factory=dict, init=False)
    _signing_off: DeferredLock = field(factory=DeferredLock, init=False)
    """Held during the sign-off, when the poll stays open but its response is ignored."""

    @property
    def id(self) -> str:
        """``servereye:<containerId>``."""
        return f"{DIALECT}:{self.client.container}"

    def start(self) -> None:
        """Start polling."""
        self._polling = in_background(self._poll_forever())

    def stop(self) -> Deferred[None]:
        """Stop all tasks, sign off, then close the poll; fires when all connections are closed."""
        stopped: Deferred[None] = Deferred()
        in_background(self._stop()).chainDeferred(stopped)
        return stopped

    def go_offline(self) -> None:
        """Close all connections at once, without a sign-off."""
        self._stop_tasks()
        self._polling.cancel()
        self.client.http.disconnect()

    async def _stop(self) -> None:
        self._stop_tasks()
        async with self._signing_off:  # a second call waits here until the container has signed off
            if not self._polling.called:
                await self._sign_off()
                self._polling.cancel()
            await self.client.http.disconnect()

    async def _sign_off(self) -> None:
        try:
            await self.sign_offs.run(self.client.sign_off)
        except RequestFailed as error:
            self.log_throttle.warn(self.id, "sign-off failed, stopping without it", error)
            answered = False
        else:
            answered = True
        self.journal.record_presence(self.id, "signed-off", answered=answered)

    async def _poll_forever(self, delay: float = 0.0) -> None:
        await pause(self.clock, delay)
        while not self._signing_off.locked:
            try:
                message = await self._poll()
            except (RequestFailed, UnreadableBody) as error:
                self.log_throttle.warn(self.id, "poll failed, will retry", error)
                await deferLater(self.clock, self.retry_delay)
                continue
            if message is not None and not self._signing_off.locked:
                self._receive(message)

    async def _poll(self) -> Message | None:
        timeout = self.faults.timeout(self.client.timeout)
        faults = ReadFaults(delay=self.faults.delay(Fault.SLOW_READER), cut=self.faults.occurs(Fault.DROP_ANSWER))
        message = read_message(await self.client.poll(timeout=timeout, faults=faults))
        if message is not None and self.faults.occurs(Fault.LOSE_ANSWER):
            raise RequestFailed("the simulated device lost the response (fault)")
        return message

    def _receive(self, message: Message) -> None:
        """Process a message; one that was processed before is only reported again."""
        task = self._tasks.get(message.message_id) or self._create_task(message)
        if task is None:  # like the vendor's C++ client: no ack, no result
            _log.warn(
                "{device_id}: unknown control {control}, message {command_id} ignored",
                device_id=self.id,
                control=message.control,
                command_id=message.message_id,
            )
        else:
            task.receive()

    def _create_task(self, message: Message) -> MessageTask | None:
        result = self.actions.perform(message.control, message.data, message.message)
        if result is None:
            return None
        self.journal.record(self.id, "ran", command=message.message_id, control=message.control)
        _log.info("{device_id} executes {control}", device_id=self.id, control=message.control)
        task = MessageTask(
            message_id=message.message_id,
            client=self.client,
            clock=self.clock,
            faults=self.faults,
            seconds=self.faults.duration(self.command_duration if result.seconds is None else result.seconds),
            body=_write(result),
            retry_delay=self.retry_delay,
            on_accepted=partial(self.journal.record, self.id, "reported", command=message.message_id),
            crash=self._crash if self.faults.occurs(Fault.DIE_WORKING) else None,
        )
        self._remember(task)
        return task

    def _remember(self, task: MessageTask) -> None:
        self._tasks[task.message_id] = task
        if len(self._tasks) > self.memory:
            self._tasks.pop(next(iter(self._tasks))).stop()

    def _crash(self) -> None:
        """Forget everything, and poll again when the program has been restarted."""
        self._stop_tasks()
        self._polling.cancel()
        self._polling = in_background(self._poll_forever(self.retry_delay))

    def _stop_tasks(self) -> None:
        for task in self._tasks.values():
            task.stop()
        self._tasks.clear()


def _write(result: ActionResult) -> bytes:
    try:
        return write_result(result.success, result.message, result.data)
    except (ValueError, RecursionError):  # a lone surrogate or too deep nesting, which the server sent to be echoed
        return write_result(False, "the result cannot be written")
