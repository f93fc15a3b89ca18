"""Mails alerts: sends the mails that are due, and retries until the mail server has accepted each of them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pushd.core.clocks import Clocks
from pushd.core.waiters import Waiters
from pushd.lib.background import in_background
from pushd.lib.backoff import Backoff
from pushd.lib.text import one_line
from pushd.model.alert import Alert, AlertRules
from pushd.model.errors import PushdError
from pushd.model.event import Event, EventType
from pushd.notifications.mail.message import Envelope, FindDevice, write_mail
from pushd.notifications.mail.smtp import MailTransport, SmtpError, SmtpResult
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

    ``began`` is when the first attempt was made, in seconds of the clock; ``backoff`` delays the next one if this mail
    cannot be written, or every recipient refused it.
    """

    began: float
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


@define(eq=False)
class MailNotifier(Service):
    """Sends one mail at a time. A mail stays due in the store until it is sent, so that a restart loses none."""

    store: IStore
    clocks: Clocks
    rules: AlertRules
    envelope: Envelope
    find_device: FindDevice
    transport: MailTransport
    rand: Callable[[], float]
    interval: float = INTERVAL
    title: str = "mails"
    _raised: Waiters[None] = field(init=False)
    _backoff: Backoff = field(init=False)
    """Of the mail server."""
    _recipient_backoff: dict[str, Backoff] = field(init=False)
    _pending: dict[int, PendingMail] = field(factory=dict, init=False)
    """By the alert's id."""
    _error: str | None = field(default=None, init=False)
    """Why the latest attempt failed, as it was logged; None if it did not."""
    _next_step_at: float = field(default=0.0, init=False)
    """When the next step is due, in seconds of the clock."""
    _task: "Deferred[None] | None" = field(default=None, init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        backoff = partial(Backoff, self.clocks.clock, self.rand)
        self._raised = Waiters(self.clocks.clock)
        self._backoff, self._recipient_backoff = backoff(), defaultdict(backoff)
        self.store.subscribe(self._alert_raised, EventType.ALERT_RAISED)

    def startService(self) -> None:
        """Start sending mails."""
        super().startService()
        self._expect_next_step(0)
        self._task = in_background(self._run())

    def stopService(self) -> None:
        """Stop; a mail that is being sent is abandoned, and sent again after the next start."""
        super().stopService()
        if self._task is not None:
            self._task.cancel()

    def stuck(self, seconds: float) -> bool:
        """Whether the next check or attempt is overdue for longer than ``seconds``."""
        return self.clocks.clock.seconds() - self._next_step_at > seconds

    async def _run(self) -> None:
        while self.running:
            raised = self._raised.wait(None, self.interval)  # before the check, so that no alert is missed
            try:
                await self._send_due_mails()
                delay = self._backoff.remaining
                self._expect_next_step(delay or self.interval)
                await (deferLater(self.clocks.clock, delay) if delay else raised)
            finally:
                raised.cancel()

    async def _send_due_mails(self) -> None:
        try:
            progress = True
            while progress:  # there may be more than were read at once
                progress = any([await self._deliver(alert) for alert in await self._due()])
        except (SmtpError, PushdError) as error:
            self._record_failure(str(error))
        except Exception as error:
            if not self.running and isinstance(error, CancelledError):
                raise
            self._log.failure("Unhandled exception while a mail was sent, will retry")
            self._record_failure(repr(error))

    async def _due(self) -> Sequence[Alert]:
        """The alerts to mail; last those whose mail may be the reason that attempts fail, so that they block none."""
        # mails that wait must not hide others
        due = await self.store.due_mails(LIMIT + len(self._pending), self.clocks.now())
        self._pending = {alert.id: self._pending[alert.id] for alert in due if alert.id in self._pending}
        return sorted(due, key=lambda alert: self._pending[alert.id].failures if alert.id in self._pending else 0)

    async def _deliver(self, alert: Alert) -> bool:
        """Send a mail to its outstanding recipients, except those whose backoff has not ended; whether it is done."""
        self._expect_next_step(0)
        pending = self._pending.setdefault(alert.id, self._new_pending())
        if pending.backoff.remaining:
            return False
        recipients = self.envelope.recipients
        settled = pending.accepted | pending.refused.keys()
        outstanding = tuple(to for to in recipients if to not in settled and not self._recipient_backoff[to].remaining)
        if outstanding:
            await self._try(alert, pending, outstanding)
        expired = self.clocks.clock.seconds() >= pending.began + GIVE_UP_AFTER
        complete = len(pending.accepted) + len(pending.refused) == len(recipients)
        if pending.accepted and (complete or expired):
            await self.store.save_mailed(alert.id, pending.error, self.rules, self.clocks.now())
            return True
        if pending.refused and complete:
            await self._start_over(alert, pending, str(pending.error))
        return False

    def _new_pending(self) -> PendingMail:
        clock = self.clocks.clock
        return PendingMail(clock.seconds(), Backoff(clock, self.rand, MAX_MAIL_BACKOFF))

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
        await self.store.save_mail_error(alert.id, error)

    async def _try(self, alert: Alert, pending: PendingMail, recipients: tuple[str, ...]) -> None:
        """Send a mail once, and keep the outcome; one that cannot be written or sent is passed over for now.

        :raises SmtpError: if the server accepts no mail at all.
        """
        try:
            mail = write_mail(alert, self.find_device, self.envelope, self.clocks.now())
            result = await self.transport.send(evolve(self.envelope, recipients=recipients), mail)
        except SmtpError as error:
            pending.failures += error.during_content
            raise
        except Exception as error:
            if not self.running and isinstance(error, CancelledError):
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

    def _alert_raised(self, _event: Event) -> None:
        self._raised.notify(None)

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
