"""Why a command has not run yet, or what is known of its result: a code, facts, and one English sentence."""

from datetime import UTC, datetime

from attrs import frozen

from pushd.lib.text import duration, local_time
from pushd.model.device import Admission, Device, PresenceState
from pushd.model.lifecycle import ENDED, State
from pushd.model.timestamps import to_rfc3339
from pushd.store.filters import CommandContext


@frozen(kw_only=True)
class DeviceContext:
    """What memory knows of a command's device.

    ``now`` is in wall milliseconds, ``hold`` and ``next_poll_in`` in seconds.
    """

    now: int
    device: Device | None
    polling: bool
    hold: float
    proven: bool
    lacks_proof: bool
    """Whether the device gets no commands because it has no proof configured."""
    next_poll_in: float | None


@frozen(kw_only=True)
class Explanation:
    """A code for programs, a sentence for people, and the facts behind them; durations in seconds."""

    command: str
    state: State
    reason: str
    sentence: str
    facts: dict[str, object]


def explain(context: CommandContext, around: DeviceContext) -> Explanation:
    """Why a command is in its state."""
    reason, sentence = _EXPLAIN[context.command.state](context, around)
    if not around.proven and context.command.state not in ENDED and reason != "lacks-proof":
        sentence += " The device is not authenticated: give it a secret, an API key or an allow list."
    return Explanation(
        command=context.command.id,
        state=context.command.state,
        reason=reason,
        sentence=sentence,
        facts=_facts(context, around),
    )


_Reason = tuple[str, str]
"""A code for programs and a sentence for people."""


def _explain_queued(context: CommandContext, around: DeviceContext) -> _Reason:
    reason, sentence = _explain_obstacle(context, around) or _explain_turn(context, around)
    times = context.command.attempts
    tried = f" It was sent {_times(times)} before, and may have run." if times else ""
    return reason, f"{sentence}{tried}"


def _explain_obstacle(context: CommandContext, around: DeviceContext) -> _Reason | None:
    """Why the command must not be sent now, whether the device polls or not; None if it may be sent."""
    command, device = context.command, around.device
    if device is None:
        return "device-unknown", "The device is no longer known; the command will expire."
    if device.admission is Admission.PENDING:
        return "waits-for-approval", "The device gets no commands until an operator approves it."
    if device.admission is Admission.BLOCKED:
        return "device-blocked", "The device is blocked, and gets no commands."
    if around.lacks_proof:
        return "lacks-proof", "The device gets no commands until it has a secret, an API key or an allow list."
    if command.not_before is not None and command.not_before > around.now:
        return "not-yet-due", f"The command is not to be sent before {_at(command.not_before)}."
    if device.presence is PresenceState.SIGNED_OFF:
        since = _at(context.signed_off_at or device.last_seen_at)
        return "signed-off", f"The device signed off at {since}; the command is sent when it returns."
    return None


def _explain_turn(context: CommandContext, around: DeviceContext) -> _Reason:
    if not around.polling:
        reason, sentence = _explain_absence(around)
        ahead = f" {_commands(context.ahead)} ahead of this one." if context.ahead else ""
        return reason, f"{sentence}{ahead}"
    if context.ahead:
        return "others-ahead", f"{_commands(context.ahead)} ahead of this one, and the device takes one at a time."
    if context.in_flight:
        return "device-busy", "The device is busy with the previous command; this one is sent when that one ends."
    return "about-to-be-sent", "The device polls, and the command is about to be sent."


def _explain_absence(around: DeviceContext) -> _Reason:
    device = around.device
    if device is None or device.last_seen_at is None:
        return "never-polled", "The device has never polled."
    if around.next_poll_in is not None and device.poll_gap is not None:
        return "between-polls", f"The device {_poll_gap(device.poll_gap, around)}."
    ago = duration((around.now - device.last_seen_at) / 1000)
    return "not-polling", f"The device does not poll; it was last seen {ago} ago."


def _poll_gap(gap: float, around: DeviceContext) -> str:
    if gap < 1:
        return "is between two polls; the next one is expected at any moment"
    due = f"its next poll is expected in {duration(around.next_poll_in or 0)}"
    return f"is not connected for {gap:.0f} of every {gap + around.hold:.0f} s; {due}"


def _explain_sent(context: CommandContext, _around: DeviceContext) -> _Reason:
    lease = duration((context.lease_left or 0) / 1000)
    cancelled = " An operator has cancelled further attempts." if context.command.error else ""
    if context.command.state is State.ACKNOWLEDGED:
        acknowledged = "The device has acknowledged the command"
        return "at-work", f"{acknowledged}; unless it reports again, the lease ends in {lease}.{cancelled}"
    return "no-result-yet", f"The command was sent and may have run; its lease ends in {lease}.{cancelled}"


def _explain_reported(context: CommandContext, _around: DeviceContext) -> _Reason:
    command = context.command
    how = "succeeded" if command.state is State.SUCCEEDED else "failed"
    if command.evidence == "operator":
        return "resolved", f"An operator resolved the command at {_at(command.finished_at)}: it {how}."
    late = ", after the lease had ended" if command.late else ""
    guess = "; the result named no transaction and was matched by order" if command.matched_by == "order" else ""
    meaning = " That is, it ran: what the device answered is in the result." if how == "succeeded" else ""
    return (
        "reported",
        f"The device reported at {_at(command.finished_at)} that the command {how}{late}{guess}.{meaning}",
    )


def _explain_expired(context: CommandContext, around: DeviceContext) -> _Reason:
    seen = None if around.device is None else around.device.last_seen_at
    last = "the device was never seen" if seen is None else f"the device was last seen at {_at(seen)}"
    expired = f"The command was never sent, and expired at {_at(context.command.expires_at)}"
    return "expired-unsent", f"{expired}; {last}."


def _explain_cancelled(context: CommandContext, _around: DeviceContext) -> _Reason:
    return "cancelled-unsent", f"The command was cancelled at {_at(context.command.finished_at)}, before it was sent."


def _explain_unknown(context: CommandContext, _around: DeviceContext) -> _Reason:
    why = context.command.error or "no result arrived"
    return "outcome-unknown", f"The command may have run: {why}. Check the device, then resolve or resend the command."


_EXPLAIN = {
    State.QUEUED: _explain_queued,
    State.SENT: _explain_sent,
    State.ACKNOWLEDGED: _explain_sent,
    State.SUCCEEDED: _explain_reported,
    State.FAILED: _explain_reported,
    State.EXPIRED: _explain_expired,
    State.CANCELLED: _explain_cancelled,
    State.UNKNOWN: _explain_unknown,
}


def _facts(context: CommandContext, around: DeviceContext) -> dict[str, object]:
    command, device = context.command, around.device
    facts: dict[str, object] = {
        "attempts": command.attempts,
        "ahead": context.ahead,
        "in_flight": context.in_flight,
        "polling": around.polling,
        "hold": around.hold,
        "proven": around.proven,
        "lacks_proof": around.lacks_proof,
        "expires_in": (command.expires_at - around.now) / 1000 if command.state is State.QUEUED else None,
        "lease_left": None if context.lease_left is None else context.lease_left / 1000,
        "next_poll_in": around.next_poll_in,
    }
    if device is not None:
        facts |= {
            "admission": device.admission,
            "presence": device.presence,
            "poll_gap": device.poll_gap,
            "last_seen_at": _timestamp(device.last_seen_at),
            "signed_off_at": _timestamp(context.signed_off_at),
        }
    return facts


def _timestamp(moment: int | None) -> str | None:
    return None if moment is None else to_rfc3339(moment)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _commands(count: int) -> str:
    return "1 command is" if count == 1 else f"{count} commands are"


def _at(moment: int | None) -> str:
    return "an unknown time" if moment is None else local_time(datetime.fromtimestamp(moment / 1000, UTC))
