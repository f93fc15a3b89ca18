"""A server with a test clock and a database file that can be killed and started, with a webhook receiver and a mail
server that fail half of the time.
"""

from collections.abc import Callable
from random import Random

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.core.app import Core
from pushd.core.devices.offline_detector import BATCH_SIZE
from pushd.model.alert import Alert
from pushd.model.timestamps import milliseconds
from pushd.notifications.known_devices import KnownDevices
from pushd.notifications.mail.message import Envelope
from pushd.notifications.mail.notifier import MailNotifier
from pushd.notifications.mail.smtp import SmtpError, SmtpResult
from pushd.service import FLUSH_SECONDS
from tests.alerting.polling_fleet import PollingFleet
from tests.in_memory_server import START, InMemoryServer
from tests.notifications.webhook_harness import Message, Receiver, WebhookHarness
from tests.results import result_of
from tests.store.samples import ALL_ALERTS

FAILURE_PROBABILITY = 0.5

AlertRow = tuple[str, str | None, int, int, tuple[str, ...]]
"""An alert: its kind, its address, the seconds at which it was raised and cleared, and its devices."""


class FlakyMailTransport:
    """A mail server that fails half of the time."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.mails: list[str] = []

    async def send(self, envelope: Envelope, mail: bytes) -> SmtpResult:
        if self.chance.random() < FAILURE_PROBABILITY:
            raise SmtpError("421 try again later")
        self.mails.append(mail.decode())
        return SmtpResult(refused={}, deferred={})

    @property
    def message_ids(self) -> list[str]:
        """The ids of the mails."""
        return [mail.partition("Message-ID: ")[2].partition("\r\n")[0] for mail in self.mails]


@define(eq=False, repr=False)
class ClockedServer:
    """The server, its notifications, and the devices that poll it."""

    clock: Clock
    build: Callable[[], InMemoryServer]
    addresses: dict[str, str]
    receiver: Receiver = field(factory=Receiver)
    mail_transport: FlakyMailTransport = field(factory=lambda: FlakyMailTransport(Random(2)))
    fleet: PollingFleet = field(init=False)
    webhooks: WebhookHarness = field(init=False)
    notifier: MailNotifier = field(init=False)
    second: int = field(default=0, init=False)
    failing: bool = field(default=False, init=False)
    """Whether the receiver refused the last delivery."""

    def __attrs_post_init__(self) -> None:
        self.receiver.answer = self._answer
        self.start()
        self.fleet = PollingFleet(self.addresses, self.core, interval=40)

    @property
    def core(self) -> Core:
        """The core of the running server."""
        return self.webhooks.server.core

    @property
    def has_due_mails(self) -> bool:
        """Whether mails are waiting for the mail server."""
        return bool(result_of(self.core.store.due_mails(1)))

    def start(self) -> None:
        """Start the server and its notifications."""
        server = self.build()
        self.webhooks = WebhookHarness(server, self.receiver)
        core, config = server.core, server.config
        self.notifier = MailNotifier(
            core.store,
            core.clocks,
            config.alert_rules,
            "pushd@example.org",
            config.mail_to,
            KnownDevices(core.registry.get_with_presence, core.store),
            self.mail_transport,
            lambda: 0.0,
        )
        self.notifier.startService()

    def subscribe(self) -> str:
        """Subscribe the receiver to alert events, and count one second for it; the webhook's secret."""
        self.second += 1
        secret: str = self.webhooks.subscribe(types=["alert.raised", "alert.cleared"])["secret"]
        return secret

    def kill(self) -> None:
        """Stop everything at once, without saving anything."""
        for worker in self.webhooks.dispatcher._workers.values():
            worker.abort()
        self.webhooks.dispatcher._workers.clear()
        self.notifier.stopService()
        result_of(self.core.store.close())

    def restart(self, downtime: int) -> None:
        """Kill the server, and start it again after so many seconds."""
        self.kill()
        self.clock.advance(downtime)
        self.second += downtime
        self.start()
        self.fleet.move(self.core)

    def tick(self) -> None:
        """Let a second pass and the periodic tasks run; after a failed delivery, the receiver asks for redelivery."""
        self.clock.advance(1)
        self.second += 1
        tasks = [self.core.sweep(), self.core.detect_offline()]
        if self.second % FLUSH_SECONDS == 0:
            tasks.append(self.core.presence.flush())
        for task in tasks:
            done = Deferred.fromCoroutine(task)
            self.clock.pump([0] * (len(self.addresses) // BATCH_SIZE + 1))
            result_of(done)
        for webhook in tuple(self.webhooks.dispatcher._workers) if self.failing else ():
            result_of(self.core.webhooks.redeliver(webhook, None))
        self.webhooks.run_ready()
        self.fleet.repeat_polls(self.second)

    def alerts(self) -> list[AlertRow]:
        """All alerts, in no order."""
        return [_row(alert) for alert in result_of(self.core.store.alerts(ALL_ALERTS, None, len(self.addresses)))]

    def _answer(self, message: Message) -> int:
        self.failing = self.mail_transport.chance.random() < FAILURE_PROBABILITY
        return 500 if self.failing else 204


def _row(alert: Alert) -> AlertRow:
    assert alert.cleared_at is not None
    raised_at, cleared_at = (_second(at) for at in (alert.raised_at, alert.cleared_at))
    return (str(alert.kind), alert.address, raised_at, cleared_at, alert.devices)


def _second(wall: int) -> int:
    second, rest = divmod(wall - milliseconds(START), 1000)
    assert rest == 0
    return second
