"""Acknowledgements, and results: how they are matched with commands, and what they mean for each."""

from collections.abc import Sequence
from typing import NamedTuple

from attrs import frozen

from pushd.model.device import Admission
from pushd.model.event import EventType
from pushd.model.large_text import to_column
from pushd.model.lifecycle import OUT, Move, State
from pushd.model.result import DeviceResult, Verdict
from pushd.model.timestamps import Now, milliseconds
from pushd.rules.admissions import check_device
from pushd.rules.moves import record_state, target
from pushd.rules.outcomes import Settlement
from pushd.rules.records import CommandRecord, Member
from pushd.rules.view import Needs, View


@frozen
class Acknowledge:
    """Move a command to ``acknowledged``, or renew its lease if it is already; nothing, if that is not allowed."""

    device: str
    command: str
    revision: int | None = None
    """Of the device, as its client was admitted; see :func:`.check_device`."""

    def needs(self) -> Needs:
        return Needs(device=self.device, commands=(self.command,))

    def decide(self, view: View) -> None:
        check_device(view, self.device, self.revision)
        command = view.command(self.command)
        if command is None or command.device != self.device or view.device(self.device) is None:
            return  # no lease for a device that was deleted
        now = view.now
        if command.attempts == 0 or target(command, Move.ACKNOWLEDGE, now) is None:
            return  # of a copy of a database a command may be unknown without an attempt
        acknowledged = _acknowledged(command, now)
        view.change(acknowledged)
        if command.state is not State.ACKNOWLEDGED:
            record_state(view, acknowledged)


def _acknowledged(command: CommandRecord, now: Now) -> CommandRecord:
    deadline_until = command.deadline_until or reopened(command, now)
    return command.changed(
        state=State.ACKNOWLEDGED,
        acknowledged_at=command.acknowledged_at or now.wall,
        finished_at=None,
        evidence="device",
        error=None if command.lease_until is None else command.error,
        deadline_until=deadline_until,
        lease_until=min(now.steady + milliseconds(command.lease), deadline_until),
    )


def reopened(command: CommandRecord, now: Now) -> int:
    """The new deadline of an attempt whose lease ran out: what is left of the old one in wall time, or one lease."""
    since_sent = max(now.wall - (command.sent_at or now.wall), 0)
    return now.steady + max(milliseconds(command.lease), milliseconds(command.deadline) - since_sent)


MAX_REFERENCE = 64
"""Characters of what a device gave as a command's id that are kept: every id is shorter."""


class _Match(NamedTuple):
    """The commands that a report is about, and how they were matched."""

    members: Sequence[Member]
    matched_by: str


@frozen
class Settle:
    """Match a report with commands and end them, or keep it as an orphan result."""

    device: str
    report: DeviceResult
    revision: int | None = None
    """As of :class:`Acknowledge`."""

    def needs(self) -> Needs:
        message, uuid = self.report.message, self.report.uuid
        if message is not None:
            return Needs(device=self.device, commands=(message,))
        return Needs(device=self.device, uuid=uuid, newest=True, lapsed=True)

    def decide(self, view: View) -> Settlement:
        check_device(view, self.device, self.revision)
        match = self._match(view)
        if match is None:
            return self._orphan(view, "it matches no command of this device")
        outcomes = [
            self._apply(view, member, part, match.matched_by)
            for member in match.members
            if (part := _part(member, self.report)) is not None
        ]
        if not outcomes:
            return self._orphan(view, "it has no entry for the commands that it answers")
        contradiction = next((outcome for outcome in outcomes if isinstance(outcome, str)), None)
        if contradiction is not None:
            return self._orphan(view, contradiction)
        return Settlement.SETTLED if Settlement.SETTLED in outcomes else Settlement.REPEATED

    def _match(self, view: View) -> _Match | None:
        report = self.report
        if report.message is not None:
            command = view.command(report.message)
            if command is None or command.device != self.device or not _may_have_run(command):
                return None
            return _Match([Member(command, command.attempts, None, None)], "message")
        if report.uuid is not None:
            handover = view.by_uuid(self.device, report.uuid)
            if handover is not None:
                return _Match(view.members(handover), "uuid")
        return self._match_by_order(view)

    def _match_by_order(self, view: View) -> _Match | None:
        newest = view.newest(self.device)
        if newest is None:
            return None
        members = view.members(newest)
        if not self._is_about_newest(view, members):
            lapsed = view.latest_lapsed(self.device)
            members = () if lapsed is None else view.members(lapsed)
        return _Match(members, "order") if self._fits(view, members) else None

    def _is_about_newest(self, view: View, members: Sequence[Member]) -> bool:
        """Whether a report without a uuid is about the newest handover: it is in flight, or ended with the same
        result, for nothing else shows that the report is a repetition.
        """
        if any(member.command.state in OUT for member in members):
            return True
        return self._fits(view, members) and any(self._repeats(view, member) for member in members)

    def _fits(self, view: View, members: Sequence[Member]) -> bool:
        no_uuid = self.report.uuid is None or (members and members[0].uuid is None)
        return bool(no_uuid) and any(self.report.concerns(view.outline(member.command)) for member in members)

    def _repeats(self, view: View, member: Member) -> bool:
        part = _part(member, self.report)
        result = None if part is None else view.result(member.command)
        return result is not None and part is not None and result == to_column(part.result)

    def _apply(self, view: View, member: Member, part: DeviceResult, matched_by: str) -> Settlement | str:
        """End one command by its part of a report; a reason, if that contradicts a known outcome."""
        command = member.command
        payload = view.outline(command)
        verdict = part.judge(payload)
        if _contradicts(command, verdict):
            return f"the command is {command.state} already"
        if _is_known(view, command, part, verdict):
            return Settlement.REPEATED
        now = view.now
        state = target(command, verdict.move, now)
        assert state is not None, "the device was sent what it reports on"
        ended = command.changed(
            state=state,
            lease_until=None,
            deadline_until=None,
            finished_at=now.wall,
            error=verdict.error,
            late=command.state not in OUT or member.number != command.attempts,
            evidence="device",
            matched_by=matched_by,
            has_result=part.result is not None,
        )
        view.set_result(command, part.result)
        view.change(ended)
        record_state(view, ended)
        if state is State.SUCCEEDED and (facts := part.facts(payload)):
            view.merge_facts(self.device, facts)
        return Settlement.SETTLED

    def _orphan(self, view: View, reason: str) -> Settlement:
        device, report = view.device(self.device), self.report
        if device is None or device.admission is not Admission.APPROVED:
            return Settlement.DROPPED
        reference = (report.message or report.uuid or "")[:MAX_REFERENCE] or None
        view.keep_orphan(self.device, view.now.wall, reason, reference, report.size, report.raw)
        view.record(EventType.RESULT_ORPHANED, self.device, reason=reason, reference=reference, size=report.size)
        return Settlement.ORPHANED


def _may_have_run(command: CommandRecord) -> bool:
    """Whether a report that names a command can be about it; of a copy of a database one may lack its attempts."""
    return command.attempts > 0 or command.state not in (State.QUEUED, State.EXPIRED, State.CANCELLED)


def _part(member: Member, report: DeviceResult) -> DeviceResult | None:
    return report if member.position is None else report.part(member.position)


def _contradicts(command: CommandRecord, verdict: Verdict) -> bool:
    known = {State.SUCCEEDED: Move.SUCCEED, State.FAILED: Move.FAIL}.get(command.state)
    if known is not None:
        return verdict.move is not known or command.evidence == "operator"
    return command.state in (State.EXPIRED, State.CANCELLED)


def _is_known(view: View, command: CommandRecord, report: DeviceResult, verdict: Verdict) -> bool:
    """Whether a report that does not contradict a command adds nothing to it."""
    if command.state is State.UNKNOWN:  # after an unreadable result, or a lapse, which sets another error
        return (
            verdict.move is Move.GARBLE
            and command.error == verdict.error
            and view.result(command) == to_column(report.result)
        )
    return command.state in (State.SUCCEEDED, State.FAILED)
