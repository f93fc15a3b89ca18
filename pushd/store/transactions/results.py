"""Acknowledgements, results and how they are matched with commands, and the ends of leases and times to live."""

from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from pushd.model.command import Payload
from pushd.model.device import Admission
from pushd.model.event import EventType
from pushd.model.large_text import REFERENCE, LargeText, to_column
from pushd.model.lifecycle import OUT, Move, State
from pushd.model.result import DeviceResult, Verdict
from pushd.model.timestamps import Now
from pushd.store.filters import Settlement
from pushd.store.rows import to_payload
from pushd.store.transaction import ITransaction, Row, Statement, first, record
from pushd.store.transactions import large_texts, lifecycle_guards
from pushd.store.transactions.command_lookup import record_state

_BY_DEVICE = Statement(
    "look up a command",
    "SELECT state FROM command WHERE id = :id AND device = :device"
    " AND EXISTS (SELECT 1 FROM device WHERE device.id = :device)",  # no lease for a device that was deleted
)


def acknowledge(tx: ITransaction, device: str, command: str, now: Now) -> None:
    """Move a command to ``acknowledged``, or renew its lease if it is already."""
    before = first(tx, _BY_DEVICE, id=command, device=device)
    if before is None:
        return
    after = first(tx, lifecycle_guards.ACKNOWLEDGE, id=command, now=now.wall, steady=now.steady)
    if after is not None and after["state"] != before["state"]:
        record_state(tx, now, after)


_JUDGED = "id device state attempts evidence error payload result".split()
"""The columns of a command from which a report about it is judged."""

_WITH_ATTEMPT = (
    f"SELECT {', '.join('command.' + name for name in _JUDGED)},"
    " attempt.number AS number, attempt.uuid AS uuid, attempt.handover AS handover, attempt.position AS position"
    " FROM attempt JOIN command ON command.id = attempt.command"
)
_BY_MESSAGE = Statement(
    "look up a command by message",
    f"SELECT {', '.join(_JUDGED)}, attempts AS number, NULL AS position FROM command"
    " WHERE id = :message AND device = :device AND (attempts > 0 OR state NOT IN ('queued', 'expired', 'cancelled'))",
)
_BY_UUID = Statement(
    "look up a command by uuid",
    f"{_WITH_ATTEMPT} WHERE attempt.device = :device AND attempt.uuid = :uuid ORDER BY attempt.serial DESC LIMIT 1",
)
_NEWEST = Statement(
    "look up the newest attempt",
    f"{_WITH_ATTEMPT} WHERE attempt.device = :device ORDER BY attempt.serial DESC LIMIT 1",
)
SEARCHED_ATTEMPTS = 1000
"""How many of a device's newest attempts are searched for one that lapsed, for a result without a uuid."""

_LATEST_LAPSED = Statement(
    "look up the latest attempt that lapsed",
    f"{_WITH_ATTEMPT} WHERE attempt.device = :device AND attempt.serial > COALESCE((SELECT serial FROM attempt"
    f" WHERE device = :device ORDER BY serial DESC LIMIT 1 OFFSET {SEARCHED_ATTEMPTS}), 0)"
    " AND (command.state = 'unknown' OR (command.state = 'queued' AND command.attempts > 0))"
    " ORDER BY attempt.serial DESC LIMIT 1",
)


@frozen
class _Match:
    """The command that a report is about, with the attempt that it answers, and how it was matched."""

    row: Row
    matched_by: str

    @property
    def late(self) -> bool:
        """Whether the lease of the attempt that the report answers had ended."""
        return self.row["state"] not in OUT or self.row["number"] != self.row["attempts"]


def settle(tx: ITransaction, device: str, report: DeviceResult, now: Now) -> Settlement:
    """Match a report with commands and end them, or keep it as an orphan result."""
    match = _match(tx, device, report)
    if match is None:
        return _orphan(tx, device, report, "it matches no command of this device", now)
    outcomes = [_apply(tx, each, part, now) for each, part in _parts(tx, match, report)]
    if not outcomes:
        return _orphan(tx, device, report, "it has no entry for the commands that it answers", now)
    contradiction = next((outcome for outcome in outcomes if isinstance(outcome, str)), None)
    if contradiction is not None:
        return _orphan(tx, device, report, contradiction, now)
    return Settlement.SETTLED if Settlement.SETTLED in outcomes else Settlement.REPEATED


_BATCH = Statement(
    "look up the commands of one answer",
    f"{_WITH_ATTEMPT} WHERE attempt.handover = :handover ORDER BY attempt.position",
)


def _batch(tx: ITransaction, row: Row) -> Sequence[Row]:
    """The commands that were sent in one answer with a command, including itself."""
    return [row] if row["position"] is None else tx.rows(_BATCH, handover=row["handover"])


def _parts(tx: ITransaction, match: _Match, report: DeviceResult) -> Iterator[tuple[_Match, DeviceResult]]:
    """The commands that a report is about, each with its part of the report; those without a part stay as they are."""
    for row in _batch(tx, match.row):
        part = _part(row, report)
        if part is not None:
            yield _Match(row, match.matched_by), part


def _part(row: Row, report: DeviceResult) -> DeviceResult | None:
    return report if row["position"] is None else report.part(row["position"])


def _apply(tx: ITransaction, match: _Match, report: DeviceResult, now: Now) -> Settlement | str:
    """End one command by its part of a report; a reason, if that contradicts a known outcome."""
    verdict = report.judge(_judged(tx, match.row))
    if _contradicts(match.row, verdict):
        return f"the command is {match.row['state']} already"
    if _is_known(match.row, report, verdict):
        return Settlement.REPEATED
    return _end(tx, match, report, verdict, now)


def _match(tx: ITransaction, device: str, report: DeviceResult) -> _Match | None:
    if report.message is not None:
        return _to_match(first(tx, _BY_MESSAGE, message=report.message, device=device), "message")
    if report.uuid is not None:
        row = first(tx, _BY_UUID, device=device, uuid=report.uuid)
        if row is not None:
            return _Match(row, "uuid")
    return _by_order(tx, device, report)


def _to_match(row: Row | None, matched_by: str) -> _Match | None:
    return None if row is None else _Match(row, matched_by)


def _by_order(tx: ITransaction, device: str, report: DeviceResult) -> _Match | None:
    newest = first(tx, _NEWEST, device=device)
    if newest is None or _is_about_newest(tx, _batch(tx, newest), report):
        row = newest
    else:
        row = first(tx, _LATEST_LAPSED, device=device)
    return _to_match(row if row is not None and _fits(tx, _batch(tx, row), report) else None, "order")


def _is_about_newest(tx: ITransaction, batch: Sequence[Row], report: DeviceResult) -> bool:
    """Whether a report without a uuid is about the newest handover: it is in flight, or ended with the same result."""
    if any(row["state"] in OUT for row in batch):
        return True
    return _fits(tx, batch, report) and any(_repeats(row, report) for row in batch)


def _fits(tx: ITransaction, batch: Sequence[Row], report: DeviceResult) -> bool:
    no_uuid = report.uuid is None or batch[0]["uuid"] is None
    return no_uuid and any(report.concerns(_judged(tx, row)) for row in batch)


def _judged(tx: ITransaction, row: Row) -> Payload:
    """What of the payload of a command its results are judged by."""
    return large_texts.outline(tx, row["id"]) if row["payload"].startswith(REFERENCE) else to_payload(row)


def _repeats(row: Row, report: DeviceResult) -> bool:
    """Whether a report equals the stored result: without a uuid nothing else shows that it is a repetition."""
    part = _part(row, report)
    return part is not None and row["result"] is not None and row["result"] == to_column(part.result)


def _contradicts(row: Row, verdict: Verdict) -> bool:
    known = {State.SUCCEEDED: Move.SUCCEED, State.FAILED: Move.FAIL}.get(row["state"])
    if known is not None:
        return verdict.move is not known or row["evidence"] == "operator"
    return row["state"] in (State.EXPIRED, State.CANCELLED)


def _is_known(row: Row, report: DeviceResult, verdict: Verdict) -> bool:
    """Whether a report that does not contradict a command adds nothing to it."""
    if row["state"] == State.UNKNOWN:  # after an unreadable result, or a lapse, which sets another error
        is_same = row["result"] == to_column(report.result) and row["error"] == verdict.error
        return verdict.move is Move.GARBLE and is_same
    return row["state"] in (State.SUCCEEDED, State.FAILED)


def _end(tx: ITransaction, match: _Match, report: DeviceResult, verdict: Verdict, now: Now) -> Settlement:
    result = report.result
    if isinstance(result, LargeText):
        large_texts.keep_result(tx, match.row["id"], result)
        result = result.reference
    elif match.row["result"] is not None and match.row["result"].startswith(REFERENCE):
        large_texts.drop_result(tx, match.row["id"])
    after = tx.rows(
        lifecycle_guards.REPORTS[verdict.move],
        id=match.row["id"],
        now=now.wall,
        result=result,
        error=verdict.error,
        late=int(match.late),
        matched_by=match.matched_by,
    )[0]
    record_state(tx, now, after)
    return Settlement.SETTLED


_ADMISSION = Statement("look up a device", "SELECT admission FROM device WHERE id = :device")
_KEEP = Statement(
    "keep an orphan result",
    "INSERT INTO orphan (device, at, reason, reference, size, raw)"
    " VALUES (:device, :at, :reason, :reference, :size, :raw)",
)
_TRIM = Statement(
    "drop the oldest orphan results",
    "DELETE FROM orphan WHERE device = :device AND id <="
    " (SELECT id FROM orphan WHERE device = :device ORDER BY id DESC LIMIT 1 OFFSET :kept)",
)

MAX_REFERENCE = 64
"""Characters of what a device gave as a command's id that are kept: every id is shorter."""

ORPHANS_KEPT = 100
"""Orphan results kept for each device."""


def _orphan(tx: ITransaction, device: str, report: DeviceResult, reason: str, now: Now) -> Settlement:
    row = first(tx, _ADMISSION, device=device)
    if row is None or row["admission"] != Admission.APPROVED:
        return Settlement.DROPPED
    reference = (report.message or report.uuid or "")[:MAX_REFERENCE] or None
    tx.run(_KEEP, device=device, at=now.wall, reason=reason, reference=reference, size=report.size, raw=report.raw)
    tx.run(_TRIM, device=device, kept=ORPHANS_KEPT)
    record(tx, now, EventType.RESULT_ORPHANED, device, reason=reason, reference=reference, size=report.size)
    return Settlement.ORPHANED


_EXPIRED = Statement(
    "find expired commands",
    "SELECT id FROM command WHERE state = 'queued' AND expires_elapsed <= :elapsed"
    " ORDER BY expires_elapsed LIMIT :limit",
)
_LAPSED = Statement(
    "find leases that ran out",
    "SELECT id FROM command WHERE lease_until <= :steady ORDER BY lease_until LIMIT :limit",
)


def expire(tx: ITransaction, limit: int, now: Now) -> int:
    """End queued commands whose time to live is over."""
    due = tx.rows(_EXPIRED, elapsed=now.elapsed, limit=limit)
    values = {"now": now.wall, "elapsed": now.elapsed}
    return _end_each(tx, due, lambda command: first(tx, lifecycle_guards.EXPIRE, id=command, **values), now)


def lapse(tx: ITransaction, limit: int, now: Now) -> int:
    """End, or queue again, commands whose lease ran out."""
    due = tx.rows(_LAPSED, steady=now.steady, limit=limit)
    values = {"now": now.wall, "steady": now.steady, "elapsed": now.elapsed}
    return _end_each(tx, due, lambda command: first(tx, lifecycle_guards.LAPSE, id=command, **values), now)


def _end_each(tx: ITransaction, due: Sequence[Row], end: Callable[[str], Row | None], now: Now) -> int:
    for row in due:
        after = end(row["id"])
        if after is not None:
            record_state(tx, now, after, reason="lapsed" if after["state"] == State.QUEUED else None)
    return len(due)
