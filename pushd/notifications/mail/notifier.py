"""The postman: takes the mails that are due to the mail server, in order, until each has arrived."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from attrs import define, evolve, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pushd.core.clocks import Clocks
from pushd.core.waiters import Waiters
from pushd.lib.backoff import Backoff
from pushd.model.alert import Alert, AlertRules
from pushd.model.errors import PushdError
from pushd.model.event import Event, EventType
from pushd.notifications.mail.message import Envelope, LookUp, write_mail
from pushd.notifications.mail.smtp import MailTransport, SmtpError
from pushd.store.interface import IStore

LOOK = 15.0
"""Seconds between two looks at which mails are due, if no alert is raised: reminders are, and whoever was deferred."""

LIMIT = 100
"""Mails looked for at once."""

GIVE_UP = 5 * 86400.0
"""Seconds for which a recipient may defer a mail that others have (RFC 5321 section 4.5.4.1)."""


@frozen
class PartialDelivery:
    """A mail that some have, or can never have, since ``began`` (seconds of the clock); the others deferred it."""

    began: float
    settled: frozenset[str] = frozenset()


@define(eq=False)
class MailNotifier(Service):
    """Sends one mail at a time; what he does not get rid of stays due in the store, so that a restart loses
    nothing.
    """

    store: IStore
    clocks: Clocks
    rules: AlertRules
    envelope: Envelope
    look_up: LookUp
    carrier: MailTransport
    rand: Callable[[], float]
    look: float = LOOK
    title: str = "mails"
    _raised: Waiters[None] = field(init=False)
    _server: Backoff = field(init=False)
    _recipients: dict[str, Backoff] = field(init=False)
    _partly: dict[int, PartialDelivery] = field(factory=dict, init=False)
    _trouble: str | None = field(default=None, init=False)
    _expected: float = field(default=0.0, init=False)
    """When he moves next, at the latest, in seconds of the clock."""
    _running: "Deferred[None] | None" = field(default=None, init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        rest = partial(Backoff, self.clocks.clock, self.rand)
        self._raised, self._server, self._recipients = Waiters(self.clocks.clock), rest(), defaultdict(rest)
        self.store.subscribe(self._heard, EventType.ALERT_RAISED)

    def startService(self) -> None:
        """Begin to look for mails."""
        super().startService()
        self._moves(0)
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(lambda failure: failure.trap(CancelledError) and None)

    def stopService(self) -> None:
        """Stop; a mail that is on its way is sent again after the next start."""
        super().stopService()
        if self._running is not None:
            self._running.cancel()

    def stuck(self, seconds: float) -> bool:
        """Whether he should have looked for mails, or tried again to send some, and did not, for longer than that."""
        return self.clocks.clock.seconds() - self._expected > seconds

    async def _run(self) -> None:
        while self.running:
            raised = self._raised.wait(None, self.look)  # before he looks: what is raised meanwhile is not missed
            try:
                await self._round()
                if not self.running:
                    return
                rest = self._server.remaining
                self._moves(rest or self.look)
                await (deferLater(self.clocks.clock, rest) if rest else raised)
            finally:
                raised.cancel()

    async def _round(self) -> None:
        try:
            while any([await self._bring(alert) for alert in await self._due()]):
                pass
        except CancelledError:
            raise
        except (SmtpError, PushdError) as error:
            if self.running:
                self._fails(str(error))
        except Exception as error:
            self._log.failure("A mail could not be sent")
            self._fails(repr(error))

    async def _due(self) -> Sequence[Alert]:
        # those that only wait for a recipient do not keep others from being seen
        due = await self.store.due_mails(LIMIT + len(self._partly), self.clocks.now())
        self._partly = {alert.id: self._partly[alert.id] for alert in due if alert.id in self._partly}
        return due

    async def _bring(self, alert: Alert) -> bool:
        """Bring a mail to those who have not had it and do not rest; whether it needs no further attention."""
        self._moves(0)
        everybody = self.envelope.recipients
        partly = self._partly.get(alert.id) or PartialDelivery(self.clocks.clock.seconds())
        awake = tuple(to for to in everybody if to not in partly.settled and not self._recipients[to].remaining)
        if awake:
            partly = evolve(partly, settled=partly.settled | await self._send(alert, awake))
        if not partly.settled:
            return False
        self._partly[alert.id] = partly
        if len(partly.settled) < len(everybody) and self.clocks.clock.seconds() < partly.began + GIVE_UP:
            return False
        await self.store.save_mailed(alert.id, self.rules, self.clocks.now())
        return True

    async def _send(self, alert: Alert, recipients: tuple[str, ...]) -> frozenset[str]:
        """Those of the recipients who have the mail now, or can never have it.

        :raises NotTaken: if the server takes none.
        """
        mail = write_mail(alert, self.look_up, self.envelope, self.clocks.wall_now())
        taken = await self.carrier.send(evolve(self.envelope, recipients=recipients), mail)
        self._works()
        for to in recipients:
            if to in taken.deferred:
                self._recipients[to].record_failure()
            else:
                self._recipients[to].reset()
        for to, why in taken.refused.items():
            self._log.error("The mail about alert {alert} was refused for {to}: {why}", alert=alert.id, to=to, why=why)
        for to, why in taken.deferred.items():
            self._log.warn("The mail about alert {alert} waits for {to}: {why}", alert=alert.id, to=to, why=why)
        return frozenset(recipients) - taken.deferred.keys()

    def _heard(self, _event: Event) -> None:
        self._raised.notify(None)

    def _moves(self, seconds: float) -> None:
        self._expected = self.clocks.clock.seconds() + seconds

    def _fails(self, why: str) -> None:
        self._server.record_failure()
        if why != self._trouble:
            self._log.error("Mails cannot be sent, and wait: {why}", why=why)
        self._trouble = why

    def _works(self) -> None:
        self._server.reset()
        if self._trouble is not None:
            self._log.info("Mails are sent again")
        self._trouble = None
