"""Tests that rules declare what they look at: random histories (``test_properties``) check it, if they can fail."""

from typing import Any

import pytest
from attrs import evolve

from pushd.model.command import Dispatched
from pushd.model.lifecycle import Move
from pushd.model.token import TokenRevision
from pushd.rules.operator_actions import Cancel, Resend, Resolve
from pushd.rules.queueing import ClaimNext, Enqueue, FindEarlier, Unsend
from pushd.rules.reporting import Acknowledge, Settle
from pushd.rules.time_limits import Expire, Lapse, Renew, StepClock
from pushd.rules.view import Rule
from tests.rules.narrow_view import NarrowView, Undeclared
from tests.rules.plain_view import PlainView
from tests.store.samples import LIMIT, READER, StubResult, by_message, command_id, draft

SENT, QUEUED = command_id(1), command_id(2)


@pytest.fixture
def view() -> PlainView:
    """A view with a command in flight, and one that is queued."""
    view = PlainView(tokens={"t": 1})
    Enqueue(draft(key="k", fingerprint=b"f"), False, LIMIT).decide(view)
    ClaimNext(READER, "u", True, 1).decide(view)
    Enqueue(draft(), False, LIMIT).decide(view)
    return view


UNDECLARED: list[tuple[Rule[Any], dict[str, Any]]] = [
    (Enqueue(draft(), False, LIMIT), {"device": None}),
    (Enqueue(draft(), False, LIMIT), {"adds": False}),
    (Enqueue(draft(key="k", fingerprint=b"f"), False, LIMIT), {"key": None}),
    (Enqueue(evolve(draft(), token=TokenRevision("t", 1)), False, LIMIT), {"token": None}),
    (FindEarlier("admin", READER, "k", b"f"), {"key": None}),
    (ClaimNext(READER, None, False, 1), {"device": None}),
    (ClaimNext(READER, None, False, 2), {"next": 1}),
    (ClaimNext(READER, "u", True, 1), {"newest": False}),
    (Unsend([Dispatched(command=SENT, attempt=1, payload={})]), {"commands": ()}),
    (Acknowledge(READER, SENT), {"commands": ()}),
    (Settle(READER, by_message(1)), {"commands": ()}),
    (Settle(READER, StubResult(uuid="u")), {"uuid": None}),
    (Settle(READER, StubResult(uuid="x")), {"newest": False}),
    (Settle(READER, StubResult(endpoint="other")), {"device": None}),
    (Cancel(QUEUED), {"commands": ()}),
    (Resolve(SENT, Move.RESOLVE_FAILED, None, "ana"), {"commands": ()}),
    (Resend(evolve(draft(), resend_of=SENT), False, LIMIT), {"commands": ()}),
    (Resend(evolve(draft(), resend_of=SENT, token=TokenRevision("t", 1)), False, LIMIT), {"token": None}),
    *((rule, {"commands": ()}) for rule in (Lapse(SENT), Expire(QUEUED), Renew(SENT), StepClock(QUEUED, 0))),
]


def _name(parameter: Rule[Any] | dict[str, Any]) -> str:
    return next(iter(parameter)) if isinstance(parameter, dict) else type(parameter).__name__


@pytest.mark.parametrize(("rule", "hidden"), UNDECLARED, ids=_name)
def test_what_is_not_declared_is_found(view: PlainView, rule: Rule[Any], hidden: dict[str, Any]) -> None:
    """If a rule did not declare one of its needs, the first decision that looks at it would fail."""
    with pytest.raises(Undeclared):
        rule.decide(NarrowView.of(view, evolve(rule.needs(), **hidden)))
