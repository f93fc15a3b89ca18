"""The one seam between what we promise and where it is kept."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from pushd.model.command import Command, Dispatched, Draft
from pushd.model.device import Device, LastSeen, Orphan, PresenceState, Proof, ProofKind, QueueDepth
from pushd.model.dialect import Batchable, never
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import Move
from pushd.model.result import DeviceResult
from pushd.model.timestamps import Now
from pushd.model.token import Token
from pushd.store.alert_interface import IAlertStore
from pushd.store.filters import (
    Claim,
    CommandContext,
    CommandFilter,
    DeviceFilter,
    EventFilter,
    EventPage,
    Settlement,
    StartupSnapshot,
    Violation,
)
from pushd.store.webhook_interface import IWebhookStore

Listener = Callable[[Event], None]


class IStore(IAlertStore, IWebhookStore):
    """What is durable. A verb's Deferred fires after its change is committed and synced, with :exc:`Unavailable` if
    that could not be done; it is not cancellable: a change may outlive whoever asked for it.

    Verbs take ``now``; they never look at a clock.
    """

    def open(now: Now) -> StartupSnapshot:
        """Open, or make, the database, blocking; give every open lease its whole time again.

        :raises StoreRefused: if the database is newer than this program, damaged, or not ours.
        """

    def close() -> Deferred[None]:
        """Finish what was asked for, then close."""

    def subscribe(listener: Listener, *types: EventType) -> None:
        """Call ``listener`` with each event of these types, or of all if none is named, after its commit, in the order
        of commits, before the verb's Deferred fires.
        """

    def check() -> Deferred[None]:
        """Fire once a transaction has been committed: the store answers."""

    def put(draft: Draft, queue_signed_off: bool, limit: int, now: Now) -> Deferred[tuple[Command, bool]]:
        """Queue a command; False if it is the earlier one with the same idempotency key.

        :raises UnknownDevice: or :exc:`DeviceBlocked`, :exc:`DeviceSignedOff`, :exc:`KeyReused`,
            :exc:`QueueFull` (``limit`` are queued).
        """

    def claim(
        device: str, uuid: str | None, one_at_a_time: bool, limit: int, now: Now, batchable: Batchable = never
    ) -> Deferred[Claim]:
        """Move the best queued command of an approved device to ``sent``; with it, up to ``limit`` of those that join.

        Where the device is ``one_at_a_time``, nothing is claimed for a poll that repeats the ``uuid`` of the one out.
        """

    def unsend(handed: Sequence[Dispatched], now: Now) -> Deferred[None]:
        """Take back commands that were claimed for a connection that had gone before a byte was written."""

    def acknowledge(device: str, command: str, now: Now) -> Deferred[None]:
        """Note that the device has the command, and renew its lease; nothing if it is not this device's to
        acknowledge.
        """

    def settle(device: str, report: DeviceResult, now: Now) -> Deferred[Settlement]:
        """Find the command that a report is about, and end it; a report that is about none is kept as an orphan."""

    def cancel(command: str, now: Now) -> Deferred[Command]:
        """Take a command back, or make the attempt that is out the last.

        :raises UnknownCommand: or :exc:`IllegalMove`.
        """

    def resolve(command: str, move: Move, note: str | None, by: str, now: Now) -> Deferred[Command]:
        """Record an operator's word on a command whose outcome is unknown.

        :raises UnknownCommand: or :exc:`IllegalMove`.
        """

    def resend(draft: Draft, queue_signed_off: bool, limit: int, now: Now) -> Deferred[tuple[Command, bool]]:
        """Queue the successor of ``draft.resend_of``; False if it has one already, which is given then.

        :raises UnknownCommand: or :exc:`IllegalMove`, also if that successor was forgotten, or what :meth:`put` does.
        """

    def purge(before: int, limit: int) -> Deferred[int]:
        """Forget up to ``limit`` each of the commands that ended, the events, the orphans, the deliveries and the
        alerts that were cleared, older than ``before``, in wall milliseconds; how many.
        """

    def command_context(command: str, now: Now) -> Deferred[CommandContext]:
        """How a command stands.

        :raises UnknownCommand: if there is none.
        """

    def fsck(now: Now) -> Deferred[list[Violation]]:
        """What is stored and cannot be."""

    def expire(limit: int, now: Now) -> Deferred[int]:
        """End up to ``limit`` queued commands whose time to live is over; how many."""

    def lapse(limit: int, now: Now) -> Deferred[int]:
        """End, or queue again, up to ``limit`` commands whose lease ran out; how many."""

    def renew(now: Now) -> Deferred[None]:
        """Give every open lease, and every grace period of an offline device, its whole time again: the server could
        not receive what devices sent.
        """

    def command(command: str) -> Deferred[Command]:
        """One command, whole.

        :raises UnknownCommand: if there is none.
        """

    def commands(which: CommandFilter, before: str | None, limit: int) -> Deferred[list[Command]]:
        """Commands, newest first, from the one before ``before`` on; without payload and result."""

    def add_device(device: Device, introduced: bool, now: Now) -> Deferred[Device]:
        """Register a device; or, where it has ``introduced`` itself, the one that is known already.

        :raises DeviceKnown: if an operator registers one that is known.
        """

    def change_device(device: str, changes: Mapping[str, Any], now: Now) -> Deferred[Device]:
        """Change fields of a device, by their names.

        :raises UnknownDevice: if there is none.
        """

    def forget_device(device: str, now: Now) -> Deferred[None]:
        """Delete a device and its proofs: its queued commands are cancelled, those out become unknown.

        :raises UnknownDevice: if there is none.
        """

    def set_presence(device: str, presence: PresenceState, now: Now) -> Deferred[None]:
        """A device is there, or signed off: what waited for a sign of its life does so no longer."""

    def save_last_seen(sightings: Sequence[LastSeen]) -> Deferred[None]:
        """Write down when devices were last heard of."""

    def save_conflict(device: str, data: Mapping[str, Any], now: Now) -> Deferred[None]:
        """Tell the feed that two devices may share one id."""

    def devices(which: DeviceFilter, after: str | None, limit: int) -> Deferred[list[tuple[Device, QueueDepth]]]:
        """Devices with their load, by id, from the one after ``after`` on."""

    def queue_depth(device: str) -> Deferred[QueueDepth]:
        """How much waits for a device, and how much is out."""

    def orphans(device: str, before: int | None, limit: int) -> Deferred[list[Orphan]]:
        """Results of a device that settled nothing, newest first."""

    def add_proof(device: str, kind: ProofKind, digest: bytes, overlap: float, now: Now) -> Deferred[list[Proof]]:
        """Give a device a new secret or key; the old one stays valid for ``overlap`` seconds. All proofs of the
        device.

        :raises UnknownDevice: if there is none.
        """

    def set_token(token: Token, now: Now) -> Deferred[None]:
        """Add a token, revoking the one of the same name."""

    def events(which: EventFilter, after: int, limit: int) -> Deferred[EventPage]:
        """The feed from the event after ``after`` on, in order.

        :raises EventsPurged: if some of those are no longer kept.
        :raises InvalidQuery: if ``after`` is beyond the newest event.
        """

    def last_event() -> Deferred[int]:
        """The ``seq`` of the newest event, 0 if there was none yet."""
