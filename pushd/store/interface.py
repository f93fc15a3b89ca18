"""IStore: the interface of durable storage."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from pushd.model.actor import Actor
from pushd.model.alert import Alert, AlertRules
from pushd.model.audit import AuditEntry, Fields
from pushd.model.command import Command, Dispatched, Draft
from pushd.model.device import Device, LastSeen, Orphan, PresenceState, ProofKind, QueueDepth
from pushd.model.dialect import Batchable, never
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import Move
from pushd.model.person import Invitation, Person
from pushd.model.rejection import Rejection
from pushd.model.result import DeviceResult
from pushd.model.session import Session
from pushd.model.timestamps import Now
from pushd.model.token import Token
from pushd.model.webhook import Attempt, LoggedAttempt, Progress, Subscription, Webhook
from pushd.rules.outcomes import Claim, Settlement
from pushd.store.copies import ICopies, StoredDevice, StoredToken
from pushd.store.filters import (
    AlertFilter,
    AuditFilter,
    CommandContext,
    CommandFilter,
    Counts,
    DeviceFilter,
    EventFilter,
    EventPage,
    Principals,
    SiteSummary,
    StartOptions,
    StartupSnapshot,
    Violation,
)
from pushd.store.membership import IMembership
from pushd.store.ownership import OwnedWebhooks

Listener = Callable[[Event], None]
"""Called with an event after its commit."""


class IStore(Interface):
    """Durable storage. The Deferred of an operation fires after its change was committed and synced to the disk, with
    :exc:`Unavailable` if that failed; to cancel it does not cancel the change.

    A store is made with its clock, which it reads once for each transaction, when that has begun; ids of commands are
    made then, too. Ids, and the ``by`` of an operator, are strings; ``limit`` bounds how many items one call returns
    or changes. Where the outcome of a commit is not known, the Deferred fails with :exc:`OutcomeInDoubt`.
    """

    def open(options: StartOptions = ...) -> StartupSnapshot:
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

    def keep_copies(copies: ICopies) -> None:
        """Tell ``copies`` from now on what other processes on the same database have changed."""

    def principals() -> Deferred[Principals]:
        """All tokens, people and sessions, after what was submitted before."""

    def by(actor: Actor | None) -> "IStore":
        """The same store, for what an actor changes: the events of that name the actor, and it is in the audit log;
        None: for what the server itself changes.
        """

    def save_rejections(newest: Sequence[Rejection]) -> Deferred[None]:
        """Let other processes know what the device port of this one has refused, in place of what they knew before."""

    def rejections_elsewhere() -> Deferred[Mapping[str, Sequence[Rejection]]]:
        """What the device ports of other processes have refused, as they have saved it, by the names of these."""

    def membership() -> IMembership:
        """What there is to know of other processes that use the database."""

    def time_commits(observe: Callable[[float], None]) -> None:
        """Call ``observe``, on any thread, with the seconds that each further commit took."""

    def schema_version() -> int:
        """The version of the database schema that this program uses."""

    def counts(covers: Callable[[str], bool] | None) -> Deferred[Counts]:
        """How many devices there are, and commands that are queued or unknown.

        ``covers``: of the devices of which it is true; it is called on another thread.
        """

    def check() -> Deferred[None]:
        """Commit a small change, to see whether the store works."""

    def put(draft: Draft, queue_signed_off: bool, max_queued: int) -> Deferred[tuple[Command, bool]]:
        """Queue a command, under an id greater than those of its device; True if it was created, False if it is the
        earlier one with the same idempotency key.

        ``queue_signed_off``: queue it even if the device has signed off; ``max_queued``: how many commands may be
        queued for the device.

        :raises UnknownDevice: or :exc:`DeviceBlocked`, :exc:`DeviceSignedOff`, :exc:`KeyReused`, :exc:`QueueFull`.
        """

    def earlier(created_by: str, device: str, key: str, fingerprint: bytes | None) -> Deferred[Command | None]:
        """The command that :meth:`put` would return for a draft with this idempotency key; None: it would create one.

        :raises KeyReused: if the key came with another fingerprint.
        """

    def claim(
        device: str,
        uuid: str | None,
        one_at_a_time: bool,
        limit: int,
        batchable: Batchable = never,
        revision: int | None = None,
    ) -> Deferred[Claim]:
        """Move the next queued command of an approved device to ``sent``: highest priority first, then the oldest.

        ``uuid`` is the device's own name for the poll. ``one_at_a_time``: nothing is claimed for a poll that repeats
        the ``uuid`` under which a command is in flight. Up to ``limit`` commands are claimed together if ``batchable``
        is true of the payload of each, else one. ``revision`` is that of the device by which its poll was admitted, or
        :data:`pushd.model.device.UNKNOWN_REVISION`; None: it is not compared.

        :raises AdmissionChanged: if it is another one.
        """

    def unsend(dispatched: Sequence[Dispatched]) -> Deferred[None]:
        """Return claimed commands to the queue: their connection was lost before any byte of them was written."""

    def acknowledge(device: str, command: str, revision: int | None = None) -> Deferred[None]:
        """Record that the device has received the command, and renew its lease; does nothing if the command is not one
        that this device may acknowledge. ``revision``: see :meth:`claim`.

        :raises AdmissionChanged: as :meth:`claim`.
        """

    def settle(device: str, report: DeviceResult, revision: int | None = None) -> Deferred[Settlement]:
        """Match a device's result with its commands, and end them; a result that matches none is kept as an orphan.
        ``revision``: see :meth:`claim`.

        :raises AdmissionChanged: as :meth:`claim`.
        """

    def cancel(command: str) -> Deferred[Command]:
        """Cancel a queued command; of one in flight that could be sent again, the current attempt becomes the last.

        :raises UnknownCommand: or :exc:`IllegalMove`.
        """

    def resolve(command: str, move: Move, note: str | None, by: str) -> Deferred[Command]:
        """Record what an operator, ``by``, knows about a command whose outcome is unknown; ``note`` says how.

        :raises UnknownCommand: or :exc:`IllegalMove`.
        """

    def resend(draft: Draft, queue_signed_off: bool, max_queued: int) -> Deferred[tuple[Command, bool]]:
        """Queue ``draft`` as the successor of ``draft.resend_of``; False with the existing successor if it has one.

        :raises UnknownCommand: or :exc:`IllegalMove`, also if the existing successor was purged; or as :meth:`put`.
        """

    def purge(before: int, limit: int) -> Deferred[int]:
        """Delete ended commands, events, orphan results, deliveries and cleared alerts older than ``before``, in wall
        milliseconds, up to ``limit`` of each, fewer if that takes long; returns how many rows were deleted, 0 when
        none is left.
        """

    def save_clocks(retention_from: int) -> Deferred[None]:
        """Save the clocks for the next start, and drop secrets and keys that have expired; nothing is to be purged
        before ``retention_from``, in elapsed time.
        """

    def save_step(retention_from: int, step: int) -> Deferred[None]:
        """As :meth:`save_clocks`, after the wall clock was set forward by ``step`` milliseconds (negative: back):
        queued commands whose time to live is over by the new wall time stay too old to be sent.
        """

    def command_context(command: str) -> Deferred[CommandContext]:
        """A command with its position in the queue, its lease and its device's sign-off.

        :raises UnknownCommand: if there is none.
        """

    def fsck() -> Deferred[list[Violation]]:
        """Check the consistency of the database."""

    def expire(limit: int) -> Deferred[int]:
        """End up to ``limit`` queued commands whose time to live is over; returns how many."""

    def lapse(limit: int) -> Deferred[int]:
        """End, or queue again, up to ``limit`` commands whose lease ran out; returns how many."""

    def report_suppressed() -> Deferred[None]:
        """Write the events that stand for those which were suppressed in minutes that have ended, if any."""

    def renew() -> Deferred[None]:
        """Give every open lease, and every grace period of an offline device, its whole time again: the server could
        not receive what devices sent.
        """

    def command(command: str) -> Deferred[Command]:
        """A command with its payload and result.

        :raises UnknownCommand: if there is none.
        """

    def commands(which: CommandFilter, before: str | None, limit: int) -> Deferred[list[Command]]:
        """Commands without payloads and results, newest first, from the one before the id ``before`` on."""

    def add_device(device: Device, introduced: bool) -> Deferred[Device]:
        """Add a device. ``introduced``: the device is added because it polled, and if it exists, that one is returned.

        :raises DeviceKnown: if it exists and was not ``introduced``.
        """

    def stored_device(device: str) -> Deferred[StoredDevice | None]:
        """A device with its proofs as they are in the database, or None; another process may just have changed it."""

    def change_device(device: str, changes: Mapping[str, Any]) -> Deferred[Device]:
        """Change fields of a device by name.

        :raises UnknownDevice: if there is none.
        """

    def change_devices(names: Sequence[str], changes: Mapping[str, Any]) -> Deferred[list[Device]]:
        """Change fields of several devices in one transaction, so of a few hundred; those that are known."""

    def forget_device(device: str) -> Deferred[None]:
        """Delete a device and its proofs; its queued commands are cancelled, those in flight become unknown.

        :raises UnknownDevice: if there is none.
        """

    def set_presence(device: str, presence: PresenceState) -> Deferred[PresenceState]:
        """Record that a device came online or signed off, and clear the alerts that said it was offline.

        Returns the presence that is stored then: another one if it was to be online, but another process serves it.
        """

    def save_last_seen(updates: Sequence[LastSeen]) -> Deferred[None]:
        """Save when, and from where, devices were last seen."""

    def save_conflict(device: str, data: Mapping[str, Any]) -> Deferred[None]:
        """Record the event that two devices may share one id."""

    def devices(which: DeviceFilter, after: str | None, limit: int) -> Deferred[list[tuple[Device, QueueDepth]]]:
        """Devices with their queue depths, in the order of the filter, after the :meth:`DeviceFilter.position`
        ``after``.
        """

    def sites(which: DeviceFilter) -> Deferred[list[SiteSummary]]:
        """The sites of all devices that match a filter, by name."""

    def has_queued(device: str) -> bool:
        """Whether a device has commands queued, by what is committed and in memory."""

    def next_due(device: str) -> int | None:
        """When the next command of a device becomes due, in wall milliseconds, now at the earliest; None: never."""

    def devices_with_queue() -> list[str]:
        """The devices that have commands queued."""

    def queue_depth(device: str) -> QueueDepth:
        """How many commands of a device are queued, and how many in flight, by what is committed and in memory."""

    def orphans(device: str, before: int | None, limit: int) -> Deferred[list[Orphan]]:
        """Orphan results of a device, newest first, from the one before the id ``before`` on."""

    def add_proof(device: str, kind: ProofKind, digest: bytes, overlap: float) -> Deferred[StoredDevice]:
        """Give a device a new secret or API key, stored as the SHA-256 ``digest``; the old one stays valid for
        ``overlap`` seconds. Returns the device with all of its proofs.

        :raises UnknownDevice: if there is none.
        """

    def add_token(token: Token, digest: bytes) -> Deferred[Token]:
        """Add a token, whose secret is stored as its SHA-256 ``digest``; returns it as it is stored.

        :raises NameTaken: if there is one of this name.
        :raises TooManyTokens: if there are :data:`pushd.model.token.MAX_TOKENS`.
        """

    def change_token(token: str, changes: Mapping[str, Any]) -> Deferred[Token]:
        """Change fields of a token by name.

        :raises UnknownToken: if there is none, or :exc:`NameTaken`.
        :raises LastAdmin: if no admin token that does not expire would be left.
        """

    def rotate_token(token: str, digest: bytes, overlap: float) -> Deferred[StoredToken]:
        """Give a token a new secret; the current one stays valid for ``overlap`` seconds, and none before it. Returns
        the token with the secrets that are left.

        :raises UnknownToken: if there is none.
        """

    def stored_token(token: str) -> Deferred[StoredToken | None]:
        """A token as it is in the database, or None; another process may just have changed it."""

    def delete_token(token: str) -> Deferred[None]:
        """Revoke a token.

        :raises UnknownToken: if there is none.
        :raises LastAdmin: if no admin token that does not expire would be left.
        """

    def save_token_uses(uses: Mapping[str, int]) -> Deferred[None]:
        """Save when tokens, by their ids, were last used, in wall milliseconds."""

    def add_person(person: Person) -> Deferred[None]:
        """Add a person.

        :raises NameTaken: if a person or a token has this name.
        :raises TooManyPeople: if there are :data:`pushd.model.person.MAX_PEOPLE`.
        """

    def change_person(name: str, changes: Mapping[str, Any]) -> Deferred[Person]:
        """Change fields of a person by name.

        :raises UnknownPerson: if there is none.
        :raises InvalidFields: if the role does not take such selectors.
        """

    def delete_person(name: str) -> Deferred[None]:
        """Delete a person, with sessions and invitation.

        :raises UnknownPerson: if there is none.
        """

    def invite(invitation: Invitation, expires_at: int) -> Deferred[None]:
        """Add an invitation, in place of an earlier one of the same person; ``expires_at`` is its end in wall
        milliseconds.

        :raises UnknownPerson: if there is no such person.
        """

    def add_session(session: Session, invitation: Invitation | None, replaced: Sequence[str]) -> Deferred[None]:
        """Add a session, in place of those with these ids, and use an invitation up.

        :raises NotAuthenticated: if that was used, replaced or withdrawn before.
        """

    def delete_session(session: str) -> Deferred[None]:
        """End a session.

        :raises UnknownSession: if there is none.
        """

    def save_session_uses(uses: Mapping[str, Now]) -> Deferred[Sequence[Session]]:
        """Save when sessions, by their ids, were last used, and delete those that have ended; returns the others."""

    def events(which: EventFilter, after: int, limit: int) -> Deferred[EventPage]:
        """Events in order, from the one after the ``seq`` ``after`` on; 0: from the oldest that is kept.

        :raises EventsPurged: if events after ``after`` were purged already.
        :raises InvalidQuery: if ``after`` is beyond the newest event.
        """

    def audit(which: AuditFilter, after: str, limit: int) -> Deferred[list[AuditEntry]]:
        """Entries of the audit log, oldest first, from the one behind the id ``after`` on;
        :data:`pushd.model.admin_api.START`: from the oldest that is kept.

        :raises EventsPurged: if entries behind ``after`` were purged, or this database never had it.
        :raises InvalidQuery: if ``after`` is no id.
        """

    def record_audit(action: str, what: str, after: Fields | None) -> Deferred[None]:
        """Record an action on an object, ``what``, that changes nothing in the store."""

    def purge_audit(before: int, limit: int) -> Deferred[int]:
        """Delete up to ``limit`` entries of the audit log older than ``before``, in wall milliseconds; how many."""

    def event_before(since: int) -> Deferred[int]:
        """The ``seq`` of an event behind which are all events since a time, in wall milliseconds, and few others; 0:
        all that are kept may be.
        """

    def last_event() -> Deferred[int]:
        """The ``seq`` of the newest event; 0 if there was none yet."""

    # Offline devices and alerts

    def mark_offline(devices: Mapping[str, str | None], rules: AlertRules) -> Deferred[Mapping[str, float]]:
        """Mark these devices offline, but for those that are not online; start the grace period of approved ones.

        With each device comes the address from which it was last seen, which may not be stored yet; None: as stored.

        Returns the devices that stay online because another process serves them, or has seen them, and for how many
        seconds they have been silent.
        """

    def raise_alerts(rules: AlertRules, limit: int) -> Deferred[int]:
        """Raise the alerts of up to ``limit`` devices whose grace period is over, and clear up to ``limit`` alerts of
        devices that no longer flap; the greater of both counts: if it is ``limit``, more may be due.
        """

    def acknowledge_alert(alert: int, by: str) -> Deferred[Alert]:
        """Record who takes care of an alert; an alert that was acknowledged before stays as it is.

        :raises UnknownAlert: if there is none.
        """

    def alert(alert: int) -> Deferred[Alert]:
        """One alert.

        :raises UnknownAlert: if there is none.
        """

    def alerts(
        which: AlertFilter, before: int | None, limit: int, covers: Callable[[str], bool] | None = ...
    ) -> Deferred[list[Alert]]:
        """Alerts, newest first, from the one before the id ``before`` on.

        ``covers`` tells, on any thread, which devices are in scope: of an alert only these are shown.
        """

    def alert_in_scope(alert: int, covers: Callable[[str], bool]) -> Deferred[tuple[Alert, bool]]:
        """An alert with those of its devices that are in scope, and whether these are all.

        :raises UnknownAlert: if there is none, or none of its devices is in scope.
        """

    def due_mails(limit: int) -> Deferred[list[Alert]]:
        """Up to ``limit`` alerts about which a mail is due, oldest first."""

    def own_mails() -> Deferred[bool]:
        """Own the mails for :data:`pushd.store.ownership.OWNED_SECONDS`, if no other process does; whether this one
        does.
        """

    def save_mailed(mailed: Alert, error: str | None, rules: AlertRules) -> Deferred[bool]:
        """Save that a mail was sent about an alert, as it was then, and when the next one is due, if ever: at once if
        the alert was cleared since; ``error`` says which recipients do not have it, and why.

        Like the next two, it saves nothing if another process owns the mails now, and the result is False.
        """

    def skip_mail(alert: int) -> Deferred[bool]:
        """Save that the mail that is due about an alert has no recipients."""

    def save_mail_error(alert: int, error: str) -> Deferred[bool]:
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

    def delete_webhook(webhook: str) -> Deferred[None]:
        """Delete a webhook, its secrets and its delivery log.

        :raises UnknownWebhook: if there is none.
        """

    def rotate_secret(webhook: str, secret: str, overlap: float) -> Deferred[Subscription]:
        """Sign with a new secret; for ``overlap`` seconds messages are signed with the old one, too.

        :raises UnknownWebhook: if there is none.
        """

    def redeliver(webhook: str, after: int | None) -> Deferred[Subscription]:
        """Enable a webhook, and deliver all events after the ``seq`` ``after`` again; None: continue where it stopped.

        :raises UnknownWebhook: if there is none.
        :raises InvalidFields: if ``after`` is beyond the newest event.
        """

    def save_progress(progress: Progress, attempt: Attempt | None) -> Deferred[bool]:
        """Save how far delivery got, and its latest attempt; False, and nothing was saved, if an operator changed the
        webhook meanwhile, or another process took it over.
        """

    def disable_webhook(progress: Progress, attempt: Attempt, reason: str, rules: AlertRules) -> Deferred[bool]:
        """Save progress as :meth:`save_progress` does, and disable the webhook, with an event and an alert."""

    def webhook(webhook: str) -> Deferred[Webhook]:
        """One webhook.

        :raises UnknownWebhook: if there is none.
        """

    def webhooks(after: str | None, limit: int) -> Deferred[list[Webhook]]:
        """Up to ``limit`` webhooks, by id, from the one after the id ``after`` on."""

    def subscription(webhook: str) -> Deferred[Subscription]:
        """One webhook, with what is needed to deliver to it.

        :raises UnknownWebhook: if there is none.
        """

    def subscriptions() -> Deferred[list[Subscription]]:
        """All webhooks, with what is needed to deliver to them."""

    def own_webhooks(held: Mapping[str, int]) -> Deferred[OwnedWebhooks]:
        """Own webhooks for :data:`pushd.store.ownership.OWNED_SECONDS`: those that this process owns, and its share of
        those that no process owns; ``held`` has the revisions that it knows.
        """

    def give_up_webhooks(webhooks: Collection[str]) -> Deferred[None]:
        """Let other processes take webhooks at once."""

    def unowned(seconds: float) -> Deferred[Sequence[str]]:
        """What has something to send, and has been owned by no process for that long."""

    def deliveries(webhook: str, before: int | None, limit: int) -> Deferred[list[LoggedAttempt]]:
        """The delivery log of a webhook, newest first, from the entry before the id ``before`` on.

        :raises UnknownWebhook: if there is none.
        """
