"""Tests of how operations reach a database: in order, many in one commit, told on the reactor's thread."""

from collections.abc import Iterable, Sequence
from threading import get_ident
from time import sleep

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from pushd.model.errors import Unavailable
from pushd.store.group_commit import (
    MAX_GROUP,
    TURN_SECONDS,
    Executor,
    InlineExecutor,
    Operation,
    PendingTransaction,
    ReactorExecutor,
    ThreadExecutor,
    resolve,
)
from tests.store.gate import Gate


@define(eq=False)
class Recorder:
    """A connection that writes down which groups it was given."""

    groups: list[list[object]] = field(factory=list)
    threads: set[int] = field(factory=set)
    committing: set[int] = field(factory=set)
    """On which threads it was committed."""
    gate: Gate | None = None
    """Where each commit waits."""
    closed: bool = False
    _group: list[PendingTransaction] = field(factory=list)

    def run(self, group: Iterable[PendingTransaction]) -> Sequence[PendingTransaction]:
        self.execute(group, wait_for_lock=True)
        return self.commit()

    def execute(self, group: Iterable[PendingTransaction], wait_for_lock: bool) -> bool:
        self.threads.add(get_ident())
        self._group = []
        for work in group:
            work.outcome = work.operation(None)  # type: ignore[arg-type]
            self._group.append(work)
        return True

    def commit(self) -> Sequence[PendingTransaction]:
        self.committing.add(get_ident())
        if self.gate is not None:
            self.gate.wait(None)  # type: ignore[arg-type]
        self.groups.append([work.outcome for work in self._group])
        return self._group

    def close(self) -> None:
        self.closed = True


def deliver(group: Sequence[PendingTransaction]) -> None:
    """Tell only who waits."""
    for work in group:
        resolve(work)


@pytest.fixture
def recorder() -> Recorder:
    """A connection to nothing."""
    return Recorder()


@pytest.fixture
def lane(recorder: Recorder) -> ThreadExecutor:
    """A lane with a thread."""
    from twisted.internet import reactor

    lane = ThreadExecutor(recorder, deliver, reactor, "test-lane")  # type: ignore[arg-type]
    lane.start()
    return lane


@pytest.fixture
def shared(recorder: Recorder) -> ReactorExecutor:
    """A lane on the reactor, with a thread for the commits."""
    from twisted.internet import reactor

    lane = ReactorExecutor(recorder, deliver, reactor, "test-lane")  # type: ignore[arg-type]
    lane.start()
    return lane


def ask(lane: Executor, values: Sequence[object]) -> list[Deferred[object]]:
    """Submit operations that give these values."""

    def giving(value: object) -> Operation:
        return lambda tx: value

    return [lane.submit(giving(value)) for value in values]


async def test_what_waits_while_a_commit_is_on_its_way_shares_the_next(
    recorder: Recorder, lane: ThreadExecutor
) -> None:
    """Nobody waits for more than the commit that is on its way and their own."""
    gate = Gate()
    first = lane.submit(gate.wait)
    with gate.shut():
        rest = ask(lane, [1, 2, 3])
    assert await gatherResults([first, *rest]) == ["gate", 1, 2, 3]
    assert recorder.groups == [["gate"], [1, 2, 3]]
    await lane.close()


async def test_a_crowd_is_taken_in_groups(recorder: Recorder, lane: ThreadExecutor) -> None:
    """The first of very many need not wait for the last."""
    gate = Gate()
    first = lane.submit(gate.wait)
    with gate.shut():
        rest = ask(lane, range(MAX_GROUP + 1))
    await gatherResults([first, *rest])
    assert [len(group) for group in recorder.groups] == [1, MAX_GROUP, 1]
    await lane.close()


async def test_verbs_run_on_the_thread_of_the_lane_alone(recorder: Recorder, lane: ThreadExecutor) -> None:
    """The reactor never waits for a disk, and whoever asked is told on the reactor's thread."""
    told_on: list[int] = []
    for _ in range(3):
        await lane.submit(lambda tx: None).addCallback(lambda _: told_on.append(get_ident()))
    assert len(recorder.threads) == 1
    assert set(told_on) == {get_ident()}
    assert get_ident() not in recorder.threads
    await lane.close()


async def test_what_was_asked_for_is_done_before_the_end(recorder: Recorder, lane: ThreadExecutor) -> None:
    """A stop waits for all that was submitted, and takes nothing more."""
    order: list[object] = []
    gate = Gate()
    waiting = [lane.submit(gate.wait)]
    with gate.shut():
        waiting += ask(lane, [1, 2])
        closing_lane = lane.close()
        [late] = ask(lane, [3])
    for each in waiting:
        each.addCallback(order.append)
    await closing_lane.addCallback(lambda _: order.append("closed"))
    assert order == ["gate", 1, 2, "closed"]
    assert recorder.closed
    with pytest.raises(Unavailable):
        await late


async def test_a_lane_without_work_ends_at_once(recorder: Recorder, lane: ThreadExecutor) -> None:
    """A stop needs no last operation."""
    await lane.close()
    assert recorder.closed
    assert recorder.groups == []


async def test_what_comes_in_one_turn_of_the_reactor_shares_a_commit(
    recorder: Recorder, shared: ReactorExecutor
) -> None:
    """Nobody's operation waits for the next turn."""
    assert await gatherResults(ask(shared, [1, 2, 3])) == [1, 2, 3]
    assert recorder.groups == [[1, 2, 3]]
    await shared.close()


async def test_what_comes_during_a_commit_shares_the_next(recorder: Recorder, shared: ReactorExecutor) -> None:
    """The reactor goes on while the disk is waited for, and nothing is added to what is on its way."""
    gate = recorder.gate = Gate()
    rest: list[Deferred[object]] = []
    first = ask(shared, [1, 2])
    await turns(2)
    with gate.shut():
        rest += ask(shared, [3, 4])
        await turns(2)
        assert recorder.groups == []
    assert await gatherResults([*first, *rest]) == [1, 2, 3, 4]
    assert recorder.groups == [[1, 2], [3, 4]]
    await shared.close()


async def test_long_work_is_done_in_pieces(recorder: Recorder, shared: ReactorExecutor) -> None:
    """Sockets are looked at in between, however much there is to write."""
    slow = [shared.submit(lambda tx: sleep(2 * TURN_SECONDS)) for _ in range(3)]
    await gatherResults(slow)
    assert recorder.groups == [[None]] * 3
    await shared.close()


async def test_only_the_commit_is_left_to_a_thread(recorder: Recorder, shared: ReactorExecutor) -> None:
    """Verbs run, and whoever asked is told, on the reactor's thread; what waits for the disk is elsewhere."""
    told_on: list[int] = []
    for _ in range(3):
        await shared.submit(lambda tx: None).addCallback(lambda _: told_on.append(get_ident()))
    assert recorder.threads == set(told_on) == {get_ident()}
    assert len(recorder.committing) == 1
    assert get_ident() not in recorder.committing
    await shared.close()


async def test_a_lane_survives_whoever_is_told(recorder: Recorder, no_logged_failure: list[Failure]) -> None:
    """A fault of those who hear of a commit does not keep the next from coming."""
    from twisted.internet import reactor

    def fault(group: Sequence[PendingTransaction]) -> None:
        deliver(group)
        raise RuntimeError("nobody expected this")

    lane = ReactorExecutor(recorder, fault, reactor, "test-lane")  # type: ignore[arg-type]
    lane.start()
    for value in (1, 2):
        assert await gatherResults(ask(lane, [value])) == [value]
    await lane.close()
    assert [failure.type for failure in no_logged_failure] == [RuntimeError, RuntimeError]
    no_logged_failure.clear()


async def test_a_lane_on_the_reactor_ends_after_what_was_asked_for(
    recorder: Recorder, shared: ReactorExecutor
) -> None:
    """A stop waits for all that was submitted, and takes nothing more."""
    order: list[object] = []
    for each in ask(shared, [1, 2]):
        each.addCallback(order.append)
    closing_lane = shared.close()
    [late] = ask(shared, [3])
    await closing_lane.addCallback(lambda _: order.append("closed"))
    assert order == [1, 2, "closed"]
    assert recorder.closed
    with pytest.raises(Unavailable):
        await late


async def test_a_lane_on_the_reactor_without_work_ends_at_once(recorder: Recorder, shared: ReactorExecutor) -> None:
    """A stop needs no last operation."""
    await shared.close()
    assert recorder.closed
    assert recorder.groups == []


async def turns(count: int) -> None:
    """Let the reactor turn."""
    from twisted.internet import reactor

    for _ in range(count):
        await deferLater(reactor, 0)


def test_a_lane_without_a_thread_does_everything_at_once(recorder: Recorder) -> None:
    """For a database in memory each operation is done, and told, before the call returns."""
    lane = InlineExecutor(recorder, deliver)
    fired: list[object] = []
    for each in ask(lane, [1, 2]):
        each.addCallback(fired.append)
    assert fired == [1, 2]
    assert recorder.groups == [[1], [2]]
    lane.close()
    assert recorder.closed
