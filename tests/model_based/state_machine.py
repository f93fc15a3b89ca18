"""The Hypothesis state machine: senders, devices, operators and clocks act on a store and its reference model.

They act in any order, and both are compared after each step.
"""

from collections.abc import Callable
from typing import Any

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, initialize, invariant, multiple, rule

from pushd.model.device import Admission, PresenceState
from pushd.model.lifecycle import Move
from pushd.model.result import Verdict
from tests.model_based import strategies
from tests.model_based.comparison import ModelComparison, ModelComparisonOnDisk
from tests.model_based.invariants import INVARIANTS
from tests.store.samples import StubResult

CommandIds = str | MultipleResults[str]
"""What a rule adds to the bundle of commands: one id, or any number."""


class StoreMachine(RuleBasedStateMachine):
    """A store in memory and its model."""

    commands: Bundle[str] = Bundle("commands")
    reports: Bundle[tuple[str, StubResult]] = Bundle("reports")

    build: Callable[[], ModelComparison] = ModelComparison

    def __init__(self) -> None:
        super().__init__()
        self.both = type(self).build()

    def teardown(self) -> None:
        """Close the store."""
        self.both.close()

    @invariant()
    def store_equals_model(self) -> None:
        """After each step all invariants hold."""
        for check in INVARIANTS:
            check(self.both)

    @initialize(target=commands, wanted=st.lists(strategies.commands, min_size=4, max_size=8), uuid=strategies.uuids)
    def begin(self, wanted: list[dict[str, Any]], uuid: str | None) -> CommandIds:
        """Some commands are in flight at the beginning, and some are queued."""
        ids = [self.both.put(**each) for each in wanted]
        self._poll_all(uuid)
        return multiple(*(each for each in ids if each is not None))

    def _poll_all(self, uuid: str | None) -> None:
        for name in strategies.DEVICES:
            self.both.poll(name, uuid, 3)

    @rule(
        target=commands, wanted=strategies.commands, polls=st.sampled_from([True, True, False]), uuid=strategies.uuids
    )
    def put(self, wanted: dict[str, Any], polls: bool, uuid: str | None) -> CommandIds:
        """A sender sends, or repeats a request; the device polls, or does not."""
        command = self.both.put(**wanted)
        if polls:
            self.both.poll(wanted["name"], uuid, 3)
        return _ids(command)

    @rule(name=strategies.devices, uuid=strategies.uuids, batch=st.sampled_from([1, 3, 3]))
    def poll(self, name: str, uuid: str | None, batch: int) -> None:
        """A device polls: a reader under a new, a repeated or no uuid, for one command or for a batch."""
        self.both.poll(name, uuid, batch)

    @rule(command=commands, older=st.booleans(), cancelled=st.booleans())
    def lose_connection(self, command: str, older: bool, cancelled: bool) -> None:
        """A connection was lost before a byte of its answer was written; maybe an operator cancels before that is
        known.
        """
        if cancelled:
            self.both.cancel(command)
        self.both.unsend(command, older)

    @rule(name=strategies.devices, command=st.none() | commands)
    def acknowledge(self, name: str, command: str | None) -> None:
        """A device acknowledges what was sent to it last, another of its commands, or that of another device."""
        self.both.acknowledge(name, command or self._newest(name))

    @rule(
        target=reports,
        name=strategies.devices,
        command=st.none() | commands,
        verdict=strategies.verdicts,
        result=strategies.results,
    )
    def report_by_message(
        self, name: str, command: str | None, verdict: Verdict, result: str
    ) -> tuple[str, StubResult]:
        """A device reports by message id on what was sent to it last, another command, or that of another device."""
        message = command or self._newest(name)
        return self._report(name, StubResult(message=message, verdict=verdict, result=result))

    def _newest(self, name: str) -> str:
        attempts = self.both.model.devices[name].attempts
        return attempts[-1].command.id if attempts else "no-such-command"

    @rule(
        target=reports,
        name=strategies.readers,
        origin=strategies.uuid_origins,
        result=strategies.results_with_parts,
    )
    def report_by_uuid(self, name: str, origin: str, result: StubResult) -> tuple[str, StubResult]:
        """A reader reports with the uuid of a poll, an unknown one, or none; on each of a batch, or on all."""
        return self._report(name, evolve(result, uuid=self._uuid(name, origin)))

    def _uuid(self, name: str, origin: str) -> str | None:
        attempts = self.both.model.devices[name].attempts
        if origin in ("newest", "older") and attempts:
            return attempts[-1 if origin == "newest" else len(attempts) // 2].uuid
        return "unknown-uuid" if origin == "unknown" else None

    @rule(report=reports)
    def repeat_report(self, report: tuple[str, StubResult]) -> None:
        """A device repeats an earlier report."""
        self._report(*report)

    def _report(self, name: str, result: StubResult) -> tuple[str, StubResult]:
        self.both.report(name, result)
        return name, result

    @rule(
        target=commands,
        command=commands,
        action=st.sampled_from(["resend", "resend", "succeeded", "failed", "cancel"]),
    )
    def operate(self, command: str, action: str) -> CommandIds:
        """An operator cancels a command, sends it again, or resolves it."""
        if action == "resend":
            return _ids(self.both.resend(command))
        if action == "cancel":
            self.both.cancel(command)
        else:
            self.both.resolve(command, Move.RESOLVE_SUCCEEDED if action == "succeeded" else Move.RESOLVE_FAILED)
        return multiple()

    @rule(name=strategies.devices, how=st.sampled_from(["signed off", "blocked", "signed off", "blocked", "deleted"]))
    def leave(self, name: str, how: str) -> None:
        """A device signs off, or is blocked or deleted, until time passes."""
        if how == "deleted":
            self.both.forget(name)
        elif how == "blocked":
            self.both.admit(name, Admission.BLOCKED)
        else:
            self.both.set_presence(name, PresenceState.SIGNED_OFF)

    @rule(
        passed=strategies.seconds,
        stalled=st.sampled_from([False, False, True]),
        sweeps=st.sampled_from([True, True, False]),
        uuid=strategies.uuids,
    )
    def wait(self, passed: int, stalled: bool, sweeps: bool, uuid: str | None) -> None:
        """Time passes, devices return, the sweep runs, unless it is late, and all devices poll again."""
        self.both.pass_time(passed, stalled=stalled)
        for name in strategies.DEVICES:
            self.both.come_online(name)
        if sweeps:
            self.both.sweep()
        self._poll_all(uuid)

    @rule(step=strategies.clock_steps, uuid=strategies.uuids)
    def set_clock(self, step: int, uuid: str | None) -> None:
        """The wall clock is set, and devices poll before the server notices it."""
        self.both.set_clock(step)
        self._poll_all(uuid)

    @rule(away=strategies.seconds, step=st.just(0) | strategies.clock_steps, orderly=st.booleans())
    def restart(self, away: int, step: int, orderly: bool) -> None:
        """The server stops, or dies, and starts again a while later, maybe with another wall time."""
        if orderly:
            self.both.save_clocks()
        self.both.restart(away, step)


class StoreMachineOnDisk(StoreMachine):
    """The same with a file that is closed and opened again."""

    build = ModelComparisonOnDisk


def _ids(command: str | None) -> CommandIds:
    return multiple() if command is None else command
