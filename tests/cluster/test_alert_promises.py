"""Tests of the promises about alerts: what keeps them, and what breaks each."""

from typing import Any

import pytest
from attrs import evolve

from tests.cluster.alert_promises import (
    AGREE,
    DELIVERED,
    MAILED,
    RAISED,
    REPEATED,
    SILENT,
    AlertObservations,
    Subscription,
    check_alert_promises,
    has_retries,
    outstanding,
)
from tests.harness.admin_api import Json
from tests.harness.receiver import Delivery, Outcome

DEVICE, OTHER = "controlid:7", "controlid:8"


def at(second: float, line: Json) -> Json:
    """A line of the journal."""
    return {"time": f"2026-01-01T00:00:{second:06.3f}+00:00", **line}


def event(second: float, kind: str, device: str = DEVICE, **data: Any) -> Json:
    """An event."""
    return {"type": kind, "at": f"2026-01-01T00:00:{second:06.3f}Z", "device": device, "data": data}


ALERT = {
    "id": "1",
    "kind": "offline",
    "devices": [DEVICE],
    "raised_at": "2026-01-01T00:00:17.000Z",
    "cleared_at": "2026-01-01T00:00:30.000Z",
}
RAISED_EVENT = event(17, "alert.raised", alert="1", devices=[DEVICE])
OUTAGES = [
    at(1, {"device": DEVICE, "did": "went-offline", "brief": False}),
    at(2, {"device": OTHER, "did": "went-offline", "brief": True}),
    at(5, {"device": OTHER, "did": "came-back"}),
    at(29, {"device": DEVICE, "did": "came-back"}),
]


def mail(suffix: str) -> Any:
    """A mail about the alert."""
    return {"Message-ID": f"<alert-1.17{suffix}@example.org>"}


GOOD = AlertObservations(
    outages=OUTAGES,
    events=[event(14, "device.offline"), RAISED_EVENT, event(30, "alert.cleared", alert="1", devices=[DEVICE])],
    alerts=[ALERT],
    mails=[mail(""), mail(".cleared")],
)
SECOND = {**ALERT, "id": "2"}
SUBSCRIBED = {"seq": "a-1", **RAISED_EVENT}


def webhook(outcome: Outcome, next_attempt_at: str | None = None, times: int = 1) -> AlertObservations:
    """An event that was sent so many times, with this outcome."""
    delivery = Delivery(id="evt_a-1", event=SUBSCRIBED, is_signed=True, outcome=outcome)
    shown = {"id": "w", "next_attempt_at": next_attempt_at}
    subscription = Subscription(types=["alert.raised"], deliveries=[delivery] * times, webhook=shown)
    return evolve(GOOD, events=[GOOD.events[0], SUBSCRIBED, GOOD.events[2]], subscriptions=[subscription])


def test_kept() -> None:
    """An outage that is one alert, and a brief one that is none, break no promise."""
    assert list(check_alert_promises(GOOD)) == []


@pytest.mark.parametrize(
    ("promise", "observed"),
    [
        (SILENT, evolve(GOOD, events=[event(6, "device.offline", OTHER), *GOOD.events])),
        (SILENT, evolve(GOOD, events=[event(5, "device.offline"), *GOOD.events])),
        (RAISED, evolve(GOOD, alerts=[])),
        (RAISED, evolve(GOOD, alerts=[ALERT, SECOND])),
        (RAISED, evolve(GOOD, alerts=[{**ALERT, "cleared_at": None}])),
        (RAISED, evolve(GOOD, alerts=[ALERT, {**SECOND, "devices": [OTHER]}])),
        (RAISED, evolve(GOOD, alerts=[ALERT, {**SECOND, "kind": "webhook", "devices": []}])),
        (AGREE, evolve(GOOD, events=[*GOOD.events, RAISED_EVENT])),
        (MAILED, evolve(GOOD, mails=[mail("")])),
        (DELIVERED, webhook(Outcome.REFUSED)),
        (REPEATED, webhook(Outcome.ACCEPTED, times=2)),
    ],
)
def test_broken(promise: str, observed: AlertObservations) -> None:
    """Each of these breaks a promise."""
    assert promise in {broken.promise for broken in check_alert_promises(observed)}


@pytest.mark.parametrize(
    ("observed", "count"),
    [
        (webhook(Outcome.ACCEPTED), 0),
        (webhook(Outcome.ABORTED), 1),
        (evolve(GOOD, mails=[]), 1),
        (evolve(GOOD, alerts=[{**ALERT, "cleared_at": None}]), 1),
    ],
)
def test_run_waits(observed: AlertObservations, count: int) -> None:
    """A run waits for each event that a receiver has not accepted, each mail, and the end of each alert."""
    assert len(outstanding(observed)) == count


def test_repeat_after_a_fault() -> None:
    """A node that dies before it has saved a delivery may have it repeated."""
    assert list(check_alert_promises(evolve(webhook(Outcome.ACCEPTED, times=2), faults=1))) == []


def test_retry_that_is_due_later() -> None:
    """A run goes on waiting while the server shows that it will deliver an event again."""
    observed = webhook(Outcome.REFUSED, "1970-01-01T00:01:00.000Z")
    assert has_retries(observed, now=59)
    assert not has_retries(observed, now=61)
    assert not has_retries(webhook(Outcome.REFUSED), now=0)
