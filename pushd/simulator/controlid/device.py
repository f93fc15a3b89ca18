"""A simulated Control iD device: one poll, one command or batch, and one result at a time."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from attrs import Factory, define, field, frozen
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pushd.dialects.controlid.wire import CommandOutcome, read_push, write_result, write_results
from pushd.lib.background import in_background
from pushd.lib.strict_json import UnreadableBody
from pushd.simulator.controlid.local_api import LocalApi
from pushd.simulator.controlid.query import LocalApiError
from pushd.simulator.faults import Fault, Faults
from pushd.simulator.http import DeviceClient, ReadFaults, RequestFailed
from pushd.simulator.journal import Journal
from pushd.simulator.log_throttle import LogThrottle

_log = Logger()

DIALECT = "controlid"

Push = Mapping[str, Any]
"""A command or a batch as the server sent it; any JSON object, as the server need not be pushd."""

_Written = TypeVar("_Written")


@frozen(kw_only=True)
class TransactionResult:
    """The result of one command or batch, which is sent until the server accepts it."""

    uuid: str
    endpoint: str | None
    body: bytes


@define(eq=False, kw_only=True)
class ControlIdDevice:
    """One reader or turnstile; durations are in seconds."""

    number: str
    """Its deviceId."""
    client: DeviceClient
    clock: IReactorTime
    journal: Journal
    api: LocalApi
    faults: Faults = field(factory=Faults)
    log_throttle: LogThrottle = field(default=Factory(lambda self: LogThrottle(clock=self.clock), takes_self=True))
    timeout: float = 15.0
    """Its ``push_request_timeout``."""
    period: float = 1.0
    """Its ``push_request_period``."""
    command_duration: float = 0.2
    """Time that a command or batch takes."""
    object_responses: bool = False
    """Whether the response of a command is reported as an object, as in the vendor's example, or as JSON text."""
    _running: Deferred[None] = field(factory=lambda: succeed(None), init=False)
    _late_results: set[Deferred[None]] = field(factory=set, init=False)
    """Results that are sent late, while the device continues."""

    @property
    def id(self) -> str:
        """``controlid:<deviceId>``."""
        return f"{DIALECT}:{self.number}"

    def start(self) -> None:
        """Start polling."""
        self._running = in_background(self._run())

    def go_offline(self) -> None:
        """Close all connections at once and send nothing more."""
        self.stop()

    def stop(self) -> Deferred[None]:
        """Close all connections at once, as this dialect has no sign-off; fires when they are closed."""
        self._running.cancel()
        self._forget_late_results()
        return self.client.disconnect()

    async def _run(self) -> None:
        while True:
            # the connection pool repeats the request with this uuid if a kept connection is dead, as firmware does
            uuid = str(uuid4())
            push = await self._poll(uuid)
            result = None if push is None else await self._execute(uuid, push)
            if result is None:
                await deferLater(self.clock, self.period)
                continue
            while not await self._report(result):
                await deferLater(self.clock, self.period)

    async def _poll(self, uuid: str) -> Push | None:
        """A command or batch, or None if there is none or the poll failed."""
        timeout = self.faults.timeout(self.timeout)
        faults = ReadFaults(delay=self.faults.delay(Fault.SLOW_READER), cut=self.faults.occurs(Fault.DROP_ANSWER))
        query = {"deviceId": self.number, "uuid": uuid}
        try:
            push = read_push(await self.client.get("push", query=query, timeout=timeout, faults=faults))
            if push is not None and self.faults.occurs(Fault.LOSE_ANSWER):
                raise RequestFailed("the simulated device lost the response (fault)")
        except (RequestFailed, UnreadableBody) as error:
            self.log_throttle.warn(self.id, "poll failed, will retry", error)
            return None
        return push

    async def _execute(self, uuid: str, push: Push) -> TransactionResult | None:
        """Execute a command or batch; None if the device restarts meanwhile and forgets it."""
        result = execute(uuid, push, partial(self._call_api, uuid), object_responses=self.object_responses)
        duration = self.faults.duration(self.command_duration)
        if self.faults.occurs(Fault.DIE_WORKING):
            await deferLater(self.clock, duration / 2)
            self._forget_late_results()
            return None
        await deferLater(self.clock, duration)
        return result

    def _call_api(self, uuid: str, command: Push) -> CommandOutcome:
        endpoint = endpoint_of(command)
        query = command.get("queryString")
        self.journal.record(
            self.id, "ran", uuid=uuid, endpoint=endpoint, query=query if isinstance(query, str) else None
        )
        try:
            outcome = CommandOutcome(response=self.api.call(command))
        except LocalApiError as error:
            outcome = CommandOutcome(error=str(error))
        _log.info(
            "{device_id} executed {endpoint}: {outcome}",
            device_id=self.id,
            endpoint=endpoint,
            outcome=outcome.error or "succeeded",
        )
        return outcome

    async def _report(self, result: TransactionResult) -> bool:
        """Send a result; False if it has to be sent again."""
        delay = self.faults.delay(Fault.LATE_RESULT)
        if delay:
            self._send_later(result, delay)
            return True
        if self.faults.occurs(Fault.LOSE_RESULT):
            return True
        try:
            await self._send(result)
        except RequestFailed as error:
            self.log_throttle.warn(self.id, "result not accepted, will retry", error)
            return False
        return not self.faults.occurs(Fault.REPEAT_RESULT)

    async def _send(self, result: TransactionResult) -> None:
        endpoint = {} if result.endpoint is None else {"endpoint": result.endpoint}
        query = {"deviceId": self.number, "uuid": result.uuid, **endpoint}
        faults = ReadFaults(cut=self.faults.occurs(Fault.LOSE_RECEIPT))
        await self.client.post("result", query=query, timeout=self.timeout, body=result.body, faults=faults)
        self.journal.record(self.id, "reported", uuid=result.uuid)

    def _send_later(self, result: TransactionResult, delay: float) -> None:
        sending = in_background(self._send_once(result, delay))
        self._late_results.add(sending)
        sending.addCallback(lambda _: self._late_results.discard(sending))

    async def _send_once(self, result: TransactionResult, delay: float) -> None:
        try:
            await deferLater(self.clock, delay)
            await self._send(result)
        except (CancelledError, RequestFailed) as error:
            _log.warn(
                "{device_id}: late result not accepted, will not retry: {error}",
                device_id=self.id,
                error=str(error) or "the device stopped or restarted",
            )

    def _forget_late_results(self) -> None:
        for sending in tuple(self._late_results):
            sending.cancel()


def execute(
    uuid: str, push: Push, run: Callable[[Push], CommandOutcome], *, object_responses: bool = False
) -> TransactionResult:
    """Have ``run`` execute a command, or the commands of a batch in order."""
    if "transactions" in push:
        outcomes = {transaction: run(command) for transaction, command in _commands(push["transactions"])}
        return TransactionResult(uuid=uuid, endpoint=None, body=_write(write_results, outcomes))
    write = partial(write_result, as_object=object_responses)
    return TransactionResult(uuid=uuid, endpoint=endpoint_of(push), body=_write(write, run(push)))


def endpoint_of(command: Push) -> str | None:
    """The endpoint of a command; None if it is missing or not printable text."""
    endpoint = command.get("endpoint")
    return endpoint if isinstance(endpoint, str) and endpoint.isprintable() else None


def _commands(transactions: object) -> Iterator[tuple[str, Push]]:
    """The commands of a batch by transactionid; an entry that is not an object becomes {}, which fails."""
    for position, entry in enumerate(transactions if isinstance(transactions, list) else [], 1):
        command = entry if isinstance(entry, dict) else {}
        transaction = command.get("transactionid")
        yield str(transaction if isinstance(transaction, str | int) else position), command


def _write(write: Callable[[_Written], bytes], outcome: _Written) -> bytes:
    try:
        return write(outcome)
    except (ValueError, RecursionError):  # a lone surrogate or too deep nesting, which the server sent to be stored
        return write_result(CommandOutcome(error="the response cannot be written"))
