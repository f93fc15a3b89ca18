"""Tests that the rules keep their promises together, over random histories."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pushd.model.device import Admission, PresenceState
from pushd.model.lifecycle import Move
from pushd.rules.records import DeviceRecord
from pushd.rules.time_limits import Expire, Lapse
from tests.model_based import strategies
from tests.model_based.budget import budget
from tests.rules.history import History

READER, OTHER = strategies.READERS
devices = st.sampled_from([READER] * 4 + [OTHER])
"""One is chosen most often, so that much happens to it; the other may be confused with it."""

commands = st.builds(lambda wanted, name: wanted | {"name": name}, strategies.commands, devices)

Step = Callable[[History], None]


def step(method: Callable[..., None], **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    """A step of a history, with random arguments."""
    return st.builds(partial, st.just(method), **arguments)


back = st.sampled_from([0, 0, 1, 1, 2, 3, 5, 8])
"""Which command, or which answer, counted from the newest."""

other = st.sampled_from([None] * 9 + [OTHER])
"""Another device than that of the command."""

records = st.builds(
    DeviceRecord,
    st.sampled_from([*[Admission.APPROVED] * 6, *Admission]),
    st.sampled_from([*[PresenceState.ONLINE] * 6, PresenceState.SIGNED_OFF]),
)
claims = step(
    History.claim,
    name=devices,
    uuid=strategies.uuids,
    limit=st.integers(1, 3),
    sequential=st.booleans(),
)
reports = step(
    History.settle,
    back=back,
    other=other,
    by=st.sampled_from(["message", "uuid", "order"]),
    uuid=strategies.uuids,
    report=strategies.results_with_parts,
)
enqueueing = step(History.enqueue, wanted=commands)
FREQUENCIES = (
    (5, enqueueing),
    (8, claims),
    (3, reports),
    (3, step(History.unsend, back=back)),
    (3, step(History.acknowledge, back=back, other=other)),
    (1, step(History.cancel, back=back)),
    (2, step(History.resolve, back=back, move=st.sampled_from([Move.RESOLVE_SUCCEEDED, Move.RESOLVE_FAILED]))),
    (3, step(History.resend, back=back, wanted=commands)),
    (4, step(History.sweep, transition=st.sampled_from([Lapse, Lapse, Expire]))),
    (1, step(History.change_device, name=devices, record=records)),
    (6, step(History.pass_time, seconds=strategies.seconds, stalls=st.sampled_from([False, False, True]))),
    (2, step(History.step_clock, seconds=st.sampled_from([-60, -5, 5, 60, 400]), is_noticed=st.booleans())),
)
steps = st.sampled_from([each for often, each in FREQUENCIES for _ in range(often)]).flatmap(lambda each: each)


@budget(150, 1)
@given(first=enqueueing, others=st.lists(steps, min_size=40, max_size=60))
def test_rules_keep_their_promises_over_any_history(first: Step, others: Sequence[Step]) -> None:
    """Whatever senders, devices, operators and clocks do, in any order, each promise is kept after each step."""
    history = History()
    for each in (first, *others):
        each(history)
        history.check()
