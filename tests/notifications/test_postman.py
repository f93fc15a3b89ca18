"""Tests of :mod:`pushd.notifications.mail.notifier`, with a clock: which mails are sent when, and what becomes of the
others.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher

from pushd.lib.backoff import MAX_BACKOFF
from pushd.model.alert import AlertRules
from pushd.model.device import PresenceState
from pushd.model.errors import Unavailable
from pushd.notifications.mail.message import Envelope
from pushd.notifications.mail.notifier import GIVE_UP, LIMIT, LOOK, MailNotifier
from pushd.notifications.mail.smtp import SmtpError, SmtpResult
from tests.in_memory_server import BuildHouse, InMemoryServer, now

ANA, BOB = "ana@example.org", "bob@example.org"
HOUR = 3600.0
RULES = AlertRules(window=0, mails=True, remind=24 * HOUR)


@define(eq=False)
class MailTransport:
    """Notes what it is given, and has it taken as the test says."""

    brought: list[tuple[tuple[str, ...], str]] = field(factory=list)
    """Recipients and content of each mail."""
    tried: int = 0
    away: str | None = None
    refused: dict[str, str] = field(factory=dict)
    deferred: dict[str, str] = field(factory=dict)
    stuck: "Deferred[None] | None" = None

    async def send(self, envelope: Envelope, mail: bytes) -> SmtpResult:
        self.tried += 1
        if self.stuck is not None:
            await self.stuck
        if self.away is not None:
            raise SmtpError(self.away)
        self.brought.append((envelope.recipients, mail.decode()))
        return SmtpResult(
            refused={to: why for to, why in self.refused.items() if to in envelope.recipients},
            deferred={to: why for to, why in self.deferred.items() if to in envelope.recipients},
        )

    @property
    def subjects(self) -> list[str]:
        """The subjects of the mails."""
        return [mail.partition("Subject: ")[2].partition("\r\n")[0] for _, mail in self.brought]


@define(eq=False)
class Office:
    """A house, and a postman who is employed there."""

    server: InMemoryServer
    carrier: MailTransport
    notifier: MailNotifier = field(init=False)

    def __attrs_post_init__(self) -> None:
        envelope = Envelope(sender="pushd@example.org", recipients=(ANA, BOB))
        core = self.server.core
        self.notifier = MailNotifier(
            core.store, core.clocks, RULES, envelope, core.registry.get_with_presence, self.carrier, lambda: 0.0
        )

    def silence(self, *devices: str) -> None:
        """Let devices fall silent, and tell of it."""
        store, at = self.server.core.store, self.server.core.clocks.now
        for device in devices:
            if self.server.core.registry.get(device) is None:
                self.server.register(device)
            now(store.set_presence(device, PresenceState.ONLINE, at()))
        now(store.mark_offline(devices, RULES, at()))
        now(store.raise_alerts(RULES, 2000, at()))

    def speak(self, device: str) -> None:
        """Let a device speak."""
        now(self.server.core.store.set_presence(device, PresenceState.ONLINE, self.server.core.clocks.now()))

    def acknowledge(self, alert: int) -> None:
        """Let somebody take care of an alert."""
        now(self.server.core.alerts.acknowledge(alert, "ana"))

    def wait(self, seconds: float, steps: int = 1) -> None:
        """Let time pass."""
        self.server.clock.pump([seconds / steps] * steps)


@pytest.fixture
def office(server: InMemoryServer) -> Iterator[Office]:
    """A postman at work."""
    office = Office(server, MailTransport())
    office.notifier.startService()
    yield office
    if office.notifier.running:
        office.notifier.stopService()


def test_alert_is_mailed_at_once_and_once(office: Office) -> None:
    """Whoever is to be told of an alert is told when it is raised, by one mail."""
    office.silence("controlid:1")
    assert office.carrier.subjects == ["[pushd] controlid:1 is offline"]
    office.wait(HOUR, 100)
    assert len(office.carrier.brought) == 1
    assert office.carrier.brought[0][0] == (ANA, BOB)


def test_open_alert_is_mailed_again(office: Office) -> None:
    """An alert that is open and that nobody acknowledged is mailed again every day."""
    office.silence("controlid:1")
    office.wait(49 * HOUR, 300)
    assert [subject.startswith("Re: ") for subject in office.carrier.subjects] == [False, True, True]


@pytest.mark.parametrize("end", [lambda office: office.acknowledge(1), lambda office: office.speak("controlid:1")])
def test_nobody_is_reminded_of_what_is_taken_care_of(office: Office, end: Callable[[Office], None]) -> None:
    """There are no reminders of an alert that is over, or that somebody takes care of."""
    office.silence("controlid:1")
    end(office)
    office.wait(49 * HOUR, 300)
    assert len(office.carrier.brought) == 1


def test_nothing_is_lost_while_the_server_is_away(office: Office) -> None:
    """While the mail server is away it is asked ever less often, though more is raised; then all mails come, in
    order.
    """
    office.carrier.away = "nobody there"
    office.silence("controlid:1")
    office.wait(60, 600)
    assert office.carrier.tried == 6  # at once, and 1, 3, 7, 15, 31 s later
    for number in range(2, 20):
        office.silence(f"controlid:{number}")
    office.wait(HOUR, 3600)
    assert office.carrier.tried < 25
    office.carrier.away = None
    office.wait(MAX_BACKOFF)
    assert office.carrier.subjects == [f"[pushd] controlid:{number} is offline" for number in range(1, 20)]


def test_silence_that_is_over_before_its_mail_is_told(office: Office) -> None:
    """A silence that ended while the mail server was away is mailed all the same, and the mail says that it is
    over.
    """
    office.carrier.away = "nobody there"
    office.silence("controlid:1")
    office.speak("controlid:1")
    office.carrier.away = None
    office.wait(1)
    assert office.carrier.subjects == ["[pushd] controlid:1 is offline (over)"]


def test_trouble_is_logged_once(office: Office, told: list[str]) -> None:
    """The log tells once that mails wait, and why; and once that they are sent again."""
    office.carrier.away = "nobody there"
    office.silence("controlid:1")
    office.wait(HOUR, 100)
    office.carrier.away = None
    office.wait(HOUR, 100)
    assert told == ["Mails cannot be sent, and wait: nobody there", "Mails are sent again"]


def test_refused_recipient_is_not_tried_again(office: Office, told: list[str]) -> None:
    """Who is refused for good is logged, and keeps nobody from the mail, nor from the next."""
    office.carrier.refused = {BOB: "550 no such user"}
    office.silence("controlid:1", "controlid:2")
    office.wait(HOUR, 100)
    assert [to for to, _ in office.carrier.brought] == [(ANA, BOB), (ANA, BOB)]
    assert told[0] == "The mail about alert 1 was refused for bob@example.org: 550 no such user"


def test_deferred_recipient_is_tried_again_alone(office: Office) -> None:
    """Who is deferred gets each mail later, without the others getting it twice."""
    office.carrier.deferred = {BOB: "450 busy"}
    office.silence("controlid:1", "controlid:2")
    assert [to for to, _ in office.carrier.brought] == [(ANA, BOB), (ANA,)]
    office.carrier.deferred = {}
    office.wait(LOOK)
    assert [to for to, _ in office.carrier.brought[2:]] == [(BOB,), (BOB,)]
    office.wait(HOUR, 100)
    assert len(office.carrier.brought) == 4


def test_everybody_is_deferred(office: Office) -> None:
    """A mail that everybody defers is tried until it is taken, however long that is."""
    office.carrier.deferred = {ANA: "450 busy", BOB: "450 busy"}
    office.silence("controlid:1")
    office.wait(6 * 86400, 200)
    office.carrier.brought.clear()
    office.carrier.deferred = {}
    office.wait(MAX_BACKOFF + LOOK, 40)
    assert [to for to, _ in office.carrier.brought] == [(ANA, BOB)]


def test_recipient_who_is_always_deferred_is_given_up(office: Office) -> None:
    """Mails that others have are not kept for ever for one whose mailbox stays full, nor do they hide new ones."""
    office.carrier.deferred = {BOB: "452 full"}
    office.silence(*(f"controlid:{number}" for number in range(LIMIT + 20)))
    office.silence("controlid:1000")
    assert {to for to, _ in office.carrier.brought[1:]} == {(ANA,)}
    assert len(office.carrier.brought) == LIMIT + 21
    for number in range(LIMIT + 20):
        office.speak(f"controlid:{number}")
    office.wait(GIVE_UP + HOUR, 50)
    assert len(now(office.server.core.store.due_mails(1000, office.server.core.clocks.now()))) == 0


def test_store_that_cannot_be_written_ends_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail that was sent, and could not be noted as sent, is not sent again as long as the server runs."""

    def fail(*_: Any) -> Any:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(type(office.server.store), "save_mailed", fail)
        office.silence("controlid:1")
        office.wait(HOUR, 100)
    office.wait(HOUR, 100)
    office.silence("controlid:2")
    assert office.carrier.subjects == ["[pushd] controlid:1 is offline", "[pushd] controlid:2 is offline"]


def test_flaw_of_ours_ends_nothing(office: Office, no_logged_failure: list[Any]) -> None:
    """A mail that could not even be written is logged, and tried again."""
    office.notifier.envelope = evolve(office.notifier.envelope, sender="")
    office.silence("controlid:1")
    assert len(no_logged_failure) == 1
    no_logged_failure.clear()
    office.notifier.envelope = evolve(office.notifier.envelope, sender="pushd@example.org")
    office.wait(1)
    assert len(office.carrier.brought) == 1


def test_postman_who_does_not_move_is_noticed(office: Office) -> None:
    """A postman who waits for his time, or for a server to return, makes progress; one who hangs in between does
    not.
    """
    office.wait(HOUR, 1000)
    assert not office.notifier.stuck(LOOK)
    office.carrier.away = "nobody there"
    office.silence("controlid:1")
    office.wait(HOUR, 1000)
    assert not office.notifier.stuck(LOOK)
    office.carrier.stuck = Deferred()
    office.wait(MAX_BACKOFF)
    office.wait(30)
    assert office.notifier.stuck(29)
    assert not office.notifier.stuck(30)


def test_stop_leaves_the_mail_for_the_next_start(office: Office) -> None:
    """A mail that was on its way when the server was stopped is sent after the next start."""
    office.carrier.stuck = Deferred()
    office.silence("controlid:1")
    office.notifier.stopService()
    assert office.carrier.tried == 1
    office.carrier.stuck = None
    office.notifier.startService()
    assert office.carrier.subjects == ["[pushd] controlid:1 is offline"]


def test_nobody_is_mailed_of_what_was_raised_without_mails(build_house: BuildHouse) -> None:
    """Alerts that were raised before mails were wanted are not mailed later."""
    office = Office(build_house(), MailTransport())
    store, at = office.server.core.store, office.server.core.clocks.now
    office.server.register("controlid:1")
    office.speak("controlid:1")
    quiet = evolve(RULES, mails=False)
    now(store.mark_offline(["controlid:1"], quiet, at()))
    now(store.raise_alerts(quiet, 10, at()))
    office.notifier.startService()
    assert not office.carrier.tried
    office.notifier.stopService()


@pytest.fixture
def told() -> Iterator[Sequence[str]]:
    """What is logged of mails from now on."""
    lines: list[str] = []

    def observe(event: dict[str, Any]) -> None:
        if event["log_namespace"].startswith("pushd.notifications"):
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
    yield lines
    globalLogPublisher.removeObserver(observe)  # type: ignore[arg-type]
