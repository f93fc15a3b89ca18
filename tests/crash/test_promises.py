"""The judge: each promise is kept in one story, and broken in another that differs from it in one thing."""

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve

from tests.crash.api import Json
from tests.crash.evidence import Evidence, open_dossier
from tests.crash.promises import PROMISES, judge

READER = "controlid:7"
MARK, ID, UUID = "o1", "id-1", "u1"

ORDER: Json = {
    "did": "sends",
    "mark": MARK,
    "device": READER,
    "parts": [MARK],
    "fails": False,
    "delivery": "at_most_once",
}
COMMAND: Json = {
    "id": ID,
    "idempotency_key": MARK,
    "state": "succeeded",
    "attempts": 1,
    "max_attempts": 5,
    "created_at": "2026-01-01T00:00:00.000Z",
    "not_before": None,
    "expires_at": "2026-01-01T00:00:10.000Z",
}


def at(second: float, line: Mapping[str, Any]) -> Json:
    """A line of a journal."""
    return {"time": f"2026-01-01T00:00:{second:06.3f}+00:00", "device": READER, **line}


def event(second: float, kind: str, **data: str) -> Json:
    """An entry of the feed."""
    return {"type": kind, "at": f"2026-01-01T00:00:{second:06.3f}Z", "command": ID, "data": data}


ACCEPTED = at(0, {"did": "accepted", "mark": MARK, "status": 201, "command": ID})
RAN = at(2, {"did": "ran", "uuid": UUID, "query": MARK})
REPORTED = at(3, {"did": "reported", "uuid": UUID})
SENT = event(1, "command.sent")

GOOD = Evidence(
    operator=[at(0, ORDER), ACCEPTED],
    devices=[RAN, REPORTED],
    commands=[COMMAND],
    feed=[event(0, "command.queued"), SENT],
    followed=[event(0, "command.queued")],
)


def broken(evidence: Evidence) -> set[str]:
    """The promises that were not kept."""
    return {breach.promise for breach in judge(open_dossier(evidence))}


def cancelled(**told: object) -> Evidence:
    """The good story, in which the operator also cancelled."""
    line = at(4, {"did": "cancels", "mark": MARK, "status": 200, "state": "succeeded", "attempts": 1, **told})
    return evolve(GOOD, operator=[*GOOD.operator, line])


def command(**fields: object) -> Evidence:
    """The good story, with another command in the end."""
    return evolve(GOOD, commands=[COMMAND | fields])


BAD: list[tuple[str, Evidence]] = [
    ("every 201 has an outcome", evolve(GOOD, commands=[])),
    ("every 201 has an outcome", command(state="queued")),
    ("a key gives one command", evolve(GOOD, operator=[*GOOD.operator, ACCEPTED | {"command": "id-2"}])),
    ("a key gives one command", command(id="id-2")),
    ("at_most_once runs once at most", evolve(GOOD, devices=[RAN, RAN])),
    ("at_most_once runs once at most", evolve(GOOD, feed=[*GOOD.feed, event(2, "command.sent")])),
    ("nothing runs that was not sent", evolve(GOOD, devices=[RAN, RAN])),
    ("nothing runs that was not sent", command(state="expired", attempts=0)),
    ("nothing runs that was not sent", evolve(GOOD, devices=[RAN | {"query": "o2"}])),
    ("nothing runs that was not sent", command(idempotency_key="o2")),
    ("nothing runs that was not sent", command(attempts=6)),
    ("what succeeded or failed was run", evolve(GOOD, devices=[])),
    ("what was run and reported is settled so", command(state="unknown")),
    ("what was run and reported is settled so", command(state="failed")),
    (
        "nothing is sent before or after its time",
        evolve(GOOD, feed=[event(0, "command.queued"), event(10, SENT["type"])]),
    ),
    ("nothing is sent before or after its time", command(not_before="2026-01-01T00:00:02.500Z")),
    (
        "nothing is sent before or after its time",
        evolve(GOOD, devices=[at(15, RAN | {"time": "2026-01-01T00:00:15Z"})]),
    ),
    ("what was cancelled is not sent", cancelled(state="cancelled")),
    ("what was cancelled is not sent", cancelled(attempts=0, status=202)),
    ("a refusal changes nothing", cancelled(status=500)),
    (
        "a refusal changes nothing",
        evolve(GOOD, operator=[at(0, ORDER), at(0, {"did": "refused", "mark": MARK, "status": 409})]),
    ),
    ("the feed misses nothing", evolve(GOOD, followed=[SENT])),
    ("the feed misses nothing", evolve(GOOD, followed=[*GOOD.feed, event(2, "command.succeeded")])),
    ("fsck finds nothing", evolve(GOOD, flaws=[{"what": "it cannot be", "command": ID}])),
    ("the server does not fall", evolve(GOOD, accidents=["Traceback (most recent call last)"])),
]


def test_kept() -> None:
    """A command that was sent, run once, reported and settled breaks no promise."""
    assert judge(open_dossier(GOOD)) == []
    assert broken(cancelled(status=409, state=None, attempts=None)) == set()


@pytest.mark.parametrize(("promise", "evidence"), BAD)
def test_broken(promise: str, evidence: Evidence) -> None:
    """A story that breaks a promise is found to."""
    assert promise in broken(evidence)


def test_each_can_be_broken() -> None:
    """There is no promise that no story breaks."""
    assert {promise for promise, _ in BAD} == set(PROMISES)


def test_lease_that_was_taken_back() -> None:
    """A command that was taken back from a connection that had gone may be sent once more."""
    again = [event(1.5, "command.queued", reason="unsent"), event(1.7, "command.sent")]
    assert broken(evolve(GOOD, feed=[*GOOD.feed, *again])) == set()


def test_repeats_that_are_allowed() -> None:
    """A command that may run at least once may run as often as it was sent."""
    orders = [at(0, ORDER | {"delivery": "at_least_once"}), ACCEPTED]
    twice = evolve(GOOD, operator=orders, devices=[RAN, RAN, REPORTED], commands=[COMMAND | {"attempts": 2}])
    assert broken(twice) == set()
    assert broken(evolve(twice, commands=[COMMAND])) == {"nothing runs that was not sent"}


def test_messages_are_known_by_their_id() -> None:
    """A container writes down the id of a command, and is understood."""
    ran, reported = (at(2, {"did": did, "command": ID}) for did in ("ran", "reported"))
    assert broken(evolve(GOOD, devices=[ran, reported])) == set()
    assert broken(evolve(GOOD, devices=[ran, ran])) >= {"at_most_once runs once at most"}


def test_every_command_of_a_batch() -> None:
    """A batch ran once all of its commands did."""
    order = at(0, ORDER | {"parts": ["o1.1", "o1.2"]})
    runs = [RAN | {"query": part} for part in ("o1.1", "o1.2")]
    assert broken(evolve(GOOD, operator=[order, ACCEPTED], devices=[*runs, REPORTED])) == set()
    assert broken(evolve(GOOD, operator=[order, ACCEPTED], devices=[runs[0], REPORTED])) == {
        "what succeeded or failed was run"
    }


def test_books_that_cannot_be_read() -> None:
    """A server that fell is blamed for that, and not for what nobody could ask it any more."""
    fallen = evolve(GOOD, commands=[], feed=[], followed=[], accidents=["it fell"], are_books_read=False)
    fallen = evolve(fallen, devices=[at(1, {"did": "ran", "command": "id-3"})])
    assert broken(fallen) == {"the server does not fall"}


def test_story() -> None:
    """A breach comes with everything that was written about its command, in order of time."""
    (breach,) = judge(open_dossier(command(state="unknown")))
    assert breach.case is not None
    words = ["sends", "accepted", "command.queued", "command.sent", "ran", "reported", '"state": "unknown"']
    assert all(word in line for word, line in zip(words, breach.case.story(), strict=True))
