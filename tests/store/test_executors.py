"""Tests of executors: operations run in order, many in one commit, and are delivered on the reactor's thread."""

from collections.abc import Callable, Iterable, Sequence
from threading import get_ident
from typing import Any
from weakref import finalize

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
)
from tests.store.blocker import Blocker
from tests.store.reactor import ReactorWithManualClock


@define(eq=False)
class Recorder:
    """A connection without a database, which records the groups that it commits."""

    groups: list[list[object]] = field(factory=list)
    run_on: set[int] = field(factory=set)
    """The threads on which operations ran."""
    committed_on: set[int] = field(factory=set)
    """The threads on which groups were committed."""
    blocker: Blocker | None = None
    """What each commit waits for."""
    closed: bool = False
    _group: list[PendingTransaction] = field(factory=list)

    def run(self, group: Iterable[PendingTransaction]) -> Sequence[PendingTransaction]:
        self.execute(group, wait_for_lock=True)
        return self.commit()

    def execute(self, group: Iterable[PendingTransaction], wait_for_lock: bool) -> bool:
        self.run_on.add(get_ident())
        self._group = []
        for pending in group:
            pending.outcome = pending.operation(None, *pending.args)
            self._group.append(pending)
        return True

    def commit(self) -> Sequence[PendingTransaction]:
        self.committed_on.add(get_ident())
        if self.blocker is not None:
            self.blocker.block(None)  # type: ignore[arg-type]
        self.groups.append([pending.outcome for pending in self._group])
        return self._group

    def confirm(self, group: Sequence[PendingTransaction]) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def forget(self) -> None:
        """Forget what was recorded."""
        self.groups, self._group = [], []


def deliver(group: Sequence[PendingTransaction]) -> None:
    """Fire the Deferreds of a group."""
    for pending in group:
        pending.done.callback(pending.outcome)


@pytest.fixture
def recorder() -> Recorder:
    """A connection that records groups."""
    return Recorder()


@pytest.fixture
def executor(recorder: Recorder) -> ThreadExecutor:
    """A :class:`ThreadExecutor` that was started."""
    from twisted.internet import reactor

    executor = ThreadExecutor(recorder, deliver, reactor, "test-executor")  # type: ignore[arg-type]
    executor.start()
    return executor


@pytest.fixture
def manual() -> ReactorWithManualClock:
    """The reactor, with a clock that stands still."""
    return ReactorWithManualClock()


@pytest.fixture
def on_reactor(recorder: Recorder, manual: Any) -> ReactorExecutor:
    """A :class:`ReactorExecutor` that was started."""
    executor = ReactorExecutor(recorder, deliver, manual, "test-executor", lambda _: None)
    executor.start()
    return executor


def submit(executor: Executor, values: Sequence[object]) -> list[Deferred[Any]]:
    """Submit operations that return these values."""

    def returning(value: object) -> Operation[Any]:
        return lambda tx: value

    return [executor.submit(returning(value)) for value in values]


async def test_operations_submitted_during_a_commit_share_the_next(
    recorder: Recorder, executor: ThreadExecutor
) -> None:
    """An operation waits for at most the commit that is in progress and its own."""
    blocker = Blocker()
    first = executor.submit(blocker.block)
    with blocker.blocking():
        rest = submit(executor, [1, 2, 3])
    assert await gatherResults([first, *rest]) == ["blocker", 1, 2, 3]
    assert recorder.groups == [["blocker"], [1, 2, 3]]
    await executor.close()


async def test_the_size_of_a_group_is_limited(recorder: Recorder, executor: ThreadExecutor) -> None:
    """The first of very many operations does not wait for the last."""
    blocker = Blocker()
    first = executor.submit(blocker.block)
    with blocker.blocking():
        rest = submit(executor, range(MAX_GROUP + 1))
    await gatherResults([first, *rest])
    assert [len(group) for group in recorder.groups] == [1, MAX_GROUP, 1]
    await executor.close()


async def test_verbs_run_on_the_thread_of_the_executor_alone(recorder: Recorder, executor: ThreadExecutor) -> None:
    """The reactor never waits for a disk, and Deferreds fire on the reactor's thread."""
    fired_on: list[int] = []
    for _ in range(3):
        await executor.submit(lambda tx: None).addCallback(lambda _: fired_on.append(get_ident()))
    assert len(recorder.run_on) == 1
    assert set(fired_on) == {get_ident()}
    assert get_ident() not in recorder.run_on
    await executor.close()


async def test_closing_finishes_what_was_submitted(recorder: Recorder, executor: ThreadExecutor) -> None:
    """Closing waits for all operations that were submitted, and refuses later ones."""
    order: list[object] = []
    blocker = Blocker()
    waiting = [executor.submit(blocker.block)]
    with blocker.blocking():
        waiting += submit(executor, [1, 2])
        closed = executor.close()
        [late] = submit(executor, [3])
    for each in waiting:
        each.addCallback(order.append)
    await closed.addCallback(lambda _: order.append("closed"))
    assert order == ["blocker", 1, 2, "closed"]
    assert recorder.closed
    with pytest.raises(Unavailable):
        await late


async def test_an_idle_executor_closes(recorder: Recorder, executor: ThreadExecutor) -> None:
    """Closing needs no last operation."""
    await executor.close()
    assert recorder.closed
    assert recorder.groups == []


async def test_operations_of_one_turn_share_a_commit(recorder: Recorder, on_reactor: ReactorExecutor) -> None:
    """What is submitted in one turn of the reactor is one group."""
    assert await gatherResults(submit(on_reactor, [1, 2, 3])) == [1, 2, 3]
    assert recorder.groups == [[1, 2, 3]]
    await on_reactor.close()


async def test_operations_submitted_during_a_commit_of_the_reactor_share_the_next(
    recorder: Recorder, on_reactor: ReactorExecutor
) -> None:
    """The reactor goes on during a commit, and nothing is added to the group that is being committed."""
    blocker = recorder.blocker = Blocker()
    rest: list[Deferred[object]] = []
    first = submit(on_reactor, [1, 2])
    await turns(2)
    with blocker.blocking():
        rest += submit(on_reactor, [3, 4])
        await turns(2)
        assert recorder.groups == []
    assert await gatherResults([*first, *rest]) == [1, 2, 3, 4]
    assert recorder.groups == [[1, 2], [3, 4]]
    await on_reactor.close()


async def test_long_operations_are_spread_over_turns(
    recorder: Recorder, on_reactor: ReactorExecutor, manual: ReactorWithManualClock
) -> None:
    """A group ends after :data:`TURN_SECONDS`, so that the reactor returns to its sockets."""
    slow = [on_reactor.submit(lambda tx: manual.advance(2 * TURN_SECONDS)) for _ in range(3)]
    await gatherResults(slow)
    assert recorder.groups == [[None]] * 3
    await on_reactor.close()


async def test_only_the_commit_runs_on_another_thread(recorder: Recorder, on_reactor: ReactorExecutor) -> None:
    """Operations run, and Deferreds fire, on the reactor's thread; only the wait for the disk is elsewhere."""
    fired_on: list[int] = []
    for _ in range(3):
        await on_reactor.submit(lambda tx: None).addCallback(lambda _: fired_on.append(get_ident()))
    assert recorder.run_on == set(fired_on) == {get_ident()}
    assert len(recorder.committed_on) == 1
    assert get_ident() not in recorder.committed_on
    await on_reactor.close()


async def test_long_operations_never_run_on_the_reactor(recorder: Recorder, on_reactor: ReactorExecutor) -> None:
    """A long operation runs on the thread that commits, alone, and fires its Deferred on the reactor's thread."""
    fired_on: list[int] = []
    ran_on = await on_reactor.submit_long(lambda tx: get_ident()).addCallback(_noting(fired_on))
    assert ran_on != get_ident()
    assert fired_on == [get_ident()]
    await on_reactor.close()


def _noting(fired_on: list[int]) -> Callable[[int], int]:
    """A callback that appends the thread on which it is called."""

    def note(result: int) -> int:
        fired_on.append(get_ident())
        return result

    return note


async def test_long_operations_and_others_take_turns(recorder: Recorder, on_reactor: ReactorExecutor) -> None:
    """Neither retention nor requests wait for the other for ever, however much is submitted."""

    def returning(value: object) -> Operation[Any]:
        return lambda tx: value

    done: list[Deferred[object]] = []

    def again(count: int) -> None:
        done.extend(submit(on_reactor, [count]))
        if count:
            done[-1].addCallback(lambda _: again(count - 1))

    done.extend(on_reactor.submit_long(returning(name)) for name in ("long 1", "long 2"))
    again(3)
    while len(done) < 6 or not all(each.called for each in done):
        await turns(1)
    assert recorder.groups == [[3], ["long 1"], [2], ["long 2"], [1], [0]]
    await on_reactor.close()


async def test_an_executor_survives_an_error_in_a_listener(
    recorder: Recorder, manual: Any, no_logged_failure: list[Failure]
) -> None:
    """An error while a group is delivered does not keep the next group from being committed."""

    def failing(group: Sequence[PendingTransaction]) -> None:
        deliver(group)
        raise RuntimeError("a bug in a listener")

    executor = ReactorExecutor(recorder, failing, manual, "test-executor", lambda _: None)
    executor.start()
    for value in (1, 2):
        assert await gatherResults(submit(executor, [value])) == [value]
    await executor.close()
    assert [failure.type for failure in no_logged_failure] == [RuntimeError, RuntimeError]
    no_logged_failure.clear()


async def test_closing_the_reactor_executor_finishes_what_was_submitted(
    recorder: Recorder, on_reactor: ReactorExecutor
) -> None:
    """Closing waits for all operations that were submitted, and refuses later ones."""
    order: list[object] = []
    for each in submit(on_reactor, [1, 2]):
        each.addCallback(order.append)
    closed = on_reactor.close()
    [late] = submit(on_reactor, [3])
    await closed.addCallback(lambda _: order.append("closed"))
    assert order == [1, 2, "closed"]
    assert recorder.closed
    with pytest.raises(Unavailable):
        await late


async def test_an_idle_reactor_executor_closes(recorder: Recorder, on_reactor: ReactorExecutor) -> None:
    """Closing needs no last operation."""
    await on_reactor.close()
    assert recorder.closed
    assert recorder.groups == []


async def turns(count: int) -> None:
    """Let the reactor turn this often."""
    from twisted.internet import reactor

    for _ in range(count):
        await deferLater(reactor, 0)


def test_the_inline_executor_commits_before_submit_returns(recorder: Recorder) -> None:
    """Without a thread each operation is run, committed and delivered before the call returns."""
    executor = InlineExecutor(recorder, deliver)
    fired: list[object] = []
    for each in submit(executor, [1, 2]):
        each.addCallback(fired.append)
    assert fired == [1, 2]
    assert recorder.groups == [[1], [2]]
    executor.close()
    assert recorder.closed


class Large:
    """Stands for a large text: other than a str, it can be referenced weakly."""


def freed(large: Large) -> "Deferred[None]":
    """Fires when a value is freed, on whatever thread; fails if that takes very long."""
    from twisted.internet import reactor

    done: Deferred[None] = Deferred()
    finalize(large, reactor.callFromThread, done.callback, None)  # type: ignore[attr-defined]
    return done.addTimeout(30, reactor)


async def test_idle_thread_keeps_nothing(recorder: Recorder, executor: ThreadExecutor) -> None:
    """What an operation has read is freed when its caller has done with it, not when the next one has run."""
    done = freed(await executor.submit(lambda tx: Large()))
    recorder.forget()
    await done
    await executor.close()


async def test_idle_commit_thread_keeps_nothing(recorder: Recorder, on_reactor: ReactorExecutor) -> None:
    """The thread that commits does not keep the operation that it ran last."""
    done = freed(await on_reactor.submit_long(lambda tx: Large()))
    recorder.forget()
    await done
    await on_reactor.close()
