"""Tests of the checks: one set of observations keeps all promises, and each change of it breaks a promise."""

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve

from tests.harness.admin_api import Json
from tests.harness.command_promises import PROMISES, check_promises
from tests.harness.trace import Observations, build_traces

DEVICE = "controlid:7"
KEY, ID, UUID = "c1", "id-1", "u1"

REQUEST: Json = {
    "did": "send",
    "key": KEY,
    "device": DEVICE,
    "parts": [KEY],
    "fails": False,
    "delivery": "at_most_once",
    "lease": 0.5,
}
COMMAND: Json = {
    "id": ID,
    "idempotency_key": KEY,
    "state": "succeeded",
    "attempts": 1,
    "max_attempts": 5,
    "created_at": "2026-01-01T00:00:00.000Z",
    "not_before": None,
    "expires_at": "2026-01-01T00:00:10.000Z",
}


def at(second: float, line: Mapping[str, Any]) -> Json:
    """A line of a journal."""
    return {"time": f"2026-01-01T00:00:{second:06.3f}+00:00", "device": DEVICE, **line}


def event(second: float, kind: str, **data: str) -> Json:
    """An event."""
    return {"type": kind, "at": f"2026-01-01T00:00:{second:06.3f}Z", "command": ID, "data": data}


ACCEPTED = at(0, {"did": "accepted", "key": KEY, "status": 201, "command": ID})
RAN = at(2, {"did": "ran", "uuid": UUID, "query": KEY})
REPORTED = at(3, {"did": "reported", "uuid": UUID})
SENT = event(1, "command.sent")

GOOD = Observations(
    operator=[at(0, REQUEST), ACCEPTED],
    devices=[RAN, REPORTED],
    commands=[COMMAND],
    events=[event(0, "command.queued"), SENT],
    followed={"the operator": [event(0, "command.queued")]},
)


def broken(observations: Observations) -> set[str]:
    """The promises that were broken."""
    return {each.promise for each in check_promises(build_traces(observations))}


def cancelled(**fields: object) -> Observations:
    """The good observations, and a cancel by the operator."""
    line = at(4, {"did": "cancel", "key": KEY, "status": 200, "state": "succeeded", "attempts": 1, **fields})
    return evolve(GOOD, operator=[*GOOD.operator, line])


def command(**fields: object) -> Observations:
    """The good observations, with other fields of the command at the end."""
    return evolve(GOOD, commands=[COMMAND | fields])


def suspended(since: float, until: float) -> Observations:
    """The good observations, and a suspension of the server between these two moments."""
    lines = [at(since, {"did": "suspended", "key": KEY}), at(until, {"did": "resumed", "key": KEY})]
    return evolve(GOOD, operator=[*GOOD.operator, *lines])


BAD: list[tuple[str, Observations]] = [
    ("every accepted command ends", evolve(GOOD, commands=[])),
    ("every accepted command ends", command(state="queued")),
    (
        "one idempotency key creates one command",
        evolve(GOOD, operator=[*GOOD.operator, ACCEPTED | {"command": "id-2"}]),
    ),
    ("one idempotency key creates one command", command(id="id-2")),
    ("at_most_once commands run at most once", evolve(GOOD, devices=[RAN, RAN])),
    ("at_most_once commands run at most once", evolve(GOOD, events=[*GOOD.events, event(2, "command.sent")])),
    ("nothing runs that was not sent", evolve(GOOD, devices=[RAN, RAN])),
    ("nothing runs that was not sent", command(state="expired", attempts=0)),
    ("nothing runs that was not sent", evolve(GOOD, devices=[RAN | {"query": "c2"}])),
    ("nothing runs that was not sent", command(idempotency_key="c2")),
    ("nothing runs that was not sent", command(attempts=6)),
    ("what succeeded or failed has run", evolve(GOOD, devices=[])),
    ("a reported result decides the state", command(state="unknown")),
    ("a reported result decides the state", command(state="failed")),
    ("a reported result decides the state", evolve(GOOD, events=[*GOOD.events, event(4, "command.sent")])),
    (
        "nothing is sent before or after its time",
        evolve(GOOD, events=[event(0, "command.queued"), event(10, SENT["type"])]),
    ),
    ("nothing is sent before or after its time", command(not_before="2026-01-01T00:00:02.500Z")),
    (
        "nothing is sent before or after its time",
        evolve(GOOD, devices=[at(15, RAN | {"time": "2026-01-01T00:00:15Z"})]),
    ),
    ("what was claimed is not sent after its lease", suspended(1.2, 1.9)),
    ("a cancelled command is not sent", cancelled(state="cancelled")),
    ("a cancelled command is not sent", cancelled(attempts=0, status=202)),
    ("a cancelled command is not sent", cancelled(state="queued")),
    (
        "a final state that was answered remains",
        evolve(GOOD, operator=[at(0, REQUEST), ACCEPTED | {"status": 200, "state": "failed"}]),
    ),
    ("a refused request changes nothing", cancelled(status=500)),
    (
        "a refused request changes nothing",
        evolve(GOOD, operator=[at(0, REQUEST), at(0, {"did": "refused", "key": KEY, "status": 409})]),
    ),
    (
        "a refused request changes nothing",
        evolve(GOOD, operator=[at(0, REQUEST), at(0, {"did": "refused", "key": KEY, "status": 503})]),
    ),
    (
        "a change by another program is kept",
        evolve(GOOD, operator=[*GOOD.operator, at(2, {"did": "changed", "key": KEY, "max_attempts": 6})]),
    ),
    ("the events are complete and in order", evolve(GOOD, followed={"the operator": [SENT]})),
    (
        "the events are complete and in order",
        evolve(GOOD, followed={"node1": [*GOOD.events, event(2, "command.succeeded")]}),
    ),
    ("fsck finds no violation", evolve(GOOD, violations=[{"what": "inconsistent", "command": ID}])),
    ("the server does not fail by itself", evolve(GOOD, failures=["Traceback (most recent call last)"])),
]


def test_kept() -> None:
    """A command that was sent, run once, reported and settled breaks no promise."""
    assert check_promises(build_traces(GOOD)) == []
    assert broken(cancelled(status=409, state=None, attempts=None)) == set()


@pytest.mark.parametrize(("promise", "observations"), BAD)
def test_broken(promise: str, observations: Observations) -> None:
    """Observations that break a promise are found."""
    assert promise in broken(observations)


def test_each_can_be_broken() -> None:
    """Every promise is broken by some observations."""
    assert {promise for promise, _ in BAD} == set(PROMISES)


def test_attempt_that_was_taken_back() -> None:
    """A command whose connection was lost before it was sent may be sent once more."""
    again = [event(1.5, "command.queued", reason="unsent"), event(1.7, "command.sent")]
    assert broken(evolve(GOOD, events=[*GOOD.events, *again])) == set()


def test_suspension() -> None:
    """A command may arrive while the server is suspended, and after that if it was claimed again."""
    assert broken(suspended(1.2, 2.1)) == set()
    assert broken(suspended(0.5, 1.5)) == set()


def test_change_by_another_program() -> None:
    """A command may be allowed as many attempts as another program has allowed, or fewer, if it was cancelled."""
    changed = at(2, {"did": "changed", "key": KEY, "max_attempts": 6})
    assert broken(evolve(command(max_attempts=6), operator=[*GOOD.operator, changed])) == set()
    late = cancelled(status=202)
    assert broken(evolve(late, operator=[*late.operator, changed])) == set()


def test_allowed_repeats() -> None:
    """An at_least_once command may run as often as it was sent."""
    operator = [at(0, REQUEST | {"delivery": "at_least_once"}), ACCEPTED]
    twice = evolve(GOOD, operator=operator, devices=[RAN, RAN, REPORTED], commands=[COMMAND | {"attempts": 2}])
    assert broken(twice) == set()
    assert broken(evolve(twice, commands=[COMMAND])) == {"nothing runs that was not sent"}


def test_journal_with_command_ids() -> None:
    """A Server-Eye device records the id of a command, by which its lines are matched."""
    ran, reported = (at(2, {"did": did, "command": ID}) for did in ("ran", "reported"))
    assert broken(evolve(GOOD, devices=[ran, reported])) == set()
    assert broken(evolve(GOOD, devices=[ran, ran])) >= {"at_most_once commands run at most once"}


def test_every_command_of_a_batch() -> None:
    """A batch has run when all of its transactions have."""
    request = at(0, REQUEST | {"parts": ["c1.1", "c1.2"]})
    runs = [RAN | {"query": part} for part in ("c1.1", "c1.2")]
    assert broken(evolve(GOOD, operator=[request, ACCEPTED], devices=[*runs, REPORTED])) == set()
    assert broken(evolve(GOOD, operator=[request, ACCEPTED], devices=[runs[0], REPORTED])) == {
        "what succeeded or failed has run"
    }


def test_no_final_state() -> None:
    """If the server failed by itself, only that is reported, not what could not be read from it afterwards."""
    failed = evolve(GOOD, commands=[], events=[], followed={}, failures=["exit 1"], has_final_state=False)
    failed = evolve(failed, devices=[at(1, {"did": "ran", "command": "id-3"})])
    assert broken(failed) == {"the server does not fail by itself"}


def test_timeline() -> None:
    """A broken promise comes with all observations of its command, in order of time."""
    (found,) = check_promises(build_traces(command(state="unknown")))
    assert found.trace is not None
    expected = ["send", "accepted", "command.queued", "command.sent", "ran", "reported", '"state": "unknown"']
    assert all(text in line for text, line in zip(expected, found.trace.timeline(), strict=True))
