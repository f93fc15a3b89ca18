"""The promises, and how each is checked against the traces of a run."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import zip_longest

from attrs import frozen

from pushd.model.timestamps import from_rfc3339
from tests.harness.admin_api import UNAVAILABLE
from tests.harness.trace import CommandTrace, Traces

TOLERANCE = 5000
"""Milliseconds that may pass between a command's claim and its arrival at the device: a slow reader's two seconds, and
delays of a busy machine.
"""

_FINAL_STATES = ("succeeded", "failed", "expired", "cancelled", "unknown")
_SETTLED_STATES = ("succeeded", "failed", "expired", "cancelled")
_NOT_RUN_STATES = ("expired", "cancelled")

_OK = (200, 202)
_CONFLICT = 409


@frozen(kw_only=True)
class BrokenPromise:
    """A promise that was broken, how, and for which command; None if it is not about one command."""

    promise: str
    how: str
    trace: CommandTrace | None = None


def _ends(trace: CommandTrace) -> Iterator[str]:
    if not trace.accepted:
        return
    if trace.command is None:
        yield "the server does not have it"
    elif trace.command["state"] not in _FINAL_STATES:
        yield f"it is still {trace.command['state']}"


def _has_one_command(trace: CommandTrace) -> Iterator[str]:
    ids = {line["command"] for line in trace.accepted}
    if len(ids) > 1:
        yield f"the same key created {len(ids)} commands"
    if trace.command is not None and ids - {trace.command["id"]}:
        yield "the server has another command with its key"


def _runs_at_most_once(trace: CommandTrace) -> Iterator[str]:
    if trace.request["delivery"] != "at_most_once":
        return
    for part, times in _runs(trace).items():
        if times > 1:
            yield f"{part} ran {times} times"
    sent = _count_events(trace, "command.sent") - _count_events(trace, "command.queued", "unsent")
    if sent > 1:
        yield f"it was sent {sent} times"


def _runs_only_if_sent(trace: CommandTrace) -> Iterator[str]:
    attempts, most = (0, 0) if trace.command is None else (trace.command["attempts"], trace.command["max_attempts"])
    for part, times in _runs(trace).items():
        if times > attempts:
            yield f"{part} ran {times} times, but the server counts {attempts} attempts"
    if attempts > most:
        yield f"there were {attempts} attempts, but {most} were allowed"
    if trace.command is not None and trace.command["state"] in _NOT_RUN_STATES and trace.runs:
        yield f"it is {trace.command['state']}, but ran"


def _has_run(trace: CommandTrace) -> Iterator[str]:
    if trace.command is None or trace.command["state"] not in ("succeeded", "failed", "acknowledged"):
        return
    for part in trace.request["parts"]:
        if part not in _runs(trace):
            yield f"it is {trace.command['state']}, but {part} did not run"


def _has_reported_state(trace: CommandTrace) -> Iterator[str]:
    reported = "failed" if trace.request["fails"] else "succeeded"
    state = None if trace.command is None else trace.command["state"]
    if trace.reports and state != reported:
        yield f"a report that it {reported} was answered with 200, but it is {state}"
    first = min((from_rfc3339(line["time"]) for line in trace.reports), default=None)
    if first is not None and any(at > first for at in _sent_at(trace)):
        yield "it was sent again after a report was answered with 200"


def _is_in_time(trace: CommandTrace) -> Iterator[str]:
    if trace.command is None:
        return
    expires = from_rfc3339(trace.command["expires_at"])
    due = from_rfc3339(trace.command["not_before"] or trace.command["created_at"])
    for event in trace.events:
        if event["type"] == "command.sent" and not due <= from_rfc3339(event["at"]) < expires:
            yield f"it was sent {_deviation(due, expires, from_rfc3339(event['at']))}"
    for run in trace.runs:
        if not due <= from_rfc3339(run["time"]) < expires + TOLERANCE:
            yield f"{run['part']} ran {_deviation(due, expires, from_rfc3339(run['time']))}"


def _arrives_within_lease(trace: CommandTrace) -> Iterator[str]:
    sent = list(_sent_at(trace))
    for suspended, resumed in trace.suspensions:
        for run in trace.runs:
            at = from_rfc3339(run["time"])
            claimed = max((each for each in sent if each <= at), default=at)
            if claimed <= from_rfc3339(suspended["time"]) and at >= from_rfc3339(resumed["time"]):
                yield f"it was claimed for {trace.request['lease']} s, and arrived after {at - claimed} ms"


def _stays_cancelled(trace: CommandTrace) -> Iterator[str]:
    for line in trace.cancels:
        if line["status"] not in _OK or trace.command is None:
            continue
        if line["state"] == "queued":
            yield "it was cancelled, but is still queued"
        if line["state"] == "cancelled" != trace.command["state"]:
            yield f"the cancel was answered with 'cancelled', but it is {trace.command['state']}"
        if trace.command["attempts"] > line["attempts"]:
            yield f"it was cancelled after attempt {line['attempts']}, but {trace.command['attempts']} were made"


def _keeps_answered_state(trace: CommandTrace) -> Iterator[str]:
    for line in trace.accepted:
        state = None if trace.command is None else trace.command["state"]
        if line.get("state") in _SETTLED_STATES and line["state"] != state:
            yield f"the sender was answered {line['state']}, but it is {state}"


def _refusals_change_nothing(trace: CommandTrace) -> Iterator[str]:
    for line in trace.refusals:
        if line["status"] not in (_CONFLICT, UNAVAILABLE):
            yield f"it was refused with {line['status']}"
        if trace.command is not None and not trace.accepted:
            yield "it was refused, but the server has it"
    for line in trace.cancels:
        if line["status"] not in (*_OK, _CONFLICT):
            yield f"a cancel was answered with {line['status']}"


def _keeps_changes(trace: CommandTrace) -> Iterator[str]:
    if trace.command is None or trace.cancels:
        return  # a cancel allows no further attempt
    allowed, most = trace.command["max_attempts"], max((line["max_attempts"] for line in trace.changes), default=0)
    if allowed < most:
        yield f"another program allowed {most} attempts, but {allowed} are"


_OF_EACH_COMMAND: tuple[tuple[str, Callable[[CommandTrace], Iterator[str]]], ...] = (
    ("every accepted command ends", _ends),
    ("one idempotency key creates one command", _has_one_command),
    ("at_most_once commands run at most once", _runs_at_most_once),
    ("nothing runs that was not sent", _runs_only_if_sent),
    ("what succeeded or failed has run", _has_run),
    ("a reported result decides the state", _has_reported_state),
    ("nothing is sent before or after its time", _is_in_time),
    ("what was claimed is not sent after its lease", _arrives_within_lease),
    ("a cancelled command is not sent", _stays_cancelled),
    ("a final state that was answered remains", _keeps_answered_state),
    ("a refused request changes nothing", _refusals_change_nothing),
    ("a change by another program is kept", _keeps_changes),
)


def _nothing_unmatched(traces: Traces) -> Iterator[str]:
    if traces.observations.has_final_state:
        yield from (f"never requested: {unmatched}" for unmatched in traces.unmatched)


def _events_are_complete(traces: Traces) -> Iterator[str]:
    for reader, followed in traces.observations.followed.items():
        pairs = zip_longest(followed, traces.observations.events[: len(followed)])
        wrong = next(((read, kept) for read, kept in pairs if read != kept), None)
        if wrong is not None:
            yield f"{reader} read {wrong[0]}, but at the end the server shows {wrong[1]} there"


def _no_failures(traces: Traces) -> Iterator[str]:
    yield from traces.observations.failures


_OF_THE_RUN: tuple[tuple[str, Callable[[Traces], Iterator[str]]], ...] = (
    ("nothing runs that was not sent", _nothing_unmatched),
    ("the events are complete and in order", _events_are_complete),
    ("the server does not fail by itself", _no_failures),
)

_NO_VIOLATIONS = "fsck finds no violation"

PROMISES = (*dict.fromkeys(promise for promise, _ in (*_OF_EACH_COMMAND, *_OF_THE_RUN)), _NO_VIOLATIONS)


def check_promises(traces: Traces) -> list[BrokenPromise]:
    """Find every promise that was broken."""
    return [*_check_run(traces), *_check_commands(traces), *_violations(traces)]


def _check_run(traces: Traces) -> Iterator[BrokenPromise]:
    for promise, check in _OF_THE_RUN:
        for how in check(traces):
            yield BrokenPromise(promise=promise, how=how)


def _check_commands(traces: Traces) -> Iterator[BrokenPromise]:
    if not traces.observations.has_final_state:
        return  # the server failed, which is reported; the final state of its commands is not known
    for promise, check in _OF_EACH_COMMAND:
        for trace in traces.commands:
            for how in check(trace):
                yield BrokenPromise(promise=promise, how=how, trace=trace)


def _violations(traces: Traces) -> Iterator[BrokenPromise]:
    by_id = {trace.command["id"]: trace for trace in traces.commands if trace.command is not None}
    for violation in traces.observations.violations:
        how = f"{violation['what']}: {violation.get('detail')}"
        yield BrokenPromise(promise=_NO_VIOLATIONS, how=how, trace=by_id.get(violation["command"]))


def _sent_at(trace: CommandTrace) -> Iterator[int]:
    return (from_rfc3339(event["at"]) for event in trace.events if event["type"] == "command.sent")


def _runs(trace: CommandTrace) -> Counter[str]:
    return Counter(run["part"] for run in trace.runs)


def _count_events(trace: CommandTrace, kind: str, reason: str | None = None) -> int:
    return sum(event["type"] == kind and event["data"].get("reason") == reason for event in trace.events)


def _deviation(due: int, expires: int, at: int) -> str:
    return f"{due - at} ms too early" if at < due else f"{at - expires} ms after its time to live"
