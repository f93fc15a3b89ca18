"""Mails alerts: sends the mails that are due, and retries until the mail server has accepted each of them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from math import inf

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pushd.core.clocks import Clocks
from pushd.core.notification_tester import RecipientReply
from pushd.core.waiters import Waiters
from pushd.lib.background import in_background
from pushd.lib.backoff import Backoff
from pushd.lib.text import one_line
from pushd.model.alert import Alert, AlertRules
from pushd.model.errors import PushdError
from pushd.model.event import Event, EventType
from pushd.model.links import NO_LINKS, Links
from pushd.notifications.known_devices import KnownDevices
from pushd.notifications.mail.message import Envelope, write_mail, write_test_mail
from pushd.notifications.mail.recipients import Recipient, addresses, recipients_of
from pushd.notifications.mail.smtp import MailTransport, SmtpError, SmtpResult
from pushd.notifications.ownership import OwnershipTerm
from pushd.store.interface import IStore

INTERVAL = 15.0
"""Seconds between two checks for due mails if no alert is raised: for reminders, and for deferred recipients."""

LIMIT = 100
"""Due mails that are read at once."""

GIVE_UP_AFTER = 5 * 86400.0
"""Seconds for which a mail that other recipients have is retried for a deferred one (RFC 5321 section 4.5.4.1)."""

MAX_MAIL_BACKOFF = 3600.0
"""Seconds between two attempts at most for a mail that cannot be written, or that every recipient refused."""

MAX_ERROR = 1000
"""Characters of a ``mail_error`` at most."""


@define(eq=False)
class PendingMail:
    """A mail that was tried and is not done.

    ``began`` is when the first attempt was made, in seconds of the clock; ``recipients`` are the addresses that get
    it; ``backoff`` delays the next attempt if this mail cannot be written, or every recipient refused it.
    """

    began: float
    recipients: tuple[str, ...]
    backoff: Backoff
    accepted: set[str] = field(factory=set)
    """The recipients for whom the server accepted it."""
    refused: dict[str, str] = field(factory=dict)
    """The recipients for whom it refused it with 5xx, and its replies."""
    deferred: dict[str, str] = field(factory=dict)
    """The recipients for whom it deferred it with 4xx, and its latest replies."""
    failures: int = 0
    """Attempts in which no recipient got it, and that may have failed because of this mail."""

    @property
    def error(self) -> str | None:
        """Why some recipients did not get it; None if all did."""
        replies = "; ".join(f"{recipient}: {reply}" for recipient, reply in (self.refused | self.deferred).items())
        return one_line(replies, MAX_ERROR) or None


class _NotOwner(Exception):
    """Another process owns the mails, or may do so."""


MailKey = tuple[int, bool]
"""An alert's id, and whether the mail is about the cleared alert."""


def _key(alert: Alert) -> MailKey:
    return alert.id, alert.cleared_at is not None


@define(eq=False)
class MailNotifier(Service):
    """Sends one mail at a time. A mail stays due in the store until it is sent, so that a restart loses none.

    Of processes that share a database, one mails all alerts. If another one takes over, a mail that was being sent may
    be sent twice, and one that some recipients had not accepted yet is sent again to all of them.
    """

    store: IStore
    clocks: Clocks
    rules: AlertRules
    sender: str
    recipients: Sequence[Recipient]
    known_devices: KnownDevices
    transport: MailTransport
    rand: Callable[[], float]
    links: Links = NO_LINKS
    interval: float = INTERVAL
    title: str = "mails"
    _changes: Waiters[None] = field(init=False)
    _backoff: Backoff = field(init=False)
    """Of the mail server."""
    _recipient_backoff: dict[str, Backoff] = field(init=False)
    _pending: dict[MailKey, PendingMail] = field(factory=dict, init=False)
    _error: str | None = field(default=None, init=False)
    """Why the latest attempt failed, as it was logged; None if it did not."""
    _next_step_at: float = field(default=0.0, init=False)
    """When the next step is due, in seconds of the clock."""
    _term: OwnershipTerm = field(init=False)
    """For how long this process owns the mails."""
    _is_active: bool = field(default=False, init=False)
    """Whether it sends them."""
    _task: "Deferred[None] | None" = field(default=None, init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        backoff = partial(Backoff, self.clocks.clock, self.rand)
        self._changes = Waiters(self.clocks.clock)
        self._term = OwnershipTerm(self.clocks, self.store.membership().is_shared(), self._lose)
        self._backoff, self._recipient_backoff = backoff(), defaultdict(backoff)
        self.store.subscribe(self._alert_changed, EventType.ALERT_RAISED, EventType.ALERT_CLEARED)

    def startService(self) -> None:
        """Start sending mails, if no other process can do that; else once it is known that this one owns them."""
        super().startService()
        if not self._term.is_shared:
            self._term.renew(self._term.ask())
            self._begin()

    def stopService(self) -> None:
        """Stop; a mail that is being sent is abandoned, and sent again after the next start."""
        super().stopService()
        self._end()

    async def renew(self) -> None:
        """Own the mails, when that is due, if no other process does.

        :raises Unavailable: if that is not possible; no mail is sent when another process takes over.
        """
        if not self.running or not self._term.is_due():
            return
        asked_at = self._term.ask()
        is_owner = await self.store.own_mails()
        if not is_owner or not self.running:
            self._end()
            self._term.wait(asked_at)
            return
        self._term.renew(asked_at)
        if not self._is_active:
            self._begin()

    def _begin(self) -> None:
        self._is_active = True
        self._expect_next_step(0)
        self._task = in_background(self._run())

    def _end(self) -> None:
        task, self._task = self._task, None
        self._is_active, self._next_step_at = False, inf
        self._term.cancel()
        self._pending.clear()  # another process tries these again, for all recipients
        if task is not None:
            task.cancel()

    def _lose(self) -> None:
        """The ownership was not renewed in time: another process may send the mails."""
        self._log.warn("Mails stopped: the store could not be reached in time, another process may take over")
        self._end()
        self._term.make_due()

    async def send_test(self) -> Sequence[RecipientReply]:
        """Send a mail that is about no alert to all recipients; what the mail server replied about each."""
        envelope = Envelope(sender=self.sender, recipients=addresses(self.recipients))
        mail = write_test_mail(envelope, self.clocks.now(), self.links)
        try:
            result = await self.transport.send(envelope, mail)
        except SmtpError as error:
            return [RecipientReply(address=to, accepted=False, reply=str(error)) for to in envelope.recipients]
        replies = {**result.accepted, **result.deferred, **result.refused}
        return [
            RecipientReply(address=to, accepted=to in result.accepted, reply=replies[to]) for to in envelope.recipients
        ]

    def stuck(self, seconds: float) -> bool:
        """Whether the next check or attempt is overdue for longer than ``seconds``."""
        return self.clocks.clock.seconds() - self._next_step_at > seconds

    async def _run(self) -> None:
        while self._is_active:
            changed = self._changes.wait(None, self.interval)  # before the check, so that no alert is missed
            try:
                await self._send_due_mails()
                delay = self._backoff.remaining
                self._expect_next_step(delay or self.interval)
                await (deferLater(self.clocks.clock, delay) if delay else changed)
            except _NotOwner:
                self._is_active = False
                self._term.make_due()
            finally:
                changed.cancel()

    async def _send_due_mails(self) -> None:
        try:
            progress = True
            while progress:  # there may be more than were read at once
                progress = any([await self._deliver(alert) for alert in await self._due()])
        except _NotOwner:
            raise
        except (SmtpError, PushdError) as error:
            self._record_failure(str(error))
        except Exception as error:
            if not self._is_active and isinstance(error, CancelledError):
                raise
            self._log.failure("Unhandled exception while a mail was sent, will retry")
            self._record_failure(repr(error))

    async def _due(self) -> Sequence[Alert]:
        """The alerts to mail; last those whose mail may be the reason that attempts fail, so that they block none."""
        # mails that wait must not hide others
        due = await self.store.due_mails(LIMIT + len(self._pending))
        tried = {key: self._pending[key] for key in map(_key, due) if key in self._pending}
        self._pending = tried
        return sorted(due, key=lambda alert: tried[_key(alert)].failures if _key(alert) in tried else 0)

    async def _deliver(self, alert: Alert) -> bool:
        """Send a mail to its outstanding recipients, except those whose backoff has not ended; whether it is done."""
        if self._term.has_ended():  # the process was stopped until another one could take over
            raise _NotOwner
        self._expect_next_step(0)
        pending = self._pending.get(_key(alert)) or await self._new_pending(alert)
        if not pending.recipients:
            self._check_saved(await self.store.skip_mail(alert.id))
            return True
        if pending.backoff.remaining:
            return False
        recipients = pending.recipients
        settled = pending.accepted | pending.refused.keys()
        outstanding = tuple(to for to in recipients if to not in settled and not self._recipient_backoff[to].remaining)
        if outstanding:
            await self._try(alert, pending, outstanding)
        expired = self.clocks.clock.seconds() >= pending.began + GIVE_UP_AFTER
        complete = len(pending.accepted) + len(pending.refused) == len(recipients)
        if pending.accepted and (complete or expired):
            self._check_saved(await self.store.save_mailed(alert, pending.error, self.rules))
            return True
        if pending.refused and complete:
            await self._start_over(alert, pending, str(pending.error))
        return False

    async def _new_pending(self, alert: Alert) -> PendingMail:
        clock = self.clocks.clock
        recipients = await recipients_of(alert, self.recipients, self.known_devices)
        pending = PendingMail(clock.seconds(), recipients, Backoff(clock, self.rand, MAX_MAIL_BACKOFF))
        self._pending[_key(alert)] = pending
        return pending

    async def _start_over(self, alert: Alert, pending: PendingMail, error: str) -> None:
        """Save why no recipient got a mail, and try all of them again later."""
        pending.refused.clear()
        pending.failures += 1
        pending.backoff.record_failure()
        self._log.warn(
            "No recipient got the mail about alert {alert_id}, will retry: {error}",
            alert_id=alert.public_id,
            error=error,
        )
        self._check_saved(await self.store.save_mail_error(alert.id, error))

    def _check_saved(self, is_owner: bool) -> None:
        """End if nothing was saved.

        :raises _NotOwner: if another process owns the mails now.
        """
        if not is_owner:
            raise _NotOwner

    async def _try(self, alert: Alert, pending: PendingMail, recipients: tuple[str, ...]) -> None:
        """Send a mail once, and keep the outcome; one that cannot be written or sent is passed over for now.

        :raises SmtpError: if the server accepts no mail at all.
        """
        try:
            whole = Envelope(sender=self.sender, recipients=pending.recipients)
            mail = write_mail(alert, self.known_devices.find, whole, self.clocks.now(), self.links)
            result = await self.transport.send(evolve(whole, recipients=recipients), mail)
        except SmtpError as error:
            pending.failures += error.during_content
            raise
        except Exception as error:
            if not self._is_active and isinstance(error, CancelledError):
                raise
            self._log.failure(
                "Unhandled exception while the mail about alert {alert_id} was sent", alert_id=alert.public_id
            )
            await self._start_over(alert, pending, one_line(f"cannot be sent: {error!r}", MAX_ERROR))
            return
        self._record_success()
        self._record_result(alert, pending, recipients, result)

    def _record_result(
        self, alert: Alert, pending: PendingMail, recipients: tuple[str, ...], result: SmtpResult
    ) -> None:
        pending.refused |= result.refused
        pending.accepted |= set(recipients) - result.refused.keys() - result.deferred.keys()
        pending.failures += len(result.deferred) == len(recipients)
        for to in recipients:
            if to in result.deferred:
                pending.deferred[to] = result.deferred[to]
                self._recipient_backoff[to].record_failure()
            else:
                pending.deferred.pop(to, None)
                self._recipient_backoff[to].reset()
        for to, reply in result.refused.items():
            self._log.error(
                "Mail about alert {alert_id} refused for {recipient}: {reply}",
                alert_id=alert.public_id,
                recipient=to,
                reply=reply,
            )
        for to, reply in result.deferred.items():
            self._log.warn(
                "Mail about alert {alert_id} deferred for {recipient}, will retry: {reply}",
                alert_id=alert.public_id,
                recipient=to,
                reply=reply,
            )

    def _alert_changed(self, _event: Event) -> None:
        self._changes.notify(None)

    def _expect_next_step(self, seconds: float) -> None:
        """The next step is due in so many seconds."""
        self._next_step_at = self.clocks.clock.seconds() + seconds

    def _record_failure(self, error: str) -> None:
        self._backoff.record_failure()
        if error != self._error:
            self._log.error("SMTP delivery failing, alerts queued: {error}", error=error)
        self._error = error

    def _record_success(self) -> None:
        self._backoff.reset()
        if self._error is not None:
            self._log.info("SMTP delivery works again")
        self._error = None
