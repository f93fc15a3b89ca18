"""The verbs that say what became of a command, from the device's word to the clock's."""

from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from pushd.model.device import Admission
from pushd.model.event import EventType
from pushd.model.lifecycle import OUT, Move, State
from pushd.model.result import DeviceResult, Verdict
from pushd.model.timestamps import Now
from pushd.store.filters import Settlement
from pushd.store.rows import to_payload
from pushd.store.transaction import ITransaction, Row, Statement, first, record
from pushd.store.transactions import lifecycle_guards
from pushd.store.transactions.command_lookup import record_state

_OWN = Statement(
    "look up a command",
    "SELECT state FROM command WHERE id = :id AND device = :device"
    " AND EXISTS (SELECT 1 FROM device WHERE device.id = :device)",  # no lease without an owner
)


def acknowledge(tx: ITransaction, device: str, command: str, now: Now) -> None:
    """See :meth:`IStore.acknowledge`."""
    before = first(tx, _OWN, id=command, device=device)
    if before is None:
        return
    after = first(tx, lifecycle_guards.ACKNOWLEDGE, id=command, now=now.wall, steady=now.steady)
    if after is not None and after["state"] != before["state"]:
        record_state(tx, now, after)


_JUDGED = "id device state attempts evidence error payload result".split()
"""What is needed of a command to judge a report about it."""

_JOINED = (
    f"SELECT {', '.join('command.' + name for name in _JUDGED)},"
    " attempt.number AS number, attempt.uuid AS uuid, attempt.handover AS handover, attempt.position AS position"
    " FROM attempt JOIN command ON command.id = attempt.command"
)
_BY_MESSAGE = Statement(
    "look up a command by message",
    f"SELECT {', '.join(_JUDGED)}, attempts AS number, NULL AS position FROM command"
    " WHERE id = :message AND device = :device AND attempts > 0",
)
_BY_UUID = Statement(
    "look up a command by uuid",
    f"{_JOINED} WHERE attempt.device = :device AND attempt.uuid = :uuid ORDER BY attempt.serial DESC LIMIT 1",
)
_NEWEST = Statement(
    "look up the newest attempt",
    f"{_JOINED} WHERE attempt.device = :device ORDER BY attempt.serial DESC LIMIT 1",
)
LOOKED_BACK = 1000
"""Attempts of a device among which one that lapsed is looked for; a nameless result of an older one is an orphan."""

_LATEST_LAPSED = Statement(
    "look up the latest attempt that lapsed",
    f"{_JOINED} WHERE attempt.device = :device AND attempt.serial > COALESCE((SELECT serial FROM attempt"
    f" WHERE device = :device ORDER BY serial DESC LIMIT 1 OFFSET {LOOKED_BACK}), 0) AND (command.state = 'unknown'"
    " OR (command.state = 'queued' AND command.attempts > 0)) ORDER BY attempt.serial DESC LIMIT 1",
)


@frozen
class _Match:
    """The command that a report is about, the attempt that it answers, and how we know."""

    row: Row
    matched_by: str

    @property
    def late(self) -> bool:
        """Whether no lease was open for the attempt that the report answers."""
        return self.row["state"] not in OUT or self.row["number"] != self.row["attempts"]


def settle(tx: ITransaction, device: str, report: DeviceResult, now: Now) -> Settlement:
    """See :meth:`IStore.settle`."""
    match = _match(tx, device, report)
    if match is None:
        return _orphan(tx, device, report, "it matches no command of this device", now)
    outcomes = [_apply(tx, one, part, now) for one, part in _parts(tx, match, report)]
    if not outcomes:
        return _orphan(tx, device, report, "it says nothing of the commands that it answers", now)
    against = next((outcome for outcome in outcomes if isinstance(outcome, str)), None)
    if against is not None:
        return _orphan(tx, device, report, against, now)
    return Settlement.SETTLED if Settlement.SETTLED in outcomes else Settlement.REPEATED


_TOGETHER = Statement(
    "look up what went in one answer", f"{_JOINED} WHERE attempt.handover = :handover ORDER BY attempt.position"
)


def _together(tx: ITransaction, row: Row) -> Sequence[Row]:
    """What went in one answer with a command, itself among it."""
    return [row] if row["position"] is None else tx.rows(_TOGETHER, handover=row["handover"])


def _parts(tx: ITransaction, match: _Match, report: DeviceResult) -> Iterator[tuple[_Match, DeviceResult]]:
    """The commands that a report is about, each with what it says about it; one that it leaves out stays as it is."""
    for row in _together(tx, match.row):
        part = _part(row, report)
        if part is not None:
            yield _Match(row, match.matched_by), part


def _part(row: Row, report: DeviceResult) -> DeviceResult | None:
    return report if row["position"] is None else report.part(row["position"])


def _apply(tx: ITransaction, match: _Match, report: DeviceResult, now: Now) -> Settlement | str:
    """End one command by what a report says; the reason, if it says otherwise than is known already."""
    verdict = report.judge(to_payload(match.row))
    if _contradicts(match.row, verdict):
        return f"the command is {match.row['state']} already"
    if _is_known(match.row, report, verdict):
        return Settlement.REPEATED
    return _end(tx, match, report, verdict, now)


def _match(tx: ITransaction, device: str, report: DeviceResult) -> _Match | None:
    if report.message is not None:
        return _found(first(tx, _BY_MESSAGE, message=report.message, device=device), "message")
    if report.uuid is not None:
        row = first(tx, _BY_UUID, device=device, uuid=report.uuid)
        if row is not None:
            return _Match(row, "uuid")
    return _by_order(tx, device, report)


def _found(row: Row | None, matched_by: str) -> _Match | None:
    return None if row is None else _Match(row, matched_by)


def _by_order(tx: ITransaction, device: str, report: DeviceResult) -> _Match | None:
    newest = first(tx, _NEWEST, device=device)
    if newest is None or _is_of_newest(_together(tx, newest), report):
        row = newest
    else:
        row = first(tx, _LATEST_LAPSED, device=device)
    return _found(row if row is not None and _fits(_together(tx, row), report) else None, "order")


def _is_of_newest(together: Sequence[Row], report: DeviceResult) -> bool:
    """Whether a report can only be about what was handed over last: that is out, or was ended in the same words."""
    if any(row["state"] in OUT for row in together):
        return True
    return _fits(together, report) and any(_repeats(row, report) for row in together)


def _fits(together: Sequence[Row], report: DeviceResult) -> bool:
    nameless = report.uuid is None or together[0]["uuid"] is None
    return nameless and any(report.concerns(to_payload(row)) for row in together)


def _repeats(row: Row, report: DeviceResult) -> bool:
    """Without a uuid only its text tells the repeat of a result from one for an older command."""
    part = _part(row, report)
    return part is not None and row["result"] is not None and row["result"] == part.result


def _contradicts(row: Row, verdict: Verdict) -> bool:
    said = {State.SUCCEEDED: Move.SUCCEED, State.FAILED: Move.FAIL}.get(row["state"])
    if said is not None:
        return verdict.move is not said or row["evidence"] == "operator"
    return row["state"] in (State.EXPIRED, State.CANCELLED)


def _is_known(row: Row, report: DeviceResult, verdict: Verdict) -> bool:
    """Whether the command says already what a report, that does not contradict it, says."""
    if row["state"] == State.UNKNOWN:  # by an unreadable result, or a lapse, which leaves another error
        return verdict.move is Move.GARBLE and (row["result"], row["error"]) == (report.result, verdict.error)
    return row["state"] in (State.SUCCEEDED, State.FAILED)


def _end(tx: ITransaction, match: _Match, report: DeviceResult, verdict: Verdict, now: Now) -> Settlement:
    after = tx.rows(
        lifecycle_guards.REPORTS[verdict.move],
        id=match.row["id"],
        now=now.wall,
        result=report.result,
        error=verdict.error,
        late=int(match.late),
        matched_by=match.matched_by,
    )[0]
    record_state(tx, now, after)
    return Settlement.SETTLED


_APPROVED = Statement("look up a device", "SELECT admission FROM device WHERE id = :device")
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

ORPHANS_KEPT = 100
"""Orphan results kept for each device."""


def _orphan(tx: ITransaction, device: str, report: DeviceResult, reason: str, now: Now) -> Settlement:
    row = first(tx, _APPROVED, device=device)
    if row is None or row["admission"] != Admission.APPROVED:
        return Settlement.DROPPED
    reference = report.message or report.uuid
    tx.run(_KEEP, device=device, at=now.wall, reason=reason, reference=reference, size=report.size, raw=report.raw)
    tx.run(_TRIM, device=device, kept=ORPHANS_KEPT)
    record(tx, now, EventType.RESULT_ORPHANED, device, reason=reason, reference=reference, size=report.size)
    return Settlement.ORPHANED


_EXPIRED = Statement(
    "look for expired commands",
    "SELECT id FROM command WHERE state = 'queued' AND expires_at <= :now ORDER BY expires_at LIMIT :limit",
)
_LAPSED = Statement(
    "look for leases that ran out",
    "SELECT id FROM command WHERE lease_until <= :steady ORDER BY lease_until LIMIT :limit",
)


def expire(tx: ITransaction, limit: int, now: Now) -> int:
    """See :meth:`IStore.expire`."""
    due = tx.rows(_EXPIRED, now=now.wall, limit=limit)
    return _end_each(tx, due, lambda command: first(tx, lifecycle_guards.EXPIRE, id=command, now=now.wall), now)


def lapse(tx: ITransaction, limit: int, now: Now) -> int:
    """See :meth:`IStore.lapse`."""
    due = tx.rows(_LAPSED, steady=now.steady, limit=limit)
    values = {"now": now.wall, "steady": now.steady}
    return _end_each(tx, due, lambda command: first(tx, lifecycle_guards.LAPSE, id=command, **values), now)


def _end_each(tx: ITransaction, due: Sequence[Row], end: Callable[[str], Row | None], now: Now) -> int:
    for row in due:
        after = end(row["id"])
        if after is not None:
            record_state(tx, now, after, reason="lapsed" if after["state"] == State.QUEUED else None)
    return len(due)
