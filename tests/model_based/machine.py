"""The machine of the proof: senders, devices, operators and the clock do as they like with a store and with a plain
model of what it should do, and the two are compared after every step.
"""

from collections.abc import Callable
from typing import Any

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, initialize, invariant, multiple, rule

from pushd.model.device import Admission, PresenceState
from pushd.model.lifecycle import Move
from pushd.model.result import Verdict
from tests.model_based import choices
from tests.model_based.checks import CHECKS
from tests.model_based.pair import Pair, PairInAFile
from tests.store.samples import StubResult

Names = str | MultipleResults[str]
"""What a rule adds to the commands that others may choose: one, or any number."""


class Machine(RuleBasedStateMachine):
    """A store in memory and a model, through whatever may happen."""

    commands: Bundle[str] = Bundle("commands")
    reports: Bundle[tuple[str, StubResult]] = Bundle("reports")

    build: Callable[[], Pair] = Pair

    def __init__(self) -> None:
        super().__init__()
        self.pair = type(self).build()

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.pair.close()

    @invariant()
    def nothing_differs(self) -> None:
        """Whatever happened, the store is as it should be."""
        for check in CHECKS:
            check(self.pair)

    @initialize(target=commands, wanted=st.lists(choices.terms, min_size=4, max_size=8), uuid=choices.uuids)
    def begin(self, wanted: list[dict[str, Any]], uuid: str | None) -> Names:
        """Some commands are sent from the beginning, and some wait."""
        names = [self.pair.put(**each) for each in wanted]
        self._poll_all(uuid)
        return multiple(*(name for name in names if name is not None))

    def _poll_all(self, uuid: str | None) -> None:
        for name in choices.DEVICES:
            self.pair.poll(name, uuid, 3)

    @rule(target=commands, wanted=choices.terms, polls=st.sampled_from([True, True, False]), uuid=choices.uuids)
    def put(self, wanted: dict[str, Any], polls: bool, uuid: str | None) -> Names:
        """A sender sends, or repeats a request, while the device polls, or does not."""
        command = self.pair.put(**wanted)
        if polls:
            self.pair.poll(wanted["name"], uuid, 3)
        return _known(command)

    @rule(name=choices.devices, uuid=choices.uuids, batch=st.sampled_from([1, 3, 3]))
    def poll(self, name: str, uuid: str | None, batch: int) -> None:
        """A device polls; Control iD's under a name that is new, repeated, or missing; with batches, or without."""
        self.pair.poll(name, uuid, batch)

    @rule(command=commands, older=st.booleans(), cancelled=st.booleans())
    def hang_up(self, command: str, older: bool, cancelled: bool) -> None:
        """A connection had gone before a byte of its answer was written; maybe an operator was faster than that
        news.
        """
        if cancelled:
            self.pair.cancel(command)
        self.pair.unsend(command, older)

    @rule(name=choices.containers, command=st.none() | commands)
    def acknowledge(self, name: str, command: str | None) -> None:
        """A container says that it has a message: what it was handed last, another of its own, or somebody else's."""
        self.pair.acknowledge(name, command or self._newest(name))

    @rule(
        target=reports,
        name=choices.containers,
        command=st.none() | commands,
        verdict=choices.verdicts,
        result=choices.results,
    )
    def report_by_message(
        self, name: str, command: str | None, verdict: Verdict, result: str
    ) -> tuple[str, StubResult]:
        """A container reports on a message: what it was handed last, another of its own, or somebody else's."""
        return self._report(name, StubResult(message=command or self._newest(name), verdict=verdict, result=result))

    def _newest(self, name: str) -> str:
        attempts = self.pair.model.parties[name].attempts
        return attempts[-1].fate.draft.id if attempts else "nothing"

    @rule(target=reports, name=choices.readers, named=choices.named, said=choices.said_of_batches)
    def report_by_name(self, name: str, named: str, said: StubResult) -> tuple[str, StubResult]:
        """A Control iD device reports, under the name of a poll, a foreign one, or none; of each of a batch, or of
        all.
        """
        return self._report(name, evolve(said, uuid=self._name(name, named)))

    def _name(self, name: str, named: str) -> str | None:
        attempts = self.pair.model.parties[name].attempts
        if named in ("newest", "older") and attempts:
            return attempts[-1 if named == "newest" else len(attempts) // 2].uuid
        return "foreign" if named == "foreign" else None

    @rule(report=reports)
    def report_again(self, report: tuple[str, StubResult]) -> None:
        """A device repeats what it said before."""
        self._report(*report)

    def _report(self, name: str, said: StubResult) -> tuple[str, StubResult]:
        self.pair.report(name, said)
        return name, said

    @rule(
        target=commands,
        command=commands,
        word=st.sampled_from(["resend", "resend", "it worked", "it did not", "cancel"]),
    )
    def decide(self, command: str, word: str) -> Names:
        """An operator takes a command back, sends it again, or says how it ended."""
        if word == "resend":
            return _known(self.pair.resend(command))
        if word == "cancel":
            self.pair.cancel(command)
        else:
            self.pair.resolve(command, Move.RESOLVE_SUCCEEDED if word == "it worked" else Move.RESOLVE_FAILED)
        return multiple()

    @rule(name=choices.devices, how=st.sampled_from(["signed off", "blocked", "signed off", "blocked", "forgotten"]))
    def leave(self, name: str, how: str) -> None:
        """A device goes away, or is sent away, until time passes."""
        if how == "forgotten":
            self.pair.forget(name)
        elif how == "blocked":
            self.pair.admit(name, Admission.BLOCKED)
        else:
            self.pair.sign(name, PresenceState.SIGNED_OFF)

    @rule(passed=choices.seconds, sweeps=st.sampled_from([True, True, False]), uuid=choices.uuids)
    def wait(self, passed: int, sweeps: bool, uuid: str | None) -> None:
        """Time passes, who was away returns, what time ends is ended, unless somebody is faster, and all poll
        again.
        """
        self.pair.turn(passed, passed)
        for name in choices.DEVICES:
            self.pair.come(name)
        if sweeps:
            self.pair.sweep()
        self._poll_all(uuid)

    @rule(step=choices.steps, away=st.none() | st.none() | choices.seconds)
    def disturb(self, step: int, away: int | None) -> None:
        """Somebody sets the clock on the wall; or we stop, or die, and start again a while later."""
        if away is None:
            self.pair.turn(step, 0)
        else:
            self.pair.restart(away)


class MachineInAFile(Machine):
    """The same over a file that is closed and opened again."""

    build = PairInAFile


def _known(command: str | None) -> Names:
    return multiple() if command is None else command
