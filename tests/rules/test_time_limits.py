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
    Enqueue(draft(1, lease=30.0, ttl=300), False, LIMIT, at()).decide(view)
    return view


def lease_left(view: PlainView, seconds: float) -> float | None:
    """Seconds that are left of the lease at this time."""
    until = view.commands[ID].lease_until
    return None if until is None else (until - at(seconds).steady) / 1000


def test_a_renewed_lease_has_its_whole_time_again(view: PlainView) -> None:
    """The server could not receive a result meanwhile."""
    ClaimNext(READER, None, False, 1, at()).decide(view)
    Renew(ID, at(20)).decide(view)
    assert lease_left(view, 20) == 30


def test_a_command_that_was_sent_after_the_outage_keeps_its_lease(view: PlainView) -> None:
    """Leases are renewed in many transactions; what was sent between two of them has a longer lease already."""
    ClaimNext(READER, None, False, 1, at(21)).decide(view)
    before = view.copy()
    Renew(ID, at(20)).decide(view)
    assert view == before


def test_a_queued_command_has_no_lease_to_renew(view: PlainView) -> None:
    """Only a command in flight has one."""
    Renew(ID, at(20)).decide(view)
    assert lease_left(view, 20) is None


@pytest.mark.parametrize(("step", "expected"), [(-5000, 300), (0, 300), (999, 300), (1000, 299), (60_000, 240)])
def test_a_time_to_live_ends_when_the_wall_clock_shows_it_or_earlier(
    view: PlainView, step: int, expected: float
) -> None:
    """It never ends later; by less than a second clocks deviate without being set."""
    now = Now(wall=WALL + step, steady=STEADY, elapsed=WALL)
    StepClock(ID, max(WALL, now.wall), now).decide(view)
    assert (view.commands[ID].expires_elapsed - WALL) / 1000 == expected
