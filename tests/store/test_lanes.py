"""
Tests of how verbs reach a database: in order, many in one commit, told on the reactor's thread.
"""

from collections.abc import Sequence
from threading import get_ident

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults

from pushd.model.errors import Unavailable
from pushd.store.lanes import MAX_GROUP, InlineLane, Lane, ThreadLane, Verb, Work, fire
from tests.store.gate import Gate


@define(eq=False)
class Recorder:
    """
    A connection that writes down which groups it was given.
    """

    groups: list[list[object]] = field(factory=list)
    threads: set[int] = field(factory=set)
    closed: bool = False

    def run(self, group: Sequence[Work]) -> None:
        """
        See :meth:`IConnection.run`.
        """
        self.threads.add(get_ident())
        for work in group:
            work.outcome = work.verb(None)  # type: ignore[arg-type]
        self.groups.append([work.outcome for work in group])

    def close(self) -> None:
        """
        See :meth:`IConnection.close`.
        """
        self.closed = True


def deliver(group: Sequence[Work]) -> None:
    """
    Tell only who waits.
    """
    for work in group:
        fire(work)


@pytest.fixture
def recorder() -> Recorder:
    """
    A connection to nothing.
    """
    return Recorder()


@pytest.fixture
def lane(recorder: Recorder) -> ThreadLane:
    """
    A lane with a thread.
    """
    from twisted.internet import reactor

    lane = ThreadLane(recorder, deliver, reactor, "test-lane")  # type: ignore[arg-type]
    lane.start()
    return lane


def ask(lane: Lane, values: Sequence[object]) -> list[Deferred[object]]:
    """
    Submit verbs that give these values.
    """

    def giving(value: object) -> Verb:
        return lambda tx: value

    return [lane.submit(giving(value)) for value in values]


async def test_what_waits_while_a_commit_is_on_its_way_shares_the_next(recorder: Recorder, lane: ThreadLane) -> None:
    """
    Nobody waits for more than the commit that is on its way and their own.
    """
    gate = Gate()
    first = lane.submit(gate.wait)
    with gate.shut():
        rest = ask(lane, [1, 2, 3])
    assert await gatherResults([first, *rest]) == ["gate", 1, 2, 3]
    assert recorder.groups == [["gate"], [1, 2, 3]]
    await lane.close()


async def test_a_crowd_is_taken_in_groups(recorder: Recorder, lane: ThreadLane) -> None:
    """
    The first of very many need not wait for the last.
    """
    gate = Gate()
    first = lane.submit(gate.wait)
    with gate.shut():
        rest = ask(lane, range(MAX_GROUP + 1))
    await gatherResults([first, *rest])
    assert [len(group) for group in recorder.groups] == [1, MAX_GROUP, 1]
    await lane.close()


async def test_verbs_run_on_the_thread_of_the_lane_alone(recorder: Recorder, lane: ThreadLane) -> None:
    """
    The reactor never waits for a disk, and whoever asked is told on the reactor's thread.
    """
    told_on: list[int] = []
    for _ in range(3):
        await lane.submit(lambda tx: None).addCallback(lambda _: told_on.append(get_ident()))
    assert len(recorder.threads) == 1
    assert set(told_on) == {get_ident()}
    assert get_ident() not in recorder.threads
    await lane.close()


async def test_what_was_asked_for_is_done_before_the_end(recorder: Recorder, lane: ThreadLane) -> None:
    """
    A stop waits for all that was submitted, and takes nothing more.
    """
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


async def test_a_lane_without_work_ends_at_once(recorder: Recorder, lane: ThreadLane) -> None:
    """
    A stop needs no last verb.
    """
    await lane.close()
    assert recorder.closed
    assert recorder.groups == []


def test_a_lane_without_a_thread_does_everything_at_once(recorder: Recorder) -> None:
    """
    For a database in memory each verb is done, and told, before the call returns.
    """
    lane = InlineLane(recorder, deliver)
    fired: list[object] = []
    for each in ask(lane, [1, 2]):
        each.addCallback(fired.append)
    assert fired == [1, 2]
    assert recorder.groups == [[1], [2]]
    lane.close()
    assert recorder.closed
