"""Tests of leases and of times to live over outages and clock steps."""

import pytest

from pushd.model.timestamps import Now
from pushd.rules.queueing import ClaimNext, Enqueue
from pushd.rules.time_limits import Renew, StepClock
from tests.rules.plain_view import PlainView
from tests.store.samples import LIMIT, READER, STEADY, WALL, at, command_id, draft

ID = command_id(1)


@pytest.fixture
def view() -> PlainView:
    """A view with one queued command, to be sent within 300 s."""
    view = PlainView()
    Enqueue(draft(lease=30.0, ttl=300), False, LIMIT).decide(view)
    return view


def lease_left(view: PlainView, seconds: float) -> float | None:
    """Seconds that are left of the lease at this time."""
    until = view.commands[ID].lease_until
    return None if until is None else (until - at(seconds).steady) / 1000


def test_a_renewed_lease_has_its_whole_time_again(view: PlainView) -> None:
    """The server could not receive a result meanwhile."""
    ClaimNext(READER, None, False, 1).decide(view)
    view.now = at(20)
    Renew(ID).decide(view)
    assert lease_left(view, 20) == 30


def test_a_command_that_was_sent_after_the_outage_keeps_its_lease(view: PlainView) -> None:
    """Leases are renewed in many transactions; what was sent between two of them has a longer lease already."""
    view.now = at(21)
    ClaimNext(READER, None, False, 1).decide(view)
    before = view.commands.copy()
    view.now = at(20)
    Renew(ID).decide(view)
    assert view.commands == before


def test_a_queued_command_has_no_lease_to_renew(view: PlainView) -> None:
    """Only a command in flight has one."""
    view.now = at(20)
    Renew(ID).decide(view)
    assert lease_left(view, 20) is None


@pytest.mark.parametrize(("step", "expected"), [(-5000, 300), (0, 300), (999, 300), (1000, 299), (60_000, 240)])
def test_a_time_to_live_ends_when_the_wall_clock_shows_it_or_earlier(
    view: PlainView, step: int, expected: float
) -> None:
    """It never ends later; by less than a second clocks deviate without being set."""
    now = Now(wall=WALL + step, steady=STEADY, elapsed=WALL)
    view.now = now
    StepClock(ID, max(WALL, now.wall)).decide(view)
    assert (view.commands[ID].expires_elapsed - WALL) / 1000 == expected
