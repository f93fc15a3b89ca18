"""A watch by a clock: a server over a file that can be killed, and whom it tells; both fail half of the time."""

from collections.abc import Callable
from random import Random

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.core.app import Core
from pushd.core.devices.offline_detector import BATCH_SIZE
from pushd.model.alert import Alert
from pushd.model.timestamps import milliseconds
from pushd.notifications.mail.message import Envelope
from pushd.notifications.mail.notifier import MailNotifier
from pushd.notifications.mail.smtp import SmtpError, SmtpResult
from pushd.service import FLUSH_SECONDS
from tests.alerting.town import Town
from tests.in_memory_server import START, InMemoryServer, now
from tests.notifications.webhook_harness import Message, Receiver, WebhookHarness

Told = tuple[str, str | None, int, int, tuple[str, ...]]
"""An alert: its kind, its address, when it was raised and cleared, in seconds, and its devices."""


class MailCarrier:
    """A mail server that fails half of the time."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.mails: list[str] = []

    async def send(self, envelope: Envelope, mail: bytes) -> SmtpResult:
        if self.chance.random() < 0.5:
            raise SmtpError("it is busy")
        self.mails.append(mail.decode())
        return SmtpResult(refused={}, deferred={})

    @property
    def alerts(self) -> list[int]:
        """The alerts that the mails are about."""
        return [int(mail.partition("Message-ID: <alert-")[2].partition(".")[0]) for mail in self.mails]


@define(eq=False, repr=False)
class Watch:
    """A server over a file, started again when it is killed, with whom it tells; a town that polls there."""

    clock: Clock
    build: Callable[[], InMemoryServer]
    addresses: dict[str, str]
    receiver: Receiver = field(factory=Receiver)
    carrier: MailCarrier = field(factory=lambda: MailCarrier(Random(2)))
    town: Town = field(init=False)
    webhooks: WebhookHarness = field(init=False)
    notifier: MailNotifier = field(init=False)
    second: int = field(default=0, init=False)
    failing: bool = field(default=False, init=False)
    """Whether the receiver failed the last time."""

    def __attrs_post_init__(self) -> None:
        self.receiver.answer = self._answer
        self.start()
        self.town = Town(self.addresses, self.core, again=40)

    @property
    def core(self) -> Core:
        """The core that runs now."""
        return self.webhooks.server.core

    def start(self) -> None:
        """Start the server, and whoever tells."""
        ahead = START - self.clock.seconds() + self.second
        server = self.build()
        server.core.clocks.wall = lambda: ahead + self.clock.seconds()  # which goes on over a restart
        self.webhooks = WebhookHarness(server, self.receiver)
        core, envelope = server.core, Envelope(sender="pushd@example.org", recipients=server.config.mail_to)
        rules = server.config.alert_rules
        self.notifier = MailNotifier(
            core.store, core.clocks, rules, envelope, core.registry.get_with_presence, self.carrier, lambda: 0.0
        )
        self.notifier.startService()

    def subscribe(self) -> str:
        """Have the receiver told of alerts; its secret. A second passes."""
        self.second += 1
        secret: str = self.webhooks.subscribe(types=["alert.raised", "alert.cleared"])["secret"]
        return secret

    def kill(self) -> None:
        """Let the server be gone without any notice."""
        for worker in self.webhooks.dispatcher._workers.values():
            worker.abort()
        self.webhooks.dispatcher._workers.clear()
        self.notifier.stopService()
        now(self.core.store.close())

    def restart(self, seconds: int) -> None:
        """The server is killed, and started again later."""
        self.kill()
        self.clock.advance(seconds)
        self.second += seconds
        self.start()
        self.town.move(self.core)

    def tick(self) -> None:
        """Let a second pass; the receiver works again, and says so, if it failed."""
        self.clock.advance(1)
        self.second += 1
        rounds = [self.core.sweep(), self.core.detect_offline()]
        if self.second % FLUSH_SECONDS == 0:
            rounds.append(self.core.presence.flush())
        for round_ in rounds:
            done = Deferred.fromCoroutine(round_)
            self.clock.pump([0] * (len(self.addresses) // BATCH_SIZE + 1))
            now(done)
        for webhook in tuple(self.webhooks.dispatcher._workers) if self.failing else ():
            now(self.core.webhooks.redeliver(webhook, None))
        self.webhooks.run_ready()
        self.town.turn(self.second)

    def told(self) -> list[Told]:
        """All alerts, in no order."""
        return [_told(alert) for alert in now(self.core.alerts.list_alerts(limit=len(self.addresses)))]

    def _answer(self, message: Message) -> int:
        self.failing = self.carrier.chance.random() < 0.5
        return 500 if self.failing else 204


def _told(alert: Alert) -> Told:
    assert alert.cleared_at is not None
    raised_at, cleared_at = (_second(at) for at in (alert.raised_at, alert.cleared_at))
    return (str(alert.kind), alert.address, raised_at, cleared_at, alert.devices)


def _second(wall: int) -> int:
    second, rest = divmod(wall - milliseconds(START), 1000)
    assert rest == 0
    return second
