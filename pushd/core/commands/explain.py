"""Explanations: why a command has not run yet, or what is known of it, in data and in one English sentence."""

from attrs import frozen

from pushd.lib.text import duration
from pushd.model.device import Admission, Device, PresenceState
from pushd.model.lifecycle import ENDED, State
from pushd.model.timestamps import to_rfc3339
from pushd.store.filters import CommandContext


@frozen(kw_only=True)
class DeviceContext:
    """What memory knows of a command's device; ``now`` in wall milliseconds, ``hold`` and ``next_poll_in`` in
    seconds.
    """

    now: int
    device: Device | None
    polling: bool
    hold: float
    proven: bool
    lacks_proof: bool
    """Whether it is handed nothing for having nothing to prove itself with."""
    next_poll_in: float | None


@frozen(kw_only=True)
class Explanation:
    """A word for programs, a sentence for people, and what it rests on; durations in seconds."""

    command: str
    state: State
    reason: str
    sentence: str
    facts: dict[str, object]


def explain(standing: CommandContext, around: DeviceContext) -> Explanation:
    """How a command stands, and why."""
    reason, sentence = _EXPLAIN[standing.command.state](standing, around)
    if not around.proven and standing.command.state not in ENDED and reason != "lacks-proof":
        sentence += " Nobody proves that it is this device: give it a secret, a key or an allow list."
    return Explanation(
        command=standing.command.id,
        state=standing.command.state,
        reason=reason,
        sentence=sentence,
        facts=_facts(standing, around),
    )


_Told = tuple[str, str]


def _explain_queued(standing: CommandContext, around: DeviceContext) -> _Told:
    reason, sentence = _explain_barrier(standing, around) or _explain_turn(standing, around)
    times = standing.command.attempts
    tried = f" It was sent {_times(times)} before, and may have run." if times else ""
    return reason, f"{sentence}{tried}"


def _explain_barrier(standing: CommandContext, around: DeviceContext) -> _Told | None:
    """Why it may not be handed over now, whether the device polls or not; None if it may."""
    command, device = standing.command, around.device
    if device is None:
        return "device-unknown", "The device is no longer known; the command will expire."
    if device.admission is Admission.PENDING:
        return "waits-for-approval", "The device waits for an operator's approval before it is handed anything."
    if device.admission is Admission.BLOCKED:
        return "device-blocked", "The device is blocked, and is handed nothing."
    if around.lacks_proof:
        return "lacks-proof", "The device is handed nothing before it has a secret, a key or an allow list."
    if command.not_before is not None and command.not_before > around.now:
        return "not-yet-due", f"It is not to be sent before {to_rfc3339(command.not_before)}."
    if device.presence is PresenceState.SIGNED_OFF:
        since = _at(standing.signed_off_at or device.last_seen_at)
        return "signed-off", f"The device signed off at {since}, and is sent it when it returns."
    return None


def _explain_turn(standing: CommandContext, around: DeviceContext) -> _Told:
    if not around.polling:
        reason, sentence = _explain_absence(around)
        ahead = f" {_commands(standing.ahead)} ahead of it." if standing.ahead else ""
        return reason, f"{sentence}{ahead}"
    if standing.ahead:
        return "others-ahead", f"{_commands(standing.ahead)} ahead of it, and the device takes one after the other."
    if standing.in_flight:
        return "device-busy", "The device polls, and still has the one before: it is next once that ends."
    return "about-to-be-sent", "The device polls, and is about to be handed it."


def _explain_absence(around: DeviceContext) -> _Told:
    device = around.device
    if device is None or device.last_seen_at is None:
        return "never-polled", "The device has never polled."
    if around.next_poll_in is not None and device.poll_gap is not None:
        return "deaf", f"The device {_deaf(device.poll_gap, around)}."
    ago = duration((around.now - device.last_seen_at) / 1000)
    return "not-polling", f"The device does not poll; it was last heard of {ago} ago."


def _deaf(gap: float, around: DeviceContext) -> str:
    if gap < 1:
        return "is between two polls; its next is expected at any moment"
    due = f"its next poll is expected in {duration(around.next_poll_in or 0)}"
    return f"is deaf for {gap:.0f} of every {gap + around.hold:.0f} s; {due}"


def _explain_sent(standing: CommandContext, _around: DeviceContext) -> _Told:
    lease = duration((standing.lease_left or 0) / 1000)
    cancelled = " An operator wants no further attempt." if standing.command.error else ""
    if standing.command.state is State.ACKNOWLEDGED:
        has = "The device has said that it has it"
        return "at-work", f"{has}; unless it says more, its lease ends in {lease}.{cancelled}"
    return "no-result-yet", f"It was handed to the device and may have run; its lease ends in {lease}.{cancelled}"


def _explain_reported(standing: CommandContext, _around: DeviceContext) -> _Told:
    command = standing.command
    how = "succeeded" if command.state is State.SUCCEEDED else "failed"
    if command.evidence == "operator":
        return "resolved", f"An operator said at {_at(command.finished_at)} that it {how}."
    late = ", after its lease was over" if command.late else ""
    guess = "; the result named no transaction and was matched by order" if command.matched_by == "order" else ""
    return "reported", f"The device reported at {_at(command.finished_at)} that it {how}{late}{guess}."


def _explain_expired(standing: CommandContext, around: DeviceContext) -> _Told:
    seen = None if around.device is None else around.device.last_seen_at
    last = "it was never heard of" if seen is None else f"it was last heard of at {_at(seen)}"
    return (
        "expired-unsent",
        f"It was never sent: the device did not take it before {_at(standing.command.expires_at)} ({last}).",
    )


def _explain_cancelled(standing: CommandContext, _around: DeviceContext) -> _Told:
    return "cancelled-unsent", f"It was taken back at {_at(standing.command.finished_at)}, before it was sent."


def _explain_unknown(standing: CommandContext, _around: DeviceContext) -> _Told:
    why = standing.command.error or "no result came"
    return "outcome-unknown", f"It may have run: {why}. Find out, then resolve it; or send it again."


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


def _facts(standing: CommandContext, around: DeviceContext) -> dict[str, object]:
    command, device = standing.command, around.device
    facts: dict[str, object] = {
        "attempts": command.attempts,
        "ahead": standing.ahead,
        "in_flight": standing.in_flight,
        "polling": around.polling,
        "hold": around.hold,
        "proven": around.proven,
        "lacks_proof": around.lacks_proof,
        "expires_in": (command.expires_at - around.now) / 1000 if command.state is State.QUEUED else None,
        "lease_left": None if standing.lease_left is None else standing.lease_left / 1000,
        "next_poll_in": around.next_poll_in,
    }
    if device is not None:
        facts |= {
            "admission": device.admission,
            "presence": device.presence,
            "poll_gap": device.poll_gap,
            "last_seen_at": _moment(device.last_seen_at),
            "signed_off_at": _moment(standing.signed_off_at),
        }
    return facts


def _moment(moment: int | None) -> str | None:
    return None if moment is None else to_rfc3339(moment)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _commands(count: int) -> str:
    return "1 command is" if count == 1 else f"{count} commands are"


def _at(moment: int | None) -> str:
    return _moment(moment) or "an unknown time"
