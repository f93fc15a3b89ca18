"""Queue a command, claim queued commands for a device's poll, and take a claim back."""

from collections.abc import Iterable, Sequence
from itertools import islice
from operator import attrgetter

from attrs import frozen

from pushd.lib.strict_json import write_ascii
from pushd.model.command import Command, Dispatched, Draft, LargePayload, Payload
from pushd.model.device import Admission, PresenceState
from pushd.model.dialect import Batchable, never
from pushd.model.errors import DeviceBlocked, DeviceSignedOff, KeyReused, QueueFull, UnknownDevice
from pushd.model.event import EventType
from pushd.model.lifecycle import OUT, Delivery, Move, State
from pushd.model.timestamps import MAX_MOMENT, Now, milliseconds
from pushd.rules.moves import cancelled, is_live, queued_again, record_state, target
from pushd.rules.outcomes import MAX_WRITE_DELAY, Claim
from pushd.rules.records import Attempt, CommandRecord
from pushd.rules.replies import to_command, whole
from pushd.rules.view import View


@frozen
class Enqueue:
    """Queue a command, unless there is an earlier one with its idempotency key; True if it was queued."""

    draft: Draft
    queue_signed_off: bool
    max_queued: int
    now: Now

    def decide(self, view: View) -> tuple[Command, bool]:
        earlier = self._earlier(view)
        if earlier is not None:
            return whole(view, earlier), False
        return enqueue(view, self.draft, self.queue_signed_off, self.max_queued, self.now), True

    def _earlier(self, view: View) -> CommandRecord | None:
        draft = self.draft
        if draft.idempotency_key is None:
            return None
        earlier = view.by_key(draft.created_by, draft.device, draft.idempotency_key)
        if earlier is not None and earlier.fingerprint != draft.fingerprint:
            raise KeyReused("This Idempotency-Key was used before with another body; use a new key for a new command.")
        return earlier


def _check_may_queue(view: View, device: str, queue_signed_off: bool, max_queued: int) -> None:
    found = view.device(device)
    if found is None:
        raise UnknownDevice(f"No device {device} is known; it must have polled, or be registered.")
    if found.admission is Admission.BLOCKED:
        raise DeviceBlocked(f"{device} is blocked; approve it to send it commands.")
    if found.presence is PresenceState.SIGNED_OFF and not queue_signed_off:
        raise DeviceSignedOff(
            f"{device} signed off; add ?queue=1 (pushctl: --queue) to queue the command until it returns."
        )
    if view.count_queued(device) >= max_queued:
        raise QueueFull(f"{max_queued} commands are queued for {device} already.")


def enqueue(view: View, draft: Draft, queue_signed_off: bool, max_queued: int, now: Now) -> Command:
    """Queue a command.

    :raises UnknownDevice: or :exc:`DeviceBlocked`, :exc:`DeviceSignedOff`, :exc:`QueueFull`.
    """
    _check_may_queue(view, draft.device, queue_signed_off, max_queued)
    terms, payload = draft.terms, draft.payload
    expires_at = min(max(now.wall, terms.not_before or 0) + milliseconds(terms.ttl), MAX_MOMENT)
    command = CommandRecord(
        id=draft.id,
        device=draft.device,
        payload=payload.text.reference if isinstance(payload, LargePayload) else write_ascii(payload),
        delivery=Delivery(terms.delivery),
        priority=terms.priority,
        ttl=float(terms.ttl),
        not_before=terms.not_before,
        created_at=now.wall,
        expires_at=expires_at,
        lease=float(draft.lease),
        deadline=float(terms.deadline),
        created_by=draft.created_by,
        resend_of=draft.resend_of,
        idempotency_key=draft.idempotency_key,
        fingerprint=draft.fingerprint,
        state=State.QUEUED,
        attempts=0,
        max_attempts=terms.max_attempts,
        expires_elapsed=now.elapsed_at(expires_at),
    )
    view.add(command)
    if isinstance(payload, LargePayload):
        view.keep_payload(draft.id, payload)
    view.record(now, EventType.COMMAND_QUEUED, draft.device, draft.id, resend_of=draft.resend_of)
    return to_command(command, payload, None)


_EXPIRES_AT, _EXPIRES_ELAPSED, _LEASE = map(attrgetter, ("expires_at", "expires_elapsed", "lease"))

MIN_WRITE_DELAY = 0.25
"""Seconds for which a claim may be sent however short its lease is: else it could never be sent."""

MAX_BATCH_SIZE = 256 * 1024
"""Characters of all payloads in one answer, if it has several: more would stop the reactor."""


@frozen
class ClaimNext:
    """Move the next queued command of an approved device, or several that are batchable, to ``sent``.

    ``one_at_a_time``: nothing is claimed for a poll that repeats the ``uuid`` under which a command is in flight.
    """

    device: str
    uuid: str | None
    one_at_a_time: bool
    limit: int
    now: Now
    batchable: Batchable = never

    def decide(self, view: View) -> Claim:
        if self.one_at_a_time and self.uuid is not None and self._was_answered(view, self.uuid):
            return Claim()
        device = view.device(self.device)
        if device is None or device.admission is not Admission.APPROVED:
            return Claim()  # its approval wakes the poll
        sendable = list(islice(filter(self._may_be_sent, view.queued(self.device)), self.limit))
        if not sendable:
            return Claim(due=next_due(view.queued(self.device), self.now))
        chosen = self._choose(view, sendable)
        commands = [command for command, _ in chosen]
        return Claim(
            dispatched=self._send(view, chosen),
            expires_at=min(map(_EXPIRES_AT, commands)),
            expires_elapsed=min(map(_EXPIRES_ELAPSED, commands)),
            write_within=min(MAX_WRITE_DELAY, max(min(map(_LEASE, commands)) / 2, MIN_WRITE_DELAY)),
        )

    def _was_answered(self, view: View, uuid: str) -> bool:
        newest = view.newest(self.device)
        return (
            newest is not None
            and newest[0].uuid == uuid
            and any(
                command.state in OUT and number == command.attempts for command, number, *_ in view.members(newest)
            )
        )

    def _may_be_sent(self, command: CommandRecord) -> bool:
        return (
            (command.not_before or 0) <= self.now.wall
            and command.attempts < command.max_attempts
            and target(command, Move.SEND, self.now) is State.SENT
        )

    def _choose(self, view: View, sendable: Sequence[CommandRecord]) -> Sequence[tuple[CommandRecord, Payload]]:
        """The commands that go in one answer: the leading ones that are batchable, or the first alone."""
        chosen: list[tuple[CommandRecord, Payload]] = []
        size = 0
        for command in sendable:
            size += view.payload_size(command)
            if chosen and size > MAX_BATCH_SIZE:
                break
            payload = view.payload(command)
            is_batchable = self.batchable(payload)
            if is_batchable or not chosen:
                chosen.append((command, payload))
            if not is_batchable:
                break
        return chosen

    def _send(self, view: View, chosen: Sequence[tuple[CommandRecord, Payload]]) -> tuple[Dispatched, ...]:
        handover, now = view.new_handover(), self.now
        attempts: list[Attempt] = []
        for position, (command, payload) in enumerate(chosen, 1):
            if isinstance(payload, LargePayload):
                view.load_sent(command.id, payload)
            sent = _sent(command, handover, now)
            attempts.append(
                Attempt(
                    command=sent.id,
                    number=sent.attempts,
                    device=self.device,
                    uuid=self.uuid,
                    sent_at=now.wall,
                    handover=handover,
                    position=position if len(chosen) > 1 else None,
                )
            )
            view.change(sent)
            view.record(now, EventType.COMMAND_SENT, self.device, sent.id, attempt=sent.attempts)
        view.add_handover(self.device, tuple(attempts))
        return tuple(
            Dispatched(command=attempt.command, attempt=attempt.number, payload=payload, handover=handover)
            for attempt, (_, payload) in zip(attempts, chosen, strict=True)
        )


def _sent(command: CommandRecord, handover: str, now: Now) -> CommandRecord:
    return command.changed(
        state=State.SENT,
        attempts=command.attempts + 1,
        sent_at=now.wall,
        sent_before=command.sent_at,
        acknowledged_at=None,
        deadline_until=now.steady + milliseconds(command.deadline),
        lease_until=now.steady + milliseconds(min(command.lease, command.deadline)),
        handover=handover,
    )


def next_due(queued: Iterable[CommandRecord], now: Now) -> int | None:
    """When the first of these queued commands becomes due, in wall milliseconds, now at the earliest; None: never."""
    due: int | None = None
    for command in queued:
        if is_live(command, now):
            moment = command.not_before or 0
            if moment <= now.wall:
                return now.wall
            due = moment if due is None else min(due, moment)
    return due


@frozen
class Unsend:
    """Return commands to the queue whose current attempt is the one that was dispatched; delete that attempt."""

    dispatched: Sequence[Dispatched]
    now: Now

    def decide(self, view: View) -> None:
        for sent in self.dispatched:
            command = view.command(sent.command)
            if command is not None and self._is_current(command, sent):
                self._unsend(view, command)

    def _is_current(self, command: CommandRecord, sent: Dispatched) -> bool:
        return (
            command.attempts == sent.attempt
            and command.handover == sent.handover
            and target(command, Move.UNSEND, self.now) is not None
        )

    def _unsend(self, view: View, command: CommandRecord) -> None:
        view.delete_attempt(command)
        queued = queued_again(command, self.now).changed(
            attempts=command.attempts - 1, sent_at=command.sent_before, sent_before=None, handover=None
        )
        view.record(self.now, EventType.COMMAND_QUEUED, command.device, command.id, reason="unsent")
        if command.error is not None:  # cancelled while it was in flight: it must not be sent again
            queued = cancelled(queued, self.now)
            record_state(view, self.now, queued)
        view.change(queued)
