"""Tests of :mod:`pushd.notifications.mail.notifier`, with a simulated clock."""

from collections.abc import Callable, Iterator, Sequence
from email import message_from_string
from email.policy import SMTP
from typing import Any

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher

from pushd.lib.backoff import MAX_BACKOFF
from pushd.model.alert import AlertRules
from pushd.model.device import PresenceState
from pushd.model.epochs import public_id
from pushd.model.errors import Unavailable
from pushd.notifications.mail.message import Envelope
from pushd.notifications.mail.notifier import GIVE_UP_AFTER, INTERVAL, LIMIT, MailNotifier
from pushd.notifications.mail.smtp import SmtpError, SmtpResult
from tests.in_memory_server import BuildServer, InMemoryServer
from tests.results import result_of

ANA, BOB = "ana@example.org", "bob@example.org"
HOUR = 3600.0
RULES = AlertRules(window=0, mails=True, remind=24 * HOUR)


@define(eq=False)
class FakeTransport:
    """A mail transport that keeps what it is given, with results that the test chooses."""

    sent: list[tuple[tuple[str, ...], str]] = field(factory=list)
    """Recipients and content of each mail."""
    attempts: int = 0
    error: str | None = None
    refused: dict[str, str] = field(factory=dict)
    deferred: dict[str, str] = field(factory=dict)
    hangs: "Deferred[None] | None" = None
    fails_at: str | None = None
    """The server hangs up when it gets a mail that contains this."""
    unsendable: str | None = None
    """A mail that contains this cannot be sent."""
    defers: str | None = None
    """The server replies 451 to a mail that contains this."""

    async def send(self, envelope: Envelope, mail: bytes) -> SmtpResult:
        self.attempts += 1
        if self.hangs is not None:
            await self.hangs
        if self.error is not None:
            raise SmtpError(self.error)
        content = mail.decode()
        if self.fails_at is not None and self.fails_at in content:
            raise SmtpError("hung up", during_content=True)
        if self.unsendable is not None and self.unsendable in content:
            raise ValueError("cannot be encoded")
        self.sent.append((envelope.recipients, content))
        if self.defers is not None and self.defers in content:
            return SmtpResult(refused={}, deferred=dict.fromkeys(envelope.recipients, "451 later"))
        return SmtpResult(
            refused={to: reply for to, reply in self.refused.items() if to in envelope.recipients},
            deferred={to: reply for to, reply in self.deferred.items() if to in envelope.recipients},
        )

    @property
    def recipients(self) -> list[tuple[str, ...]]:
        """The recipients of each mail."""
        return [recipients for recipients, _ in self.sent]

    @property
    def subjects(self) -> list[str]:
        """The subject of each mail."""
        return [mail.partition("Subject: ")[2].partition("\r\n")[0] for _, mail in self.sent]


@define(eq=False)
class NotifierHarness:
    """A server in memory, and its mail notifier."""

    server: InMemoryServer
    transport: FakeTransport
    notifier: MailNotifier = field(init=False)

    def __attrs_post_init__(self) -> None:
        envelope = Envelope(sender="pushd@example.org", recipients=(ANA, BOB))
        core = self.server.core
        self.notifier = MailNotifier(
            core.store, core.clocks, RULES, envelope, core.registry.get_with_presence, self.transport, lambda: 0.0
        )

    def go_offline(self, *devices: str) -> None:
        """Let devices go offline, and raise an alert."""
        store, at = self.server.core.store, self.server.core.clocks.now
        for device in devices:
            if self.server.core.registry.get(device) is None:
                self.server.register(device)
            result_of(store.set_presence(device, PresenceState.ONLINE, at()))
        result_of(store.mark_offline(dict.fromkeys(devices), RULES, at()))
        result_of(store.raise_alerts(RULES, 2000, at()))

    def come_online(self, device: str) -> None:
        """Let a device come back."""
        result_of(self.server.core.store.set_presence(device, PresenceState.ONLINE, self.server.core.clocks.now()))

    def acknowledge(self, alert: int) -> None:
        """Acknowledge an alert."""
        result_of(self.server.core.alerts.acknowledge(self.alert_id(alert), "ana"))

    def alert_id(self, number: int) -> str:
        """The id of an alert, as clients know it."""
        return public_id(self.server.core.epochs.current, number)

    def alert(self, number: int) -> dict[str, Any]:
        """An alert as the admin API shows it."""
        alerts = self.server.ask("GET /v1/alerts?limit=500").json["items"]
        found: dict[str, Any] = next(alert for alert in alerts if alert["id"] == self.alert_id(number))
        return found

    def wait(self, seconds: float, steps: int = 1) -> None:
        """Advance the clock."""
        self.server.clock.pump([seconds / steps] * steps)


@pytest.fixture
def harness(server: InMemoryServer) -> Iterator[NotifierHarness]:
    """A notifier that runs."""
    harness = NotifierHarness(server, FakeTransport())
    harness.notifier.startService()
    yield harness
    if harness.notifier.running:
        harness.notifier.stopService()


def test_alert_is_mailed_at_once_and_once(harness: NotifierHarness) -> None:
    """All recipients get one mail when an alert is raised."""
    harness.go_offline("controlid:1")
    assert harness.transport.subjects == ["[pushd] controlid:1 is offline"]
    harness.wait(HOUR, 100)
    assert len(harness.transport.sent) == 1
    assert harness.transport.recipients[0] == (ANA, BOB)


@pytest.mark.parametrize("step", [-HOUR, HOUR, -40 * 24 * HOUR])
def test_a_step_of_the_clock_delays_no_mail(harness: NotifierHarness, step: float) -> None:
    """The clock is set back or forward while the mail server is down: the mail leaves soon after it is up again, and
    the reminder a day later says for how long the alert has been open.
    """
    harness.transport.error = "connection refused"
    harness.go_offline("controlid:1")
    harness.server.wall_offset += step
    harness.transport.error = None
    harness.wait(2, 4)
    assert len(harness.transport.sent) == 1
    harness.wait(24 * HOUR + 60, 200)
    assert len(harness.transport.sent) == 2
    assert "this alert has been open for 24 h" in harness.transport.sent[-1][1]


def test_open_alert_is_mailed_again(harness: NotifierHarness) -> None:
    """An alert that is open and not acknowledged is mailed again every day."""
    harness.go_offline("controlid:1")
    harness.wait(49 * HOUR, 300)
    assert [subject.startswith("Re: ") for subject in harness.transport.subjects] == [False, True, True]


@pytest.mark.parametrize(
    "end", [lambda harness: harness.acknowledge(1), lambda harness: harness.come_online("controlid:1")]
)
def test_no_reminders_of_resolved_or_acknowledged_alerts(
    harness: NotifierHarness, end: Callable[[NotifierHarness], None]
) -> None:
    """There are no reminders of an alert that is resolved or acknowledged."""
    harness.go_offline("controlid:1")
    end(harness)
    harness.wait(49 * HOUR, 300)
    assert len(harness.transport.sent) == 1


def test_no_mail_is_lost_while_the_mail_server_is_down(harness: NotifierHarness) -> None:
    """While the mail server is down, attempts back off, whatever is raised; then all mails are sent, in order."""
    harness.transport.error = "connection refused"
    harness.go_offline("controlid:1")
    harness.wait(60, 600)
    assert harness.transport.attempts == 6  # at once, and 1, 3, 7, 15, 31 s later
    for number in range(2, 20):
        harness.go_offline(f"controlid:{number}")
    harness.wait(HOUR, 3600)
    assert harness.transport.attempts < 25
    harness.transport.error = None
    harness.wait(MAX_BACKOFF)
    assert harness.transport.subjects == [f"[pushd] controlid:{number} is offline" for number in range(1, 20)]


def test_alert_that_is_resolved_before_its_mail_is_sent(harness: NotifierHarness) -> None:
    """An alert that was resolved while the mail server was down is mailed all the same, as resolved."""
    harness.transport.error = "connection refused"
    harness.go_offline("controlid:1")
    harness.come_online("controlid:1")
    harness.transport.error = None
    harness.wait(1)
    assert harness.transport.subjects == ["[pushd] controlid:1 is offline (resolved)"]


def test_errors_are_logged_once(harness: NotifierHarness, logged: list[str]) -> None:
    """The log says once that delivery fails, and why, and once that it works again."""
    harness.transport.error = "connection refused"
    harness.go_offline("controlid:1")
    harness.wait(HOUR, 100)
    harness.transport.error = None
    harness.wait(HOUR, 100)
    assert logged == ["SMTP delivery failing, alerts queued: connection refused", "SMTP delivery works again"]


def test_refused_recipient_is_not_retried(harness: NotifierHarness, logged: list[str]) -> None:
    """A recipient refused with 5xx is logged, and affects neither the other recipients nor the next mail."""
    harness.transport.refused = {BOB: "550 no such user"}
    harness.go_offline("controlid:1", "controlid:2")
    harness.wait(HOUR, 100)
    assert harness.transport.recipients == [(ANA, BOB), (ANA, BOB)]
    assert logged[0] == f"Mail about alert {harness.alert_id(1)} refused for bob@example.org: 550 no such user"


def test_deferred_recipient_is_retried_alone(harness: NotifierHarness) -> None:
    """A recipient deferred with 4xx gets each mail later, and the others get no duplicates."""
    harness.transport.deferred = {BOB: "450 busy"}
    harness.go_offline("controlid:1", "controlid:2")
    assert harness.transport.recipients == [(ANA, BOB), (ANA,)]
    harness.transport.deferred = {}
    harness.wait(INTERVAL)
    assert harness.transport.recipients[2:] == [(BOB,), (BOB,)]
    harness.wait(HOUR, 100)
    assert len(harness.transport.sent) == 4


def test_all_recipients_are_deferred(harness: NotifierHarness) -> None:
    """A mail that is deferred for all recipients is retried until it is accepted, however long that takes."""
    harness.transport.deferred = {ANA: "450 busy", BOB: "450 busy"}
    harness.go_offline("controlid:1")
    harness.wait(6 * 86400, 200)
    harness.transport.sent.clear()
    harness.transport.deferred = {}
    harness.wait(MAX_BACKOFF + INTERVAL, 40)
    assert harness.transport.recipients == [(ANA, BOB)]


def test_recipient_that_is_always_deferred_is_given_up(harness: NotifierHarness) -> None:
    """A mailbox that stays full does not keep mails that others have due for ever, nor hide new ones."""
    harness.transport.deferred = {BOB: "452 full"}
    for number in range(LIMIT + 20):
        harness.go_offline(f"controlid:{number}")
    harness.go_offline("controlid:1000")
    assert set(harness.transport.recipients[1:]) == {(ANA,)}
    assert len(harness.transport.sent) == LIMIT + 21
    for number in range(LIMIT + 20):
        harness.come_online(f"controlid:{number}")
    harness.wait(GIVE_UP_AFTER + HOUR, 50)
    assert len(result_of(harness.server.core.store.due_mails(1000, harness.server.core.clocks.now()))) == 0
    assert harness.alert(1)["mail_error"] == "bob@example.org: 452 full"


def test_sent_mail_that_cannot_be_saved_is_not_sent_again(
    harness: NotifierHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail that was sent, but could not be saved as sent, is not sent again while the server runs."""

    def fail(*_: Any) -> Any:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(type(harness.server.store), "save_mailed", fail)
        harness.go_offline("controlid:1")
        harness.wait(HOUR, 100)
    harness.wait(HOUR, 100)
    harness.go_offline("controlid:2")
    assert harness.transport.subjects == ["[pushd] controlid:1 is offline", "[pushd] controlid:2 is offline"]


def test_unexpected_error_is_logged_and_retried(harness: NotifierHarness, no_logged_failure: list[Any]) -> None:
    """A mail that cannot even be written is logged with a traceback, and tried again."""
    harness.notifier.envelope = evolve(harness.notifier.envelope, sender="")
    harness.go_offline("controlid:1")
    assert len(no_logged_failure) == 1
    no_logged_failure.clear()
    harness.notifier.envelope = evolve(harness.notifier.envelope, sender="pushd@example.org")
    harness.wait(INTERVAL)
    assert len(harness.transport.sent) == 1


@pytest.mark.parametrize("name", ["Tür =?unknown-8bit?q?=ff?=", "x =?utf-8?q?=0d=0aReply-To:_evil@x?= y"])
def test_any_device_name_is_mailed(harness: NotifierHarness, name: str) -> None:
    """A device whose name looks like an encoded word is mailed under that name, and so are the alerts after it."""
    harness.server.register("controlid:1", name=name)
    harness.go_offline("controlid:1")
    harness.go_offline("controlid:2")
    mails = [message_from_string(content, policy=SMTP) for _, content in harness.transport.sent]
    assert [mail["Subject"] for mail in mails] == [
        f"[pushd] {name} (controlid:1) is offline",
        "[pushd] controlid:2 is offline",
    ]


@pytest.mark.parametrize("broken", ["written", "sent"])
def test_mail_that_cannot_be_sent_is_passed_over(
    harness: NotifierHarness, no_logged_failure: list[Any], broken: str
) -> None:
    """A mail that cannot be written or sent is logged, marked on its alert and tried again later; it blocks none."""
    fault = True

    def fail_for_the_first(device: str) -> Any:
        if fault and device == "controlid:1":
            raise ValueError("cannot be encoded")

    if broken == "written":
        harness.notifier.find_device = fail_for_the_first
    else:
        harness.transport.unsendable = "controlid:1 is offline"
    harness.go_offline("controlid:1")
    harness.go_offline("controlid:2")
    assert harness.transport.subjects == ["[pushd] controlid:2 is offline"]
    assert harness.alert(1)["mail_error"] == "cannot be sent: ValueError('cannot be encoded')"
    assert harness.alert(1)["mailed_at"] is None
    harness.wait(HOUR, 240)
    assert 1 < len(no_logged_failure) < 15
    no_logged_failure.clear()
    fault, harness.transport.unsendable = False, None
    harness.wait(2 * HOUR, 480)
    assert harness.transport.subjects[1:] == ["[pushd] controlid:1 is offline"]
    assert (harness.alert(1)["mail_error"], harness.alert(1)["mailed_at"] is None) == (None, False)


def test_mail_that_makes_the_mail_server_fail_blocks_no_other(harness: NotifierHarness) -> None:
    """If the mail server fails whenever it gets the content of one mail, all other mails arrive."""
    harness.transport.fails_at = "controlid:1 is offline"
    harness.go_offline("controlid:1")
    harness.go_offline("controlid:2")
    harness.go_offline("controlid:3")
    harness.wait(MAX_BACKOFF)
    assert harness.transport.subjects == [f"[pushd] controlid:{number} is offline" for number in (2, 3)]
    harness.transport.fails_at = None
    harness.wait(MAX_BACKOFF + INTERVAL, 20)
    assert harness.transport.subjects[2:] == ["[pushd] controlid:1 is offline"]


def test_mail_that_the_mail_server_defers_blocks_no_other(harness: NotifierHarness) -> None:
    """If the mail server always defers one mail for all recipients, all other mails arrive."""
    harness.transport.defers = "controlid:1 is offline"
    harness.go_offline("controlid:1")
    harness.go_offline("controlid:2")
    harness.wait(HOUR, 100)
    assert [subject for subject in harness.transport.subjects if "controlid:1" not in subject] == [
        "[pushd] controlid:2 is offline"
    ]
    assert harness.alert(1)["mailed_at"] is None
    assert harness.alert(2)["mailed_at"]


def test_alert_that_every_recipient_refused_is_not_mailed(harness: NotifierHarness) -> None:
    """While every recipient is refused, an alert shows the replies and no ``mailed_at``; the mail is tried again."""
    harness.transport.refused = {ANA: "550 no such user", BOB: "550 relaying denied"}
    harness.go_offline("controlid:1")
    harness.wait(HOUR, 100)
    alert = harness.alert(1)
    assert alert["mailed_at"] is None
    assert alert["mail_error"] == "ana@example.org: 550 no such user; bob@example.org: 550 relaying denied"
    harness.transport.refused = {BOB: "550 relaying denied"}
    harness.wait(HOUR + INTERVAL, 400)
    alert = harness.alert(1)
    assert alert["mailed_at"] is not None
    assert alert["mail_error"] == "bob@example.org: 550 relaying denied"
    before = len(harness.transport.sent)
    harness.wait(2 * HOUR, 100)
    assert len(harness.transport.sent) == before < 20


def test_refused_and_deferred_recipients(harness: NotifierHarness) -> None:
    """A mail that one recipient refuses and another one defers for days counts as sent for neither."""
    harness.transport.refused, harness.transport.deferred = {ANA: "550 no such user"}, {BOB: "452 full"}
    harness.go_offline("controlid:1")
    harness.wait(GIVE_UP_AFTER + HOUR, 100)
    assert harness.alert(1)["mailed_at"] is None
    harness.transport.refused, harness.transport.deferred = {}, {}
    harness.wait(MAX_BACKOFF + INTERVAL, 40)
    assert harness.alert(1)["mailed_at"] is not None


def test_notifier_that_makes_no_progress_is_stuck(harness: NotifierHarness) -> None:
    """A notifier that waits for its interval or backoff makes progress; one that hangs in an attempt does not."""
    harness.wait(HOUR, 1000)
    assert not harness.notifier.stuck(INTERVAL)
    harness.transport.error = "connection refused"
    harness.go_offline("controlid:1")
    harness.wait(HOUR, 1000)
    assert not harness.notifier.stuck(INTERVAL)
    harness.transport.hangs = Deferred()
    harness.wait(MAX_BACKOFF)
    harness.wait(30)
    assert harness.notifier.stuck(29)
    assert not harness.notifier.stuck(30)


def test_stop_leaves_the_mail_for_the_next_start(harness: NotifierHarness) -> None:
    """A mail that was being sent when the server stopped is sent after the next start."""
    harness.transport.hangs = Deferred()
    harness.go_offline("controlid:1")
    harness.notifier.stopService()
    assert harness.transport.attempts == 1
    harness.transport.hangs = None
    harness.notifier.startService()
    assert harness.transport.subjects == ["[pushd] controlid:1 is offline"]


def test_alerts_raised_without_mail_are_not_mailed_later(build_server: BuildServer) -> None:
    """Alerts that were raised while no mail was configured are not mailed later."""
    harness = NotifierHarness(build_server(), FakeTransport())
    store, at = harness.server.core.store, harness.server.core.clocks.now
    harness.server.register("controlid:1")
    harness.come_online("controlid:1")
    without_mails = evolve(RULES, mails=False)
    result_of(store.mark_offline({"controlid:1": None}, without_mails, at()))
    result_of(store.raise_alerts(without_mails, 10, at()))
    harness.notifier.startService()
    assert not harness.transport.attempts
    harness.notifier.stopService()


@pytest.fixture
def logged() -> Iterator[Sequence[str]]:
    """The log lines of notifications from now on."""
    lines: list[str] = []

    def observe(event: dict[str, Any]) -> None:
        if event["log_namespace"].startswith("pushd.notifications"):
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
    yield lines
    globalLogPublisher.removeObserver(observe)  # type: ignore[arg-type]
