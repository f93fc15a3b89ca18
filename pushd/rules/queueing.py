"""Queue a command, claim queued commands for a device's poll, and take a claim back."""

from collections.abc import Iterable, Sequence
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
from pushd.rules.admissions import check_device, check_token
from pushd.rules.moves import IQueued, cancelled, is_live, queued_again, record_state, target
from pushd.rules.outcomes import MAX_WRITE_DELAY, Claim
from pushd.rules.records import Attempt, CommandRecord
from pushd.rules.replies import to_command, whole
from pushd.rules.view import Needs, View


@frozen
class Enqueue:
    """Queue a command, unless there is an earlier one with its idempotency key; True if it was queued."""

    draft: Draft
    queue_signed_off: bool
    max_queued: int

    def needs(self) -> Needs:
        draft = self.draft
        key = None if draft.idempotency_key is None else (draft.created_by, draft.idempotency_key)
        return Needs(device=draft.device, key=key, adds=True, token=token_of(draft))

    def decide(self, view: View) -> tuple[Command, bool]:
        draft = self.draft
        check_token(view, draft.token)
        if draft.idempotency_key is not None:
            earlier = _earlier(view, draft.created_by, draft.device, draft.idempotency_key, draft.fingerprint)
            if earlier is not None:
                return whole(view, earlier), False
        command = enqueue(view, self.draft, self.queue_signed_off, self.max_queued)
        if self.draft.audited_as is not None:
            view.audit(self.draft.audited_as, f"device:{command.device}", None, {"command": command.id})
        return command, True


def token_of(draft: Draft) -> str | None:
    """The token that a rule which queues a draft looks at."""
    return None if draft.token is None else draft.token.token


@frozen
class FindEarlier:
    """The command that was queued with an idempotency key; None if there is none."""

    created_by: str
    device: str
    key: str
    fingerprint: bytes | None

    def needs(self) -> Needs:
        return Needs(device=self.device, key=(self.created_by, self.key))

    def decide(self, view: View) -> Command | None:
        earlier = _earlier(view, self.created_by, self.device, self.key, self.fingerprint)
        return None if earlier is None else whole(view, earlier)


def _earlier(view: View, created_by: str, device: str, key: str, fingerprint: bytes | None) -> CommandRecord | None:
    earlier = view.by_key(created_by, device, key)
    if earlier is not None and earlier.fingerprint != fingerprint:
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


def enqueue(view: View, draft: Draft, queue_signed_off: bool, max_queued: int) -> Command:
    """Queue a command.

    :raises UnknownDevice: or :exc:`DeviceBlocked`, :exc:`DeviceSignedOff`, :exc:`QueueFull`.
    """
    _check_may_queue(view, draft.device, queue_signed_off, max_queued)
    now, terms, payload, called = view.now, draft.terms, draft.payload, draft.endpoints
    expires_at = min(max(now.wall, terms.not_before or 0) + milliseconds(terms.ttl), MAX_MOMENT)
    command = CommandRecord(
        id=view.new_id(draft.device),
        device=draft.device,
        payload=payload.text.reference if type(payload) is LargePayload else write_ascii(payload),
        endpoint=called if isinstance(called, str) else None,
        endpoints=None if isinstance(called, str) else write_ascii(called),
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
        trace=terms.trace,
        state=State.QUEUED,
        attempts=0,
        max_attempts=terms.max_attempts,
        expires_elapsed=now.elapsed_at(expires_at),
    )
    view.add(command)
    if type(payload) is LargePayload:
        view.keep_payload(command.id, payload)
    view.record_command(EventType.COMMAND_QUEUED, command, draft.created_by, resend_of=draft.resend_of)
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
    ``revision``: of the device, as its poll was admitted; see :func:`.check_device`.
    """

    device: str
    uuid: str | None
    one_at_a_time: bool
    limit: int
    batchable: Batchable = never
    revision: int | None = None

    def needs(self) -> Needs:
        return Needs(device=self.device, newest=self.one_at_a_time and self.uuid is not None, next=self.limit)

    def decide(self, view: View) -> Claim:
        device = view.device(self.device)
        if device is not None and not device.is_served:
            return Claim(is_served=False)  # first: its next poll must be served here before it claims anything
        check_device(view, self.device, self.revision)
        if self.one_at_a_time and self.uuid is not None and self._was_answered(view, self.uuid):
            return Claim()
        if device is None or device.admission is not Admission.APPROVED:
            return Claim()  # its approval wakes the poll
        sendable = view.next(self.device, self.limit)
        if not sendable:
            return Claim(due=view.next_due(self.device))
        chosen = self._choose(view, sendable)
        commands = [command for command, _ in chosen]
        return Claim(
            dispatched=self._send(view, chosen),
            expires_at=min(map(_EXPIRES_AT, commands)),
            expires_elapsed=min(map(_EXPIRES_ELAPSED, commands)),
            write_within=min(MAX_WRITE_DELAY, max(min(map(_LEASE, commands)) / 2, MIN_WRITE_DELAY)),
            began=view.began,
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

    def _choose(self, view: View, sendable: Sequence[CommandRecord]) -> Sequence[tuple[CommandRecord, Payload]]:
        """The commands that go in one answer: the leading ones that are batchable, or the first alone."""
        if len(sendable) == 1:
            return [(sendable[0], view.payload(sendable[0]))]
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
        handover, now = view.new_handover(), view.now
        attempts: list[Attempt] = []
        dispatched: list[Dispatched] = []
        for position, (command, payload) in enumerate(chosen, 1):
            if type(payload) is LargePayload:
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
            dispatched.append(Dispatched(command=sent.id, attempt=sent.attempts, payload=payload, handover=handover))
            view.change(sent)
            view.record_command(EventType.COMMAND_SENT, sent, attempt=sent.attempts)
        view.add_handover(self.device, tuple(attempts))
        return tuple(dispatched)


def is_sendable(command: CommandRecord, now: Now) -> bool:
    """Whether a queued command may be sent now."""
    return (
        (command.not_before or 0) <= now.wall
        and command.attempts < command.max_attempts
        and target(command, Move.SEND, now) is State.SENT
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


def next_due(queued: Iterable[IQueued], now: Now) -> int | None:
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

    def needs(self) -> Needs:
        return Needs(commands=tuple(sent.command for sent in self.dispatched))

    def decide(self, view: View) -> None:
        for sent in self.dispatched:
            command = view.command(sent.command)
            if command is not None and _is_current(command, sent, view.now):
                self._unsend(view, command)

    def _unsend(self, view: View, command: CommandRecord) -> None:
        view.delete_attempt(command)
        queued = queued_again(command, view.now).changed(
            attempts=command.attempts - 1, sent_at=command.sent_before, sent_before=None, handover=None
        )
        view.record_command(EventType.COMMAND_QUEUED, command, reason="unsent")
        if command.error is not None:  # cancelled while it was in flight: it must not be sent again
            queued = cancelled(queued, view.now)
            record_state(view, queued)
        view.change(queued)


def _is_current(command: CommandRecord, sent: Dispatched, now: Now) -> bool:
    return (
        command.attempts == sent.attempt
        and command.handover == sent.handover
        and target(command, Move.UNSEND, now) is not None
    )
