"""The core over a store in memory, and the few steps that tests take through it."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pushd.config import Config
from pushd.core.app import Core
from pushd.core.clocks import Clocks
from pushd.core.devices.admission import Access, ClientIdentity
from pushd.core.polling.poll import Answer
from pushd.model.command import Command, SendOptions
from pushd.model.device import Admission, Device, ProofKind
from pushd.model.event import Event
from pushd.model.timestamps import milliseconds
from pushd.store.filters import DeviceFilter, Settlement
from pushd.store.sqlite.store import SqliteStore
from pushd.wiring import build_core
from tests.stepped import SteppedStore
from tests.store.samples import Said

T = TypeVar("T")

READER = "controlid:7"
CONTAINER = "servereye:c0ffee"

PAYLOADS = {"controlid": {"endpoint": "load_objects"}, "servereye": {"control": "REFRESH_AGENT"}}

EPOCH = 1_800_000_000.0


@define(eq=False)
class Wall:
    """Seconds since the epoch; they go with the clock, unless somebody sets them by changing ``offset``."""

    clock: Clock
    offset: float = EPOCH
    drift: float = 0.0
    """By how much each reading is later than the one before; real ones never stand still."""

    def __call__(self) -> float:
        self.offset += self.drift
        return self.offset + self.clock.seconds()


def driven(steps: Coroutine[Any, Any, Answer]) -> Deferred[Answer]:
    """What a coroutine that awaits polls comes to, as the doors drive it; cancel it to hang up."""

    def go_on(result: object) -> None:
        try:
            waiting = result.throwExceptionIntoGenerator(steps) if isinstance(result, Failure) else steps.send(None)
        except StopIteration as end:
            done.callback(end.value)
        except Exception:
            done.errback(Failure())
        else:
            waits[:] = [waiting]
            waiting.addBoth(go_on)

    waits: list[Any] = []
    done: Deferred[Answer] = Deferred(lambda _: waits[0].cancel())
    go_on(None)
    return done


@define(eq=False)
class HeldPoll:
    """A poll as its device sees it: held, then answered once, or refused, or left."""

    answer: Deferred[Answer]
    answers: list[Answer] = field(factory=list, init=False)
    failures: list[Failure] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.answer.addCallbacks(self.answers.append, self.failures.append)

    @property
    def held(self) -> bool:
        """Whether the device still waits."""
        return not self.answers and not self.failures

    @property
    def idle(self) -> bool:
        """Whether the poll was answered with nothing."""
        return self.answers == [()]

    @property
    def commands(self) -> list[str]:
        """What the poll was answered with."""
        return [handed.command for answer in self.answers for handed in answer]

    def leave(self) -> None:
        """Hang up."""
        self.answer.cancel()


@define(eq=False)
class Rooms:
    """A core that has started; ``run`` lets its store do all that it was asked for."""

    core: Core
    clock: Clock
    wall: Wall
    run: Callable[[], None]
    told: list[Event] = field(factory=list, init=False)
    """The feed, as the core heard it."""

    def start(self, wanted: "Coroutine[Deferred[Any], Any, T]") -> Deferred[T]:
        """Begin a verb."""
        return Deferred.fromCoroutine(wanted)

    def result(self, wanted: "Deferred[T] | Coroutine[Deferred[Any], Any, T]") -> T:
        """What a verb returns, or raises, once the store has done its part."""
        deferred = wanted if isinstance(wanted, Deferred) else self.start(wanted)
        self.run()
        return result_of(deferred)

    def register(self, device: str, admission: Admission = Admission.APPROVED, **fields: Any) -> Device:
        """Make a device known."""
        return self.result(self.core.registry.register(self.core.registry.new_device(device, admission, **fields)))

    def put(self, device: str, queue_signed_off: bool = False, **terms: Any) -> str:
        """Send a command; its id."""
        return self.result(self.putting(device, queue_signed_off, **terms))[0].id

    def give(self, device: str, kind: ProofKind, overlap: float = 0.0) -> str:
        """Give a device a new secret or key."""
        return self.result(self.core.registry.issue_credential(device, kind, overlap))

    def putting(
        self, device: str, queue_signed_off: bool = False, **terms: Any
    ) -> Coroutine[Deferred[Any], Any, tuple[Command, bool]]:
        """Begin to send a command."""
        draft = self.core.drafts.make(device, PAYLOADS[device.partition(":")[0]], SendOptions(**terms), "a test")
        return self.core.command_queue.put(draft, queue_signed_off)

    def send(self, device: str, **terms: Any) -> str:
        """Send a command, and let its device have it; its id."""
        command = self.put(device, **terms)
        assert self.poll(device).commands == [command]
        return command

    def poll(self, device: str, uuid: str | None = None, **shown: Any) -> HeldPoll:
        """Poll as a device does that comes in at the door."""
        client_identity = ClientIdentity(device=device, **shown)
        return HeldPoll(driven(self.core.device_service.poll(client_identity, uuid)))

    def take(self, device: str, hold: float = 10.0, uuid: str | None = None) -> HeldPoll:
        """Poll behind the door, where nobody takes notes of who is here."""

        async def taken() -> Answer:
            return await poll

        poll = self.core.command_queue.take(device, hold, uuid)
        return HeldPoll(driven(taken()))

    def report(self, device: str, **said: Any) -> Settlement:
        """Post a result, by ``uuid`` or by ``message``."""
        return self.result(self.core.command_queue.settle(device, Said(**said)))

    def access(self, device: str, **proof: Any) -> Access:
        """What a client gets that sends this proof, if it does not poll."""
        client_identity = ClientIdentity(device=device, **proof)
        policy = self.core.device_service.admission_policy
        return policy.admit(client_identity, self.core.registry.get(device), is_poll=False)

    def sign_off(self, device: str) -> None:
        """Sign off."""
        self.result(self.core.device_service.sign_off(ClientIdentity(device=device)))

    def in_wall_ms(self, seconds: float) -> int:
        """The moment that is so many seconds away, in wall milliseconds."""
        return milliseconds(self.wall() + seconds)

    def sweep(self) -> None:
        """Let the clock do its part."""
        self.result(self.core.sweep())

    def watch(self, seconds: int) -> None:
        """Let time pass as it does while all is well: the watchdog looks each second."""
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

    def words(self, device: str | None = None) -> list[str]:
        """The types of the events so far, of one device or of all."""
        return [str(event.type) for event in self.told if device in (None, event.device)]


def result_of(deferred: Deferred[T]) -> T:
    """What a Deferred has fired with; it must have."""
    outcomes: list[Any] = []
    deferred.addBoth(outcomes.append)
    assert outcomes, "nothing came of it yet"
    if isinstance(outcomes[0], Failure):
        outcomes[0].raiseException()
    outcome: T = outcomes[0]
    return outcome


def build_rooms(clock: Clock, config: Config, jitter: float, store: SqliteStore) -> Rooms:
    """Start a core over a store that nothing is in yet; holds are shortened by ``jitter``, 0 to 1 of what is
    allowed.
    """
    wall = Wall(clock)
    core = build_core(store, Clocks(clock, wall), config, lambda: jitter)
    core.start()
    rooms = Rooms(core, clock, wall, store.lane.run if isinstance(store, SteppedStore) else _nothing)
    store.subscribe(rooms.told.append)
    return rooms


def _nothing() -> None:
    """A store on the calling thread has done it by now."""
