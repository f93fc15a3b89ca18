"""The promises, and how each is checked against what was written down."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import zip_longest

from attrs import frozen

from pushd.model.timestamps import from_rfc3339
from tests.crash.evidence import Case, Dossier

TOLERANCE = 5000
"""Milliseconds that may lie between a claim and its arrival at the device: a slow reader's two seconds, and whatever
the machine has to do beside.
"""

_ENDED = ("succeeded", "failed", "expired", "cancelled", "unknown")
_NEVER_RAN = ("expired", "cancelled")

_DONE = (200, 202)
_CONFLICT = 409


@frozen(kw_only=True)
class Breach:
    """A promise that was not kept, and to whom; without a case it was to all."""

    promise: str
    how: str
    case: Case | None = None


def _is_kept(case: Case) -> Iterator[str]:
    if not case.accepted:
        return
    if case.command is None:
        yield "the server does not know it any more"
    elif case.command["state"] not in _ENDED:
        yield f"it is still {case.command['state']}, though nothing keeps it from ending"


def _is_one(case: Case) -> Iterator[str]:
    ids = {line["command"] for line in case.accepted}
    if len(ids) > 1:
        yield f"the same key gave {len(ids)} commands"
    if case.command is not None and ids - {case.command["id"]}:
        yield "the server has another command by its key"


def _ran_once(case: Case) -> Iterator[str]:
    if case.order["delivery"] != "at_most_once":
        return
    for part, times in _runs(case).items():
        if times > 1:
            yield f"{part} ran {times} times"
    sent = _told(case, "command.sent") - _told(case, "command.queued", "unsent")
    if sent > 1:
        yield f"it was sent {sent} times"


def _ran_as_sent(case: Case) -> Iterator[str]:
    attempts, most = (0, 0) if case.command is None else (case.command["attempts"], case.command["max_attempts"])
    for part, times in _runs(case).items():
        if times > attempts:
            yield f"{part} ran {times} times, and the server counts {attempts} attempts"
    if attempts > most:
        yield f"there were {attempts} attempts, and {most} were allowed"
    if case.command is not None and case.command["state"] in _NEVER_RAN and case.runs:
        yield f"it is {case.command['state']}, and ran"


def _was_run(case: Case) -> Iterator[str]:
    if case.command is None or case.command["state"] not in ("succeeded", "failed", "acknowledged"):
        return
    for part in case.order["parts"]:
        if part not in _runs(case):
            yield f"it is {case.command['state']}, and {part} did not run"


def _is_settled(case: Case) -> Iterator[str]:
    said = "failed" if case.order["fails"] else "succeeded"
    state = None if case.command is None else case.command["state"]
    if case.reports and state != said:
        yield f"a report that it {said} was answered with 200, and it is {state}"


def _is_in_time(case: Case) -> Iterator[str]:
    if case.command is None:
        return
    expires = from_rfc3339(case.command["expires_at"])
    due = from_rfc3339(case.command["not_before"] or case.command["created_at"])
    for event in case.events:
        if event["type"] == "command.sent" and not due <= from_rfc3339(event["at"]) < expires:
            yield f"it was sent {_out_of(due, expires, from_rfc3339(event['at']))}"
    for run in case.runs:
        if not due <= from_rfc3339(run["time"]) < expires + TOLERANCE:
            yield f"{run['part']} ran {_out_of(due, expires, from_rfc3339(run['time']))}"


def _is_cancelled(case: Case) -> Iterator[str]:
    for line in case.cancels:
        if line["status"] not in _DONE or case.command is None:
            continue
        if line["state"] == "cancelled" != case.command["state"]:
            yield f"the operator was told that it is cancelled, and it is {case.command['state']}"
        if case.command["attempts"] > line["attempts"]:
            yield f"it was cancelled after attempt {line['attempts']}, and {case.command['attempts']} were made"


def _is_answered(case: Case) -> Iterator[str]:
    for line in case.refusals:
        if line["status"] != _CONFLICT:
            yield f"it was refused with {line['status']}"
        if case.command is not None and not case.accepted:
            yield "it was refused, and is there"
    for line in case.cancels:
        if line["status"] not in (*_DONE, _CONFLICT):
            yield f"a cancel was answered with {line['status']}"


_OF_EACH: tuple[tuple[str, Callable[[Case], Iterator[str]]], ...] = (
    ("every 201 has an outcome", _is_kept),
    ("a key gives one command", _is_one),
    ("at_most_once runs once at most", _ran_once),
    ("nothing runs that was not sent", _ran_as_sent),
    ("what succeeded or failed was run", _was_run),
    ("what was run and reported is settled so", _is_settled),
    ("nothing is sent before or after its time", _is_in_time),
    ("what was cancelled is not sent", _is_cancelled),
    ("a refusal changes nothing", _is_answered),
)


def _no_strays(dossier: Dossier) -> Iterator[str]:
    if dossier.evidence.are_books_read:
        yield from (f"nobody sent {stray}" for stray in dossier.strays)


def _one_feed(dossier: Dossier) -> Iterator[str]:
    told = dossier.evidence.feed[: len(dossier.evidence.followed)]
    for read, kept in zip_longest(dossier.evidence.followed, told):
        if read != kept:
            yield f"the operator read {read}, and the feed has {kept} there"
            return


def _no_accidents(dossier: Dossier) -> Iterator[str]:
    yield from dossier.evidence.accidents


_OF_ALL: tuple[tuple[str, Callable[[Dossier], Iterator[str]]], ...] = (
    ("nothing runs that was not sent", _no_strays),
    ("the feed misses nothing", _one_feed),
    ("the server does not fall", _no_accidents),
)

_NO_FLAWS = "fsck finds nothing"

PROMISES = (*dict.fromkeys(promise for promise, _ in (*_OF_EACH, *_OF_ALL)), _NO_FLAWS)


def judge(dossier: Dossier) -> list[Breach]:
    """Every promise that was not kept."""
    return [*_of_all(dossier), *_of_each(dossier), *_flaws(dossier)]


def _of_all(dossier: Dossier) -> Iterator[Breach]:
    for promise, check in _OF_ALL:
        for how in check(dossier):
            yield Breach(promise=promise, how=how)


def _of_each(dossier: Dossier) -> Iterator[Breach]:
    if not dossier.evidence.are_books_read:
        return  # the server fell, which is said; what became of each nobody can tell
    for promise, check in _OF_EACH:
        for case in dossier.cases:
            for how in check(case):
                yield Breach(promise=promise, how=how, case=case)


def _flaws(dossier: Dossier) -> Iterator[Breach]:
    cases = {case.command["id"]: case for case in dossier.cases if case.command is not None}
    for flaw in dossier.evidence.flaws:
        yield Breach(promise=_NO_FLAWS, how=f"{flaw['what']}: {flaw.get('detail')}", case=cases.get(flaw["command"]))


def _runs(case: Case) -> Counter[str]:
    return Counter(run["part"] for run in case.runs)


def _told(case: Case, kind: str, reason: str | None = None) -> int:
    return sum(event["type"] == kind and event["data"].get("reason") == reason for event in case.events)


def _out_of(due: int, expires: int, at: int) -> str:
    return f"{due - at} ms before it was due" if at < due else f"{at - expires} ms after its time to live"
