"""A test that lets senders, a device, an operator and the clock do as they like with a store, and compares what
becomes of every command with what should.
"""

from typing import Any

from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, invariant, rule, run_state_machine_as_test

from pushd.model.command import Dispatched
from pushd.model.lifecycle import OUT, Delivery, Move, State
from pushd.model.result import Verdict
from pushd.model.timestamps import Now
from pushd.store.filters import Settlement
from tests.store.both import ALL, Both, allowed, result_of
from tests.store.samples import FAILURE, GARBLED, LIMIT, READER, SUCCESS, StubResult, command_id, device

seconds = st.sampled_from([1, 2, 5, 10, 30, 60, 120])
verdicts = st.sampled_from([SUCCESS, FAILURE, GARBLED])
results = st.sampled_from(['{"response":{}}', '{"response":1}'])
names = st.sampled_from(["u-1", "u-2", "u-3"])


class Promises(Both):
    """Whatever may happen."""

    sent: Bundle[str] = Bundle("sent")
    handed: Bundle[Dispatched] = Bundle("handed")

    def __init__(self) -> None:
        super().__init__()
        self.stepped_back = False
        self.runs: dict[str, int] = {}

    @initialize()
    def approve(self) -> None:
        """There is one device."""
        result_of(self.store.add_device(device(), False, self.now))

    @rule(
        target=sent,
        delivery=st.sampled_from(Delivery),
        priority=st.integers(4, 6),
        ttl=seconds,
        later=st.none() | seconds,
        lease=seconds,
        deadline=seconds,
        max_attempts=st.integers(1, 3),
    )
    def put(self, later: int | None, **terms: Any) -> str:
        """A sender sends."""
        not_before = None if later is None else self.now.wall + 1000 * later
        sent = self.draft(not_before=not_before, **terms)
        result_of(self.store.put(sent, False, LIMIT, self.now))
        return self.add(sent)

    @rule(target=handed, uuid=names)
    def poll(self, uuid: str) -> Dispatched:
        """The device polls and is handed the best, or nothing."""
        claimed = result_of(self.store.claim(READER, uuid, False, 1, self.now)).handed
        expected = self.plain.claim(uuid, self.now)
        if expected is None:
            assert claimed == ()
            return Dispatched(command=command_id(0), attempt=1, payload={})
        assert [(each.command, each.attempt) for each in claimed] == [(expected.id, expected.attempts)]
        self.runs[expected.id] = self.runs.get(expected.id, 0) + 1
        return claimed[0]

    @rule(one=handed)
    def hang_up(self, one: Dispatched) -> None:
        """We believe that the device had gone before a byte was written."""
        result_of(self.store.unsend([one], self.now))
        command = self.plain.commands.get(one.command)
        if command is not None and (command.state, command.attempts) == (State.SENT, one.attempt):
            self.plain.unsend(command, one.attempt, self.now)
            self.runs[one.command] -= 1

    @rule(command=sent)
    def acknowledge(self, command: str) -> None:
        """The device says that it has one."""
        result_of(self.store.acknowledge(READER, command, self.now))
        self.plain.acknowledge(self.plain.commands[command], self.now)

    @rule(command=sent, verdict=verdicts, result=results)
    def report_by_message(self, command: str, verdict: Verdict, result: str) -> None:
        """The device says how one went."""
        said = StubResult(message=command, verdict=verdict, result=result)
        settlement = result_of(self.store.settle(READER, said, self.now))
        found = self.plain.commands[command]
        if found.attempts == 0:
            assert settlement is Settlement.ORPHANED
            return
        assert settlement is self.plain.settle(found, found.attempts, "message", verdict, result, self.now)

    @rule(uuid=names, verdict=verdicts, result=results)
    def report_by_uuid(self, uuid: str, verdict: Verdict, result: str) -> None:
        """The device says how what it got with one of its polls went."""
        settlement = result_of(
            self.store.settle(READER, StubResult(uuid=uuid, verdict=verdict, result=result), self.now)
        )
        attempts = [each for each in self.plain.attempts if each.uuid == uuid]
        if not attempts:
            assert settlement is Settlement.ORPHANED
            return
        last = attempts[-1]
        assert settlement is self.plain.settle(last.command, last.number, "uuid", verdict, result, self.now)

    @rule(command=sent)
    def cancel(self, command: str) -> None:
        """An operator takes one back."""
        expected = self.plain.cancel(self.plain.commands[command], self.now)
        assert allowed(lambda: self.store.cancel(command, self.now)) is expected

    @rule(command=sent, move=st.sampled_from([Move.RESOLVE_SUCCEEDED, Move.RESOLVE_FAILED]))
    def resolve(self, command: str, move: Move) -> None:
        """An operator says how one ended."""
        expected = self.plain.resolve(self.plain.commands[command], move, "note", self.now)
        assert allowed(lambda: self.store.resolve(command, move, "note", "ana", self.now)) is expected

    @rule(target=sent, command=sent)
    def resend(self, command: str) -> str:
        """An operator sends one again."""
        again = evolve(self.draft(), resend_of=command)
        before = self.plain.commands[command]
        may = self.plain.may_resend(before)
        done = allowed(lambda: self.store.resend(again, False, LIMIT, self.now))
        assert done is (may or before.resent_as is not None)
        if may:
            before.resent_as = self.add(again)
        return before.resent_as or command

    @rule(passed=seconds)
    def wait(self, passed: int) -> None:
        """Time passes."""
        self.now = Now(wall=self.now.wall + 1000 * passed, steady=self.now.steady + 1000 * passed)

    @rule()
    def sweep(self) -> None:
        """The clock's work is done."""
        result_of(self.store.lapse(ALL, self.now))
        self.plain.lapse(self.now)
        result_of(self.store.expire(ALL, self.now))
        self.plain.expire(self.now)

    @rule(step=st.integers(-60, 60))
    def set_the_clock(self, step: int) -> None:
        """Somebody sets the clock on the wall."""
        self.stepped_back = self.stepped_back or step < 0
        self.now = Now(wall=self.now.wall + 1000 * step, steady=self.now.steady)

    @rule(away=seconds)
    def restart(self, away: int) -> None:
        """We stop, and start again a while later."""
        result_of(self.store.close())
        self.now = Now(wall=self.now.wall + 1000 * away, steady=1)
        self.start()
        self.plain.restart(self.now)
        commands = self.plain.commands.values()
        assert self.known.queued == ({READER} if any(each.state is State.QUEUED for each in commands) else set())
        assert self.known.last_command == max(self.plain.commands, default=None)

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        """Every command stands as it should, to the last field."""
        self.compare()

    @invariant()
    def nothing_runs_twice_unless_its_sender_allowed_it(self) -> None:
        """One that may run once was handed over once at most, all that were taken back apart."""
        for name, runs in self.runs.items():
            command = self.plain.commands[name]
            assert runs <= (1 if command.delivery is Delivery.AT_MOST_ONCE else command.max_attempts)

    @invariant()
    def nothing_is_stored_that_cannot_be(self) -> None:
        """The store finds no flaw in itself, but that a sweep is due; times ascend only while nobody sets the clock
        back.
        """
        if not self.stepped_back:
            flaws = {flaw.what for flaw in result_of(self.store.fsck(self.now))}
            assert flaws <= {"a queued command was not ended after its time to live"}

    @invariant()
    def the_load_is_counted(self) -> None:
        """What waits and what is out is what the device has to do."""
        states = [command.state for command in self.plain.commands.values()]
        load = result_of(self.store.queue_depth(READER))
        assert load.queue == states.count(State.QUEUED)
        assert load.in_flight == sum(state in OUT for state in states)


def test_every_promise_is_kept_whatever_happens() -> None:
    """Through sends, polls, words of the device and the operator, hang-ups, clocks and restarts, in any order."""
    run_state_machine_as_test(
        Promises,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
