"""IStore: the interface of durable storage."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from pushd.model.alert import Alert, AlertRules
from pushd.model.command import Command, Dispatched, Draft
from pushd.model.device import Device, LastSeen, Orphan, PresenceState, Proof, ProofKind, QueueDepth
from pushd.model.dialect import Batchable, never
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import Move
from pushd.model.result import DeviceResult
from pushd.model.timestamps import Now
from pushd.model.token import Token
from pushd.model.webhook import Attempt, LoggedAttempt, Progress, Subscription, Webhook
from pushd.rules.outcomes import Claim, Settlement
from pushd.store.filters import (
    CommandContext,
    CommandFilter,
    DeviceFilter,
    EventFilter,
    EventPage,
    StartOptions,
    StartupSnapshot,
    Violation,
)

Listener = Callable[[Event], None]
"""Called with an event after its commit."""


class IStore(Interface):
    """Durable storage. The Deferred of an operation fires after its change was committed and synced to the disk, with
    :exc:`Unavailable` if that failed; to cancel it does not cancel the change.

    Operations take the time as ``now``, and never read a clock. Ids, and the ``by`` of an operator, are strings;
    ``limit`` bounds how many items one call returns or changes.
    """

    def open(now: Now, options: StartOptions = ...) -> StartupSnapshot:
        """Open or create the database, blocking, and renew all leases as :meth:`renew` does.

        What the start changes is committed when this returns.

        :raises StoreRefused: if the database is newer than this program, damaged, or of another program.
        """

    def close() -> Deferred[None]:
        """Finish the operations that were submitted, then close; later ones fail with :exc:`Unavailable`."""

    def subscribe(listener: Listener, *types: EventType) -> None:
        """Call ``listener`` with each event of these types (none: of all types), after its commit, in the order of
        commits, before the Deferred of the operation fires.
        """

    def check() -> Deferred[None]:
        """Commit a small change, to see whether the store works."""

    def put(draft: Draft, queue_signed_off: bool, max_queued: int, now: Now) -> Deferred[tuple[Command, bool]]:
        """Queue a command; True if it was created, False if it is the earlier one with the same idempotency key.

        ``queue_signed_off``: queue it even if the device has signed off; ``max_queued``: how many commands may be
        queued for the device.

        :raises UnknownDevice: or :exc:`DeviceBlocked`, :exc:`DeviceSignedOff`, :exc:`KeyReused`, :exc:`QueueFull`.
        """

    def claim(
        device: str, uuid: str | None, one_at_a_time: bool, limit: int, now: Now, batchable: Batchable = never
    ) -> Deferred[Claim]:
        """Move the next queued command of an approved device to ``sent``: highest priority first, then the oldest.

        ``uuid`` is the device's own name for the poll. ``one_at_a_time``: nothing is claimed for a poll that repeats
        the ``uuid`` under which a command is in flight. Up to ``limit`` commands are claimed together if ``batchable``
        is true of the payload of each, else one.
        """

    def unsend(dispatched: Sequence[Dispatched], now: Now) -> Deferred[None]:
        """Return claimed commands to the queue: their connection was lost before any byte of them was written."""

    def acknowledge(device: str, command: str, now: Now) -> Deferred[None]:
        """Record that the device has received the command, and renew its lease; does nothing if the command is not one
        that this device may acknowledge.
        """

    def settle(device: str, report: DeviceResult, now: Now) -> Deferred[Settlement]:
        """Match a device's result with its commands, and end them; a result that matches none is kept as an orphan."""

    def cancel(command: str, now: Now) -> Deferred[Command]:
        """Cancel a queued command; of one in flight that could be sent again, the current attempt becomes the last.

        :raises UnknownCommand: or :exc:`IllegalMove`.
        """

    def resolve(command: str, move: Move, note: str | None, by: str, now: Now) -> Deferred[Command]:
        """Record what an operator, ``by``, knows about a command whose outcome is unknown; ``note`` says how.

        :raises UnknownCommand: or :exc:`IllegalMove`.
        """

    def resend(draft: Draft, queue_signed_off: bool, max_queued: int, now: Now) -> Deferred[tuple[Command, bool]]:
        """Queue ``draft`` as the successor of ``draft.resend_of``; False with the existing successor if it has one.

        :raises UnknownCommand: or :exc:`IllegalMove`, also if the existing successor was purged; or as :meth:`put`.
        """

    def purge(before: int, limit: int, now: Now) -> Deferred[int]:
        """Delete ended commands, events, orphan results, deliveries and cleared alerts older than ``before``, in wall
        milliseconds, up to ``limit`` of each, fewer if that takes long; returns how many rows were deleted, 0 when
        none is left.
        """

    def save_clocks(retention_from: int, now: Now) -> Deferred[None]:
        """Save the clocks for the next start, and drop secrets and keys that have expired; nothing is to be purged
        before ``retention_from``, in elapsed time.
        """

    def save_step(retention_from: int, step: int, now: Now) -> Deferred[None]:
        """As :meth:`save_clocks`, after the wall clock was set forward by ``step`` milliseconds (negative: back):
        queued commands whose time to live is over by the new wall time stay too old to be sent.
        """

    def command_context(command: str, now: Now) -> Deferred[CommandContext]:
        """A command with its position in the queue, its lease and its device's sign-off.

        :raises UnknownCommand: if there is none.
        """

    def fsck(now: Now) -> Deferred[list[Violation]]:
        """Check the consistency of the database."""

    def expire(limit: int, now: Now) -> Deferred[int]:
        """End up to ``limit`` queued commands whose time to live is over; returns how many."""

    def lapse(limit: int, now: Now) -> Deferred[int]:
        """End, or queue again, up to ``limit`` commands whose lease ran out; returns how many."""

    def report_suppressed(now: Now) -> Deferred[None]:
        """Write the events that stand for those which were suppressed in minutes that have ended, if any."""

    def renew(now: Now) -> Deferred[None]:
        """Give every open lease, and every grace period of an offline device, its whole time again: the server could
        not receive what devices sent.
        """

    def command(command: str) -> Deferred[Command]:
        """A command with its payload and result.

        :raises UnknownCommand: if there is none.
        """

    def commands(which: CommandFilter, before: str | None, limit: int) -> Deferred[list[Command]]:
        """Commands without payloads and results, newest first, from the one before the id ``before`` on."""

    def add_device(device: Device, introduced: bool, now: Now) -> Deferred[Device]:
        """Add a device. ``introduced``: the device is added because it polled, and if it exists, that one is returned.

        :raises DeviceKnown: if it exists and was not ``introduced``.
        """

    def change_device(device: str, changes: Mapping[str, Any], now: Now) -> Deferred[Device]:
        """Change fields of a device by name.

        :raises UnknownDevice: if there is none.
        """

    def forget_device(device: str, now: Now) -> Deferred[None]:
        """Delete a device and its proofs; its queued commands are cancelled, those in flight become unknown.

        :raises UnknownDevice: if there is none.
        """

    def set_presence(device: str, presence: PresenceState, now: Now) -> Deferred[None]:
        """Record that a device came online or signed off, and clear the alerts that said it was offline."""

    def save_last_seen(updates: Sequence[LastSeen]) -> Deferred[None]:
        """Save when, and from where, devices were last seen."""

    def save_conflict(device: str, data: Mapping[str, Any], now: Now) -> Deferred[None]:
        """Record the event that two devices may share one id."""

    def devices(which: DeviceFilter, after: str | None, limit: int) -> Deferred[list[tuple[Device, QueueDepth]]]:
        """Devices with their queue depths, by id, from the one after the id ``after`` on."""

    def has_queued(device: str) -> bool:
        """Whether a device has commands queued, by what is committed and in memory."""

    def next_due(device: str, now: Now) -> int | None:
        """When the next command of a device becomes due, in wall milliseconds, now at the earliest; None: never."""

    def devices_with_queue() -> list[str]:
        """The devices that have commands queued."""

    def queue_depth(device: str) -> QueueDepth:
        """How many commands of a device are queued, and how many in flight, by what is committed and in memory."""

    def orphans(device: str, before: int | None, limit: int) -> Deferred[list[Orphan]]:
        """Orphan results of a device, newest first, from the one before the id ``before`` on."""

    def add_proof(device: str, kind: ProofKind, digest: bytes, overlap: float, now: Now) -> Deferred[list[Proof]]:
        """Give a device a new secret or API key, stored as the SHA-256 ``digest``; the old one stays valid for
        ``overlap`` seconds. Returns all proofs of the device.

        :raises UnknownDevice: if there is none.
        """

    def set_token(token: Token, now: Now) -> Deferred[None]:
        """Add an admin token; it replaces the one of the same name."""

    def events(which: EventFilter, after: int, limit: int) -> Deferred[EventPage]:
        """Events in order, from the one after the ``seq`` ``after`` on; 0: from the oldest that is kept.

        :raises EventsPurged: if events after ``after`` were purged already.
        :raises InvalidQuery: if ``after`` is beyond the newest event.
        """

    def last_event() -> Deferred[int]:
        """The ``seq`` of the newest event; 0 if there was none yet."""

    # Offline devices and alerts

    def mark_offline(devices: Mapping[str, str | None], rules: AlertRules, now: Now) -> Deferred[None]:
        """Mark these devices offline, but for those that are not online; start the grace period of approved ones.

        With each device comes the address from which it was last seen, which may not be stored yet; None: as stored.
        """

    def raise_alerts(rules: AlertRules, limit: int, now: Now) -> Deferred[int]:
        """Raise the alerts of up to ``limit`` devices whose grace period is over, and clear up to ``limit`` alerts of
        devices that no longer flap; the greater of both counts: if it is ``limit``, more may be due.
        """

    def acknowledge_alert(alert: int, by: str, now: Now) -> Deferred[Alert]:
        """Record who takes care of an alert; an alert that was acknowledged before stays as it is.

        :raises UnknownAlert: if there is none.
        """

    def alerts(is_open: bool | None, before: int | None, limit: int) -> Deferred[list[Alert]]:
        """Alerts, newest first, from the one before the id ``before`` on; ``is_open`` None: open and cleared ones."""

    def due_mails(limit: int, now: Now) -> Deferred[list[Alert]]:
        """Up to ``limit`` alerts about which a mail is due, oldest first."""

    def save_mailed(alert: int, error: str | None, rules: AlertRules, now: Now) -> Deferred[None]:
        """Save that a mail about an alert was sent, and when the next one is due, if ever; ``error`` says which
        recipients did not get it.
        """

    def save_mail_error(alert: int, error: str) -> Deferred[None]:
        """Save why no recipient has the mail about an alert; it stays due."""

    # Webhooks and their delivery log

    def add_webhook(webhook: Webhook, secret: str) -> Deferred[Subscription]:
        """Add a webhook; it receives events from the next one on.

        :raises TooManyWebhooks: if there are :data:`pushd.model.webhook.MAX_WEBHOOKS`.
        """

    def change_webhook(webhook: str, changes: Mapping[str, Any]) -> Deferred[Subscription]:
        """Change fields by name; after a change of the URL, failed deliveries are retried at once.

        :raises UnknownWebhook: if there is none.
        """

    def delete_webhook(webhook: str, now: Now) -> Deferred[None]:
        """Delete a webhook, its secrets and its delivery log.

        :raises UnknownWebhook: if there is none.
        """

    def rotate_secret(webhook: str, secret: str, overlap: float, now: Now) -> Deferred[Subscription]:
        """Sign with a new secret; for ``overlap`` seconds messages are signed with the old one, too.

        :raises UnknownWebhook: if there is none.
        """

    def redeliver(webhook: str, after: int | None, now: Now) -> Deferred[Subscription]:
        """Enable a webhook, and deliver all events after the ``seq`` ``after`` again; None: continue where it stopped.

        :raises UnknownWebhook: if there is none.
        :raises InvalidFields: if ``after`` is beyond the newest event.
        """

    def save_progress(progress: Progress, attempt: Attempt | None) -> Deferred[bool]:
        """Save how far delivery got, and its latest attempt; False, and nothing was saved, if an operator changed the
        webhook meanwhile.
        """

    def disable_webhook(
        progress: Progress, attempt: Attempt, reason: str, rules: AlertRules, now: Now
    ) -> Deferred[bool]:
        """Save progress as :meth:`save_progress` does, and disable the webhook, with an event and an alert."""

    def webhook(webhook: str) -> Deferred[Webhook]:
        """One webhook.

        :raises UnknownWebhook: if there is none.
        """

    def webhooks(after: str | None, limit: int) -> Deferred[list[Webhook]]:
        """Up to ``limit`` webhooks, by id, from the one after the id ``after`` on."""

    def subscriptions() -> Deferred[list[Subscription]]:
        """All webhooks, with what is needed to deliver to them."""

    def deliveries(webhook: str, before: int | None, limit: int) -> Deferred[list[LoggedAttempt]]:
        """The delivery log of a webhook, newest first, from the entry before the id ``before`` on.

        :raises UnknownWebhook: if there is none.
        """
