"""Every interleaving of senders, polls, hang-ups, results, time and the store's steps, as far as chance finds them."""

from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from enum import Enum
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.devices.admission import ClientIdentity
from pushd.model.device import Admission
from pushd.model.errors import DeviceSignedOff, IllegalMove, Unavailable
from pushd.model.lifecycle import Delivery
from tests.core.harness import CONTAINER, READER, HeldPoll, build_harness
from tests.core.polling.stored_commands import claimable, sent
from tests.stepped import SteppedStore
from tests.store.samples import StubResult

DEVICES = (READER, CONTAINER)
APPROVED = Admission.APPROVED

LONG = 60.0
"""Seconds after which every poll of before has ended, and every command is due."""


class Step(Enum):
    """What the store does next."""

    COMMIT = "commit"
    TELL = "tell"
    LOSE = "lose"
    ALL = "all"


class Meddling(Enum):
    """What else may happen to a device."""

    SIGN_OFF = "signed_off"
    CANCEL = "cancelled"
    APPROVE = "approved"
    DOUBT = "pending"


T = TypeVar("T")
Pace = Sequence[Step]
paces = st.one_of(st.just([Step.ALL]), st.lists(st.sampled_from([Step.COMMIT, Step.TELL, Step.LOSE]), max_size=4))
"""What the store does before the next thing happens outside."""

places = st.sampled_from([0, 0, 0, 1, 2])
"""Of several things the newest, mostly."""

devices = st.sampled_from(DEVICES)
uuids = st.sampled_from(["u1", "u1", "u2", None])
moments = st.sampled_from([1.0, 5.0, 10.0])


class Interleavings(RuleBasedStateMachine):
    """Two devices, and a store that takes its steps when it is told to."""

    @initialize(batch=st.sampled_from([1, 2]), reliable=st.booleans())
    def build(self, batch: int, reliable: bool) -> None:
        """Start, with or without batches, over a store that may lose what it is to write, and says so, or may not."""
        self.reliable = reliable
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.store = SteppedStore()
        self.harness = build_harness(self.clock, Config(batch=batch), 0.0, self.store)
        self.executor = self.store.executor
        for device in DEVICES:
            self.harness.register(device)
        self.polls: list[HeldPoll] = []
        self.named: dict[str, str | None] = {}
        self.accepted: dict[str, Delivery] = {}

    @rule(device=devices, delivery=st.sampled_from(Delivery), later=st.sampled_from([None, None, 3.0]), pace=paces)
    def put(self, device: str, delivery: Delivery, later: float | None, pace: Pace) -> None:
        """Send a command, for now or for later."""
        due = None if later is None else self.harness.wall_ms_in(later)
        self._begin(self._put(device, delivery, due))
        self.work(pace)

    @rule(device=devices, uuid=uuids, pace=paces)
    def poll(self, device: str, uuid: str | None, pace: Pace) -> None:
        """Poll."""
        self.named[device] = uuid
        self.polls.append(self.harness.poll(device, uuid))
        self.work(pace)

    @precondition(lambda self: self.held)
    @rule(place=places, pace=paces)
    def leave(self, place: int, pace: Pace) -> None:
        """Hang up."""
        _pick(self.held, place).disconnect()
        self.work(pace)

    @rule(seconds=moments, sweeps=st.booleans(), pace=paces)
    def advance(self, seconds: float, sweeps: bool, pace: Pace) -> None:
        """Let time pass; the clock may end what it ends."""
        self.clock.advance(seconds)
        if sweeps:
            self._begin(self.harness.core.sweep())
        self.work(pace)

    @precondition(lambda self: self.handed)
    @rule(place=places, word=st.sampled_from(["acknowledged", "done", "u1", "u2"]), pace=paces)
    def answer(self, place: int, word: str, pace: Pace) -> None:
        """The container speaks of something that was handed over, or the reader of one of its polls."""
        command = _pick(self.handed, place)[0]
        device_service, reader, container = (
            self.harness.core.device_service,
            ClientIdentity(device=READER),
            ClientIdentity(device=CONTAINER),
        )
        if word == "acknowledged":
            self._begin(device_service.acknowledge(container, command))
        elif word == "done":
            self._begin(device_service.settle(container, StubResult(message=command)))
        else:
            self._begin(device_service.settle(reader, StubResult(uuid=word)))
        self.work(pace)

    @rule(device=devices, what=st.sampled_from([*Meddling]), place=places, pace=paces)
    def meddle(self, device: str, what: Meddling, place: int, pace: Pace) -> None:
        """A device is approved, or no longer; or says goodbye; or an operator takes something back, if it can be."""
        core = self.harness.core
        if what is Meddling.SIGN_OFF:
            self._begin(core.device_service.sign_off(ClientIdentity(device=device)))
        elif what is not Meddling.CANCEL:
            self._begin(core.registry.change(device, {"admission": Admission(what.value)}))
        elif self.accepted:
            self._begin(core.command_queue.cancel(_pick([*self.accepted], place)))
        self.work(pace)

    @rule(pace=paces)
    def work(self, pace: Pace) -> None:
        """The store commits, and tells of, some of what it was asked for, or of all."""
        for step in pace:
            if step is Step.ALL:
                self.executor.run()
            elif step is Step.TELL and self.executor.committed:
                self.executor.notify()
            elif step is Step.LOSE and self.executor.submitted and not self.reliable:
                self.executor.fail()
            elif self.executor.submitted:
                self.executor.commit()
            self.clock.advance(0)

    @invariant()
    def every_poll_ends_once(self) -> None:
        """Each is answered or has left, and each that is held has its place, and one timer at most."""
        assert all(len(poll.answers) + len(poll.failures) <= 1 for poll in self.polls)
        assert len(self.harness.core.poll_registry) == len(self.held)
        assert len(self.clock.getDelayedCalls()) <= len(self.held)

    @invariant()
    def nothing_is_delivered_twice(self) -> None:
        """No attempt is, and no command unless its sender allowed it."""
        assert not _repeated(self.handed)
        once = Delivery.AT_MOST_ONCE
        assert not _repeated([command for command, _ in self.handed if self._delivery(command) is once])

    @invariant()
    def no_wake_up_is_lost(self) -> None:
        """Once the store has done its work, no device waits for what it could have."""
        if self.executor.idle and self.reliable:
            for device in DEVICES:
                assert not self.harness.core.poll_registry.is_polling(device) or not self._claimable(device)

    @invariant()
    def what_is_sent_was_handed_over(self) -> None:
        """Once the store has done its work, a command that is called sent was written to a device that was there."""
        if self.executor.idle and self.reliable:
            assert sent(self.store) <= set(self.handed)

    def teardown(self) -> None:
        """In the end each device gets all that is still to be had, and nothing is left."""
        self.clock.advance(LONG)
        for device in DEVICES:
            self.harness.result(self.harness.core.registry.change(device, {"admission": APPROVED}))
            self._fetch_all(device)
            assert not self._claimable(device)
        self._check_all()
        self.harness.core.drain()
        self.harness.run()
        self._check_all()
        assert not self.held
        assert not self.clock.getDelayedCalls()
        self.harness.result(self.harness.core.store.close())

    def _fetch_all(self, device: str) -> None:
        for number in range(len(self.accepted) + 1):
            self.poll(device, f"fresh-{number}", [Step.ALL])
            if not self.polls[-1].commands:
                return

    def _check_all(self) -> None:
        self.every_poll_ends_once()
        self.nothing_is_delivered_twice()
        self.no_wake_up_is_lost()
        self.what_is_sent_was_handed_over()

    @property
    def held(self) -> list[HeldPoll]:
        """The polls whose devices still wait."""
        return [poll for poll in self.polls if poll.held]

    @property
    def handed(self) -> list[tuple[str, int]]:
        """What the devices were handed: commands and attempts."""
        return [(one.command, one.attempt) for poll in self.polls for answer in poll.answers for one in answer]

    def _begin(self, wanted: Coroutine[Deferred[Any], Any, object]) -> None:
        self.harness.start(wanted).addErrback(lambda failure: failure.trap(DeviceSignedOff, IllegalMove, Unavailable))

    async def _put(self, device: str, delivery: Delivery, due: int | None) -> None:
        command, _created = await self.harness.putting(device, delivery=delivery, not_before=due)
        self.accepted[command.id] = delivery

    def _delivery(self, command: str) -> Delivery | None:
        return self.accepted.get(command)

    def _claimable(self, device: str) -> list[str]:
        retry = self.named.get(device) if device == READER else None
        return claimable(self.store, device, retry, self.harness.core.clocks.wall_now())


def _pick(things: Sequence[T], place: int) -> T:
    return things[-1 - place % len(things)]


def _repeated(things: Iterable[object]) -> list[object]:
    return [thing for thing, count in Counter(things).items() if count > 1]


@pytest.mark.timeout(900)  # making a failure small takes its time
def test_no_interleaving_loses_or_doubles_anything() -> None:
    """Whatever comes when: no wake-up is lost, nothing is delivered twice, nothing is left behind."""
    run_state_machine_as_test(
        Interleavings, settings=settings(max_examples=100, stateful_step_count=50, deadline=None)
    )
