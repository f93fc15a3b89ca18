"""Random interleavings of senders, polls, disconnects, results, time, and the steps of the store."""

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
from pushd.model.device import Admission
from pushd.model.errors import DeviceSignedOff, IllegalMove, Unavailable
from pushd.model.lifecycle import Delivery
from tests.core.harness import CONTAINER, READER, HeldPoll, StubClient, build_harness
from tests.core.polling.stored_commands import claimable, sent
from tests.stepped import SteppedStore
from tests.store.samples import StubResult

DEVICES = (READER, CONTAINER)
APPROVED = Admission.APPROVED

LONG = 60.0
"""Seconds after which every earlier poll has ended, and every command is due."""


class Step(Enum):
    """What the store does next."""

    COMMIT = "commit"
    NOTIFY = "notify"
    FAIL = "fail"
    ALL = "all"


class Change(Enum):
    """What else may happen to a device."""

    SIGN_OFF = "signed_off"
    CANCEL = "cancelled"
    APPROVE = "approved"
    MAKE_PENDING = "pending"


T = TypeVar("T")
Steps = Sequence[Step]
steps_of_store = st.one_of(
    st.just([Step.ALL]), st.lists(st.sampled_from([Step.COMMIT, Step.NOTIFY, Step.FAIL]), max_size=4)
)
"""What the store does before the next rule runs."""

picks = st.sampled_from([0, 0, 0, 1, 2])
"""Picks one of several items, mostly the newest."""

devices = st.sampled_from(DEVICES)
uuids = st.sampled_from(["u1", "u1", "u2", None])
durations = st.sampled_from([1.0, 5.0, 10.0])


class Interleavings(RuleBasedStateMachine):
    """Two devices, and a store whose steps the test executes."""

    @initialize(batch=st.sampled_from([1, 2]), reliable=st.booleans())
    def build(self, batch: int, reliable: bool) -> None:
        """Start, with or without batches, over a store whose transactions may fail, or not."""
        self.reliable = reliable
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.store = SteppedStore()
        self.harness = build_harness(self.clock, Config(batch=batch), 0.0, self.store)
        self.executor = self.store.executor
        for device in DEVICES:
            self.harness.register(device)
        self.polls: list[HeldPoll] = []
        self.uuids: dict[str, str | None] = {}
        self.accepted: dict[str, Delivery] = {}

    @rule(
        device=devices,
        delivery=st.sampled_from(Delivery),
        later=st.sampled_from([None, None, 3.0]),
        steps=steps_of_store,
    )
    def put(self, device: str, delivery: Delivery, later: float | None, steps: Steps) -> None:
        """Enqueue a command, due now or later."""
        due = None if later is None else self.harness.wall_ms_in(later)
        self._begin(self._put(device, delivery, due))
        self.work(steps)

    @rule(device=devices, uuid=uuids, steps=steps_of_store)
    def poll(self, device: str, uuid: str | None, steps: Steps) -> None:
        """Poll."""
        self.uuids[device] = uuid
        self.polls.append(self.harness.poll(device, uuid))
        self.work(steps)

    @precondition(lambda self: self.held)
    @rule(pick=picks, steps=steps_of_store)
    def disconnect(self, pick: int, steps: Steps) -> None:
        """Close a held poll."""
        _pick(self.held, pick).disconnect()
        self.work(steps)

    @rule(seconds=durations, sweeps=st.booleans(), steps=steps_of_store)
    def advance(self, seconds: float, sweeps: bool, steps: Steps) -> None:
        """Let time pass, with or without a sweep."""
        self.clock.advance(seconds)
        if sweeps:
            self._begin(self.harness.core.sweep())
        self.work(steps)

    @precondition(lambda self: self.delivered)
    @rule(pick=picks, report=st.sampled_from(["acknowledged", "done", "u1", "u2"]), steps=steps_of_store)
    def answer(self, pick: int, report: str, steps: Steps) -> None:
        """The container acknowledges or reports a command, or the reader reports one of its polls."""
        command = _pick(self.delivered, pick)[0]
        device_service = self.harness.core.device_service
        if report == "acknowledged":
            self._begin(device_service.acknowledge(StubClient(), CONTAINER, command))
        elif report == "done":
            self._begin(device_service.settle(StubClient(), CONTAINER, StubResult(message=command)))
        else:
            self._begin(device_service.settle(StubClient(), READER, StubResult(uuid=report)))
        self.work(steps)

    @rule(device=devices, what=st.sampled_from([*Change]), pick=picks, steps=steps_of_store)
    def change(self, device: str, what: Change, pick: int, steps: Steps) -> None:
        """A device is approved or made pending, or signs off, or an operator cancels a command."""
        core = self.harness.core
        if what is Change.SIGN_OFF:
            self._begin(core.device_service.sign_off(StubClient(), device))
        elif what is not Change.CANCEL:
            self._begin(core.registry.change(device, {"admission": Admission(what.value)}))
        elif self.accepted:
            self._begin(core.command_queue.cancel(_pick([*self.accepted], pick)))
        self.work(steps)

    @rule(steps=steps_of_store)
    def work(self, steps: Steps) -> None:
        """The store commits some or all transactions, and notifies."""
        for step in steps:
            if step is Step.ALL:
                self.executor.run()
            elif step is Step.NOTIFY and self.executor.committed:
                self.executor.notify()
            elif step is Step.FAIL and self.executor.submitted and not self.reliable:
                self.executor.fail()
            elif self.executor.submitted:
                self.executor.commit()
            self.clock.advance(0)

    @invariant()
    def every_poll_ends_once(self) -> None:
        """Each poll is answered or given up once; each held one is registered, and has one timer at most."""
        assert all(len(poll.answers) + len(poll.failures) <= 1 for poll in self.polls)
        assert len(self.harness.core.poll_registry) == len(self.held)
        assert len(self.clock.getDelayedCalls()) <= len(self.held)

    @invariant()
    def nothing_is_delivered_twice(self) -> None:
        """No attempt is delivered twice, and no command unless its sender allowed it."""
        assert not _repeated(self.delivered)
        once = Delivery.AT_MOST_ONCE
        assert not _repeated([command for command, _ in self.delivered if self._delivery(command) is once])

    @invariant()
    def no_wake_up_is_lost(self) -> None:
        """When the store is idle, no device waits for a command that it could have."""
        if self.executor.idle and self.reliable:
            for device in DEVICES:
                assert not self.harness.core.poll_registry.is_polling(device) or not self._claimable(device)

    @invariant()
    def what_is_sent_was_delivered(self) -> None:
        """When the store is idle, each command in state ``sent`` was written to a connected device."""
        if self.executor.idle and self.reliable:
            assert sent(self.store) <= set(self.delivered)

    def teardown(self) -> None:
        """In the end each device gets all commands that it still can, and nothing is left behind."""
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
        self.what_is_sent_was_delivered()

    @property
    def held(self) -> list[HeldPoll]:
        """The polls whose devices still wait."""
        return [poll for poll in self.polls if poll.held]

    @property
    def delivered(self) -> list[tuple[str, int]]:
        """The commands and attempts that the devices received."""
        return [
            (dispatched.command, dispatched.attempt)
            for poll in self.polls
            for answer in poll.answers
            for dispatched in answer
        ]

    def _begin(self, operation: "Deferred[Any] | Coroutine[Deferred[Any], Any, object]") -> None:
        started = operation if isinstance(operation, Deferred) else self.harness.start(operation)
        started.addErrback(lambda failure: failure.trap(DeviceSignedOff, IllegalMove, Unavailable))

    async def _put(self, device: str, delivery: Delivery, due: int | None) -> None:
        command, _created = await self.harness.putting(device, delivery=delivery, not_before=due)
        self.accepted[command.id] = delivery

    def _delivery(self, command: str) -> Delivery | None:
        return self.accepted.get(command)

    def _claimable(self, device: str) -> list[str]:
        retry = self.uuids.get(device) if device == READER else None
        return claimable(self.store, device, retry, self.harness.core.clocks.wall_now())


def _pick(items: Sequence[T], pick: int) -> T:
    return items[-1 - pick % len(items)]


def _repeated(items: Iterable[object]) -> list[object]:
    return [item for item, count in Counter(items).items() if count > 1]


@pytest.mark.timeout(900)  # shrinking a failure takes its time
def test_no_interleaving_loses_or_doubles_anything() -> None:
    """Whatever happens when: no wake-up is lost, nothing is delivered twice, and nothing is left behind."""
    run_state_machine_as_test(
        Interleavings, settings=settings(max_examples=100, stateful_step_count=50, deadline=None)
    )
