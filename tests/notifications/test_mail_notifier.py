"""Tests of :mod:`pushd.notifications.mail.notifier`, with a simulated clock."""

from collections.abc import Iterator, Sequence
from email import message_from_string
from email.policy import SMTP
from typing import Any

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher

from pushd.lib.backoff import MAX_BACKOFF
from pushd.model.actor import Actor
from pushd.model.alert import Alert, AlertKind, AlertRules
from pushd.model.device import PresenceState
from pushd.model.epochs import public_id
from pushd.model.errors import Unavailable
from pushd.model.token import Role
from pushd.model.webhook import Attempt, Progress, Webhook
from pushd.notifications.known_devices import KnownDevices
from pushd.notifications.mail.message import Envelope
from pushd.notifications.mail.notifier import GIVE_UP_AFTER, INTERVAL, LIMIT, MailNotifier
from pushd.notifications.mail.recipients import Recipient, recipients_of
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
        failed = self.refused | self.deferred
        return SmtpResult(
            refused={to: reply for to, reply in self.refused.items() if to in envelope.recipients},
            deferred={to: reply for to, reply in self.deferred.items() if to in envelope.recipients},
            accepted={to: "250 OK" for to in envelope.recipients if to not in failed},
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
    recipients: Sequence[Recipient] = (Recipient(address=ANA), Recipient(address=BOB))
    notifier: MailNotifier = field(init=False)

    def __attrs_post_init__(self) -> None:
        core = self.server.core
        known_devices = KnownDevices(core.registry.get_with_presence, core.store)
        sender = "pushd@example.org"
        self.notifier = MailNotifier(
            core.store, core.clocks, RULES, sender, self.recipients, known_devices, self.transport, lambda: 0.0
        )
        core.notification_tester.mail = self.notifier.send_test

    def go_offline(self, *devices: str) -> None:
        """Let devices go offline, and raise an alert."""
        store = self.server.core.store
        for device in devices:
            if self.server.core.registry.get(device) is None:
                self.server.register(device)
            result_of(store.set_presence(device, PresenceState.ONLINE))
        result_of(store.mark_offline(dict.fromkeys(devices), RULES))
        result_of(store.raise_alerts(RULES, 2000))

    def come_online(self, device: str) -> None:
        """Let a device come back."""
        result_of(self.server.core.store.set_presence(device, PresenceState.ONLINE))

    def acknowledge(self, alert: int) -> None:
        """Acknowledge an alert."""
        result_of(self.server.core.alerts.acknowledge(self.alert_id(alert), Actor(name="ana")))

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


def test_no_reminders_of_acknowledged_alerts(harness: NotifierHarness) -> None:
    """There are no reminders of an alert that is acknowledged."""
    harness.go_offline("controlid:1")
    harness.acknowledge(1)
    harness.wait(49 * HOUR, 300)
    assert len(harness.transport.sent) == 1


@pytest.mark.parametrize("acknowledged", [True, False])
def test_end_of_an_alert_is_mailed(harness: NotifierHarness, acknowledged: bool) -> None:
    """When an alert is cleared, its recipients get one mail at once; mail programs show that below the first."""
    harness.go_offline("controlid:1")
    if acknowledged:
        harness.acknowledge(1)
    harness.wait(600)
    harness.come_online("controlid:1")
    assert harness.transport.subjects[1:] == ["Re: [pushd] controlid:1 is offline (resolved)"]
    raised, cleared = (message_from_string(content, policy=SMTP) for _, content in harness.transport.sent)
    assert cleared["In-Reply-To"] == raised["Message-ID"] != cleared["Message-ID"]
    assert "after 10 min.\n" in cleared.as_string().replace("\r\n", "\n")
    harness.wait(49 * HOUR, 300)
    assert len(harness.transport.sent) == 2


def test_alert_that_is_cleared_while_a_recipient_is_deferred(harness: NotifierHarness) -> None:
    """If an alert is cleared before all recipients have its mail, all get the mail that it is over, as another one."""
    harness.transport.deferred = {BOB: "450 busy"}
    harness.go_offline("controlid:1")
    harness.transport.deferred = {}
    harness.come_online("controlid:1")
    harness.wait(HOUR, 100)
    assert [recipients for recipients, _ in harness.transport.sent if recipients != (BOB,)] == [(ANA, BOB), (ANA,)]
    assert harness.transport.recipients[-1] == (BOB,)
    first, *others = (message_from_string(content)["Message-ID"] for _, content in harness.transport.sent)
    assert first not in others
    assert len(set(others)) == 1


def test_alert_that_is_cleared_while_its_mail_is_sent(harness: NotifierHarness) -> None:
    """If an alert is cleared while the mail server takes the mail that it is open, its end is mailed, too."""
    harness.transport.hangs = Deferred()
    harness.go_offline("controlid:1")
    harness.come_online("controlid:1")
    hangs, harness.transport.hangs = harness.transport.hangs, None
    hangs.callback(None)
    harness.wait(INTERVAL)
    assert harness.transport.subjects == [
        "[pushd] controlid:1 is offline",
        "Re: [pushd] controlid:1 is offline (resolved)",
    ]


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
    assert len(result_of(harness.server.core.store.due_mails(1000))) == 0
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
    harness.notifier.sender = ""
    harness.go_offline("controlid:1")
    assert len(no_logged_failure) == 1
    no_logged_failure.clear()
    harness.notifier.sender = "pushd@example.org"
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
        harness.notifier.known_devices.find = fail_for_the_first
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
    store = harness.server.core.store
    harness.server.register("controlid:1")
    harness.come_online("controlid:1")
    without_mails = evolve(RULES, mails=False)
    result_of(store.mark_offline({"controlid:1": None}, without_mails))
    result_of(store.raise_alerts(without_mails, 10))
    harness.notifier.startService()
    assert not harness.transport.attempts
    harness.notifier.stopService()


NORTH, LISBON = "north@example.org", "lisbon@example.org"


@pytest.fixture
def routed(server: InMemoryServer) -> Iterator[NotifierHarness]:
    """A notifier with recipients of all alerts, of those of a tag and of those of a site."""
    recipients = (
        Recipient(address=ANA),
        Recipient(address=NORTH, tag="north"),
        Recipient(address=LISBON, site="Lisbon"),
        Recipient(address=NORTH, site="Porto"),
    )
    harness = NotifierHarness(server, FakeTransport(), recipients)
    server.register("controlid:1", tags=["door", "north"])
    server.register("controlid:2", site="Lisbon", tags=["south"])
    server.register("controlid:3", site="Lisbon", tags=["north"])
    server.register("controlid:4", site="Porto", tags=["north"])
    server.register("controlid:5")
    harness.notifier.startService()
    yield harness
    harness.notifier.stopService()


def test_recipients_by_tag_or_site(routed: NotifierHarness) -> None:
    """An alert is mailed to those that get all, and to those of a tag or site of its device; to each address once."""
    for number in range(1, 6):
        routed.go_offline(f"controlid:{number}")
    assert routed.transport.recipients == [(ANA, NORTH), (ANA, LISBON), (ANA, NORTH, LISBON), (ANA, NORTH), (ANA,)]
    to = [message_from_string(content)["To"] for _, content in routed.transport.sent]
    assert to[1] == f"{ANA}, {LISBON}"


def test_alert_without_recipients(routed: NotifierHarness) -> None:
    """An alert that is mailed to no recipient is not mailed later, and delays no other."""
    routed.notifier.recipients = [Recipient(address=NORTH, tag="north")]
    routed.go_offline("controlid:5")
    routed.go_offline("controlid:1")
    assert routed.transport.recipients == [(NORTH,)]
    routed.wait(49 * HOUR, 300)
    routed.come_online("controlid:5")
    assert [subject for subject in routed.transport.subjects if "controlid:5" in subject] == []
    assert not result_of(routed.server.store.due_mails(10))
    assert routed.alert(1)["mailed_at"] is None


def test_deleted_device(routed: NotifierHarness) -> None:
    """The end of an alert because its device was deleted is mailed to the recipients of its last tags and site."""
    routed.go_offline("controlid:3")
    routed.server.ask("DELETE /v1/devices/controlid:3")
    assert routed.transport.recipients == [(ANA, NORTH, LISBON)] * 2


def test_alert_about_more_devices_than_it_lists() -> None:
    """An alert about most of the fleet is mailed to all recipients: it does not list all of its devices."""
    alert = Alert(id=1, kind=AlertKind.FLEET_OFFLINE, devices=("controlid:1",), count=2000, raised_at=0)
    recipients = (Recipient(address=ANA, tag="north"), Recipient(address=BOB, site="Lisbon"))
    unused: Any = None
    found = result_of(Deferred.fromCoroutine(recipients_of(alert, recipients, unused)))
    assert found == (ANA, BOB)


def test_alert_about_a_webhook(routed: NotifierHarness) -> None:
    """An alert that is about no device is mailed to the recipients of all alerts."""
    store = routed.server.store
    webhook = Webhook(id="w", url="https://receiver.example/", created_at=0)
    subscription = result_of(store.add_webhook(webhook, "whsec_1"))
    progress = Progress(webhook="w", revision=subscription.revision, cursor=0)
    result_of(store.disable_webhook(progress, Attempt(seq=1, at=0), "no answer", RULES))
    assert routed.transport.recipients == [(ANA,)]


def test_test_mail(routed: NotifierHarness) -> None:
    """A test mail goes to all addresses, once each, and the answer has the reply of the mail server about each."""
    routed.transport.refused, routed.transport.deferred = {LISBON: "550 no such user"}, {NORTH: "450 busy"}
    answer = routed.server.ask("POST /v1/mail/test")
    assert (answer.code, answer.json) == (200, {
        "recipients": [
            {"address": ANA, "accepted": True, "reply": "250 OK"},
            {"address": NORTH, "accepted": False, "reply": "450 busy"},
            {"address": LISBON, "accepted": False, "reply": "550 no such user"},
        ]
    })  # fmt: skip
    assert routed.transport.recipients == [(ANA, NORTH, LISBON)]
    assert routed.transport.subjects == ["[pushd] test"]


def test_test_mail_that_cannot_be_sent(harness: NotifierHarness) -> None:
    """If the mail server takes no mail at all, the answer says why for each recipient."""
    harness.transport.error = "mail.example.org:25 cannot be reached: connection refused"
    answer = harness.server.ask("POST /v1/mail/test").json
    reply = {"accepted": False, "reply": harness.transport.error}
    assert answer == {"recipients": [{"address": ANA, **reply}, {"address": BOB, **reply}]}


def test_test_mails_are_limited(harness: NotifierHarness) -> None:
    """A test mail can be sent once a minute."""
    assert harness.server.ask("POST /v1/mail/test", {}).code == 200
    harness.wait(20)
    refused = harness.server.ask("POST /v1/mail/test")
    assert refused.problem(429)["type"] == "too-many-tests"
    assert refused.headers["retry-after"] == "40"
    harness.wait(40)
    assert harness.server.ask("POST /v1/mail/test").code == 200


def test_who_may_send_a_test_mail(harness: NotifierHarness) -> None:
    """Only an admin may, and only to the configured recipients."""
    for role in (Role.VIEWER, Role.OPERATOR):
        harness.server.ask("POST /v1/mail/test", role=role).problem(403)
    harness.server.ask("POST /v1/mail/test", {"to": "eve@example.org"}).problem(422)
    assert harness.transport.attempts == 0


def test_test_without_mails(server: InMemoryServer) -> None:
    """Without recipients the error says how mails are configured."""
    problem = server.ask("POST /v1/mail/test").problem(409)
    assert problem["type"] == "no-mail"
    assert "--mail-to" in problem["detail"]


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
