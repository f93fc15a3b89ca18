"""The core over a store in memory, and the operations that tests perform on it."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pushd.config import Config
from pushd.core.app import Core
from pushd.core.clocks import Clocks
from pushd.core.devices.admission import Access
from pushd.core.polling.poll import Answer, Poll
from pushd.model.command import Command, SendOptions
from pushd.model.device import Admission, Device, ProofKind
from pushd.model.event import Event
from pushd.model.timestamps import milliseconds
from pushd.model.token import Role
from pushd.rules.outcomes import Settlement
from pushd.store.filters import DeviceFilter
from pushd.store.sqlite.store import SqliteStore
from pushd.wiring import build_core
from tests.results import result_of
from tests.stepped import SteppedStore
from tests.store.clock import follow
from tests.store.samples import StubResult
from tests.token_file import MemoryTokenFile

T = TypeVar("T")

READER = "controlid:7"
CONTAINER = "servereye:c0ffee"

PAYLOADS = {"controlid": {"endpoint": "load_objects"}, "servereye": {"control": "REFRESH_AGENT"}}

EPOCH = 1_800_000_000.0


@define(eq=False)
class Wall:
    """Seconds since the epoch, which follow the clock; a test sets the wall clock by changing ``offset``."""

    clock: Clock
    offset: float = EPOCH
    drift: float = 0.0
    """Seconds by which each reading is later than the one before, as with a real clock."""

    def __call__(self) -> float:
        self.offset += self.drift
        return self.offset + self.clock.seconds()


@define
class StubClient:
    """A client, and what it proves."""

    client_address: str | None = None
    owner: str | None = None
    api_key: str | None = None
    path: bytes = b"/push"
    query: bytes = b""


@define(eq=False)
class PollRequest:
    """The request of a poll, which is answered with the commands themselves."""

    answer: Deferred[Answer] = field(init=False)
    poll: Poll | None = None

    def __attrs_post_init__(self) -> None:
        self.answer = Deferred(lambda _: None if self.poll is None else self.poll.cancel())

    def wait_for(self, poll: Poll) -> None:
        """The poll is held."""
        self.poll = poll

    def respond_with(self, _write: object, _device: str, answer: Answer) -> None:
        """The poll has ended."""
        self.answer.callback(answer)


def keep(_device: str, answer: Answer) -> Any:
    """Write an answer as it is."""
    return answer


def answer_of(poll: "Poll | Coroutine[Any, Any, Poll]") -> Deferred[Answer]:
    """The answer of a poll, or its refusal; cancel it to disconnect."""
    if not isinstance(poll, Poll):
        return Deferred.fromCoroutine(poll).addCallback(answer_of)
    request = PollRequest()
    poll.respond_to(request)
    return request.answer


@define(eq=False)
class HeldPoll:
    """A poll as its device sees it: held, then answered once, or refused, or given up."""

    answer: Deferred[Answer]
    answers: list[Answer] = field(factory=list, init=False)
    failures: list[Failure] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.answer.addCallbacks(self.answers.append, self.failures.append)

    @property
    def held(self) -> bool:
        """Whether the device still waits for an answer."""
        return not self.answers and not self.failures

    @property
    def idle(self) -> bool:
        """Whether the poll was answered without commands."""
        return self.answers == [()]

    @property
    def commands(self) -> list[str]:
        """The ids of the commands that the poll was answered with."""
        return [dispatched.command for answer in self.answers for dispatched in answer]

    def disconnect(self) -> None:
        """Close the connection."""
        self.answer.cancel()


@define(eq=False)
class CoreHarness:
    """A started core; ``run`` lets its store execute all pending transactions."""

    core: Core
    clock: Clock
    wall: Wall
    run: Callable[[], None]
    events: list[Event] = field(factory=list, init=False)
    """All events since the start."""

    def start(self, operation: "Coroutine[Deferred[Any], Any, T]") -> Deferred[T]:
        """Start a coroutine."""
        return Deferred.fromCoroutine(operation)

    def make_token(self, name: str, role: Role, **fields: Any) -> str:
        """Make a token; its secret."""
        _, secret = self.result(self.core.tokens.add(name, role, **fields))
        return secret

    def result(self, operation: "Deferred[T] | Coroutine[Deferred[Any], Any, T]") -> T:
        """What an operation returns, or raises, after the store has executed its transactions."""
        deferred = operation if isinstance(operation, Deferred) else self.start(operation)
        self.run()
        return result_of(deferred)

    def register(self, device: str, admission: Admission = Admission.APPROVED, **fields: Any) -> Device:
        """Register a device."""
        return self.result(self.core.registry.register(self.core.registry.new_device(device, admission, **fields)))

    def put(self, device: str, queue_signed_off: bool = False, **options: Any) -> str:
        """Enqueue a command; returns its id."""
        return self.result(self.putting(device, queue_signed_off, **options))[0].id

    def issue_credential(self, device: str, kind: ProofKind, overlap: float = 0.0) -> str:
        """Issue a secret or an API key for a device; returns it."""
        return self.result(self.core.registry.issue_credential(device, kind, overlap))

    def putting(self, device: str, queue_signed_off: bool = False, **options: Any) -> Deferred[tuple[Command, bool]]:
        """Begin to enqueue a command."""
        draft = self.core.drafts.make(device, PAYLOADS[device.partition(":")[0]], SendOptions(**options), "a test")
        return self.core.command_queue.put(draft, queue_signed_off=queue_signed_off)

    def send(self, device: str, **options: Any) -> str:
        """Enqueue a command, and poll for it; returns its id."""
        command = self.put(device, **options)
        assert self.poll(device).commands == [command]
        return command

    def poll(self, device: str, uuid: str | None = None, **proof: Any) -> HeldPoll:
        """Poll by way of the device service."""
        return HeldPoll(answer_of(self.core.device_service.poll(StubClient(**proof), device, keep, uuid)))

    def take(self, device: str, hold: float = 10.0, uuid: str | None = None) -> HeldPoll:
        """Poll the command queue itself, without admission and presence."""
        now = self.clock.seconds()
        poll = Poll(self.core.command_queue, device, now, now + hold, keep, uuid)
        self.core.command_queue.take(poll)
        return HeldPoll(answer_of(poll))

    def report(self, device: str, **said: Any) -> Settlement:
        """Report a result, by ``uuid`` or by ``message``."""
        return self.result(self.core.command_queue.settle(device, StubResult(**said)))

    def access(self, device: str, **proof: Any) -> Access:
        """What a client gets that sends this proof, if it does not poll."""
        policy = self.core.device_service.admission_policy
        return policy.admit(StubClient(**proof), device, self.core.registry.get(device), is_poll=False)

    def sign_off(self, device: str) -> None:
        """Sign off."""
        self.result(self.core.device_service.sign_off(StubClient(), device))

    def wall_ms_in(self, seconds: float) -> int:
        """The moment so many seconds from now, in wall milliseconds."""
        return milliseconds(self.wall() + seconds)

    def sweep(self) -> None:
        """Run one sweep."""
        self.result(self.core.sweep())

    def pass_time(self, seconds: int) -> None:
        """Let time pass, with a check for offline devices each second."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.result(self.core.detect_offline())

    def command(self, command: str) -> Command:
        """A command as it is stored."""
        found: Command = self.result(self.core.store.command(command))
        return found

    def device(self, device: str) -> Device:
        """A device as an operator sees it."""
        return self.core.presence.merge_live_state(self.stored(device))

    def stored(self, device: str) -> Device:
        """A device as it is stored."""
        listed = self.result(self.core.store.devices(DeviceFilter(), None, 500))
        return next(found for found, _load in listed if found.id == device)

    def event_types(self, device: str | None = None) -> list[str]:
        """The types of the events since the start, of one device or of all."""
        return [str(event.type) for event in self.events if device in (None, event.device)]


def build_harness(
    clock: Clock, config: Config, jitter: float, store: SqliteStore, offset: float = EPOCH
) -> CoreHarness:
    """Start a core over a store; ``jitter``, 0 to 1, is how much of the allowed jitter shortens each hold, ``offset``
    the wall time when the clock was 0.
    """
    wall = Wall(clock, offset)
    clocks = Clocks(clock, wall)
    follow(store, clocks)
    core = build_core(store, clocks, config, MemoryTokenFile(), lambda: jitter)
    core.start()
    harness = CoreHarness(core, clock, wall, store.executor.run if isinstance(store, SteppedStore) else _no_pending)
    store.subscribe(harness.events.append)
    return harness


def _no_pending() -> None:
    """A store on the calling thread executes transactions at once."""
