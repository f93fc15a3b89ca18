"""Tests of :mod:`pushd.notifications.mail.message`."""

from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from pushd.lib.text import one_line
from pushd.model.alert import Alert, AlertKind
from pushd.model.device import Device
from pushd.model.links import NO_LINKS, Links
from pushd.notifications.mail.message import LISTED, Envelope, write_mail, write_test_mail
from pushd.notifications.sentences import NAME
from tests.store.samples import READER, at, device, wall

ENVELOPE = Envelope(sender="pushd@example.org", recipients=("ana@example.org", "bob@example.org"))
FRONT = device(READER, name="Front door", last_seen_at=wall(-150), last_address="192.0.2.1")
OFFLINE = Alert(id=7, kind=AlertKind.OFFLINE, devices=(READER,), raised_at=wall())


def written(
    alert: Alert = OFFLINE, *devices: Device, now: float = 1, envelope: Envelope = ENVELOPE, links: Links = NO_LINKS
) -> EmailMessage:
    """A mail as a mail program parses it; ``devices`` are the registered ones."""
    known = {each.id: each for each in devices}
    content = write_mail(alert, known.get, envelope, at(now), links)
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    return message_from_bytes(content, policy=SMTP)


def body(mail: EmailMessage) -> str:
    """The text of a mail."""
    return str(mail.get_content()).replace("\r\n", "\n")


def test_mail_about_an_offline_device() -> None:
    """A mail names the device, when and from which address it was last seen, and how to acknowledge the alert."""
    mail = written(OFFLINE, FRONT)
    assert mail["Subject"] == f"[pushd] Front door ({READER}) is offline"
    assert (mail["From"], mail["To"]) == ("pushd@example.org", "ana@example.org, bob@example.org")
    assert (mail["Auto-Submitted"], mail["Date"]) == ("auto-generated", "Fri, 15 Jan 2027 08:00:01 +0000")
    assert body(mail) == (
        f"Front door ({READER}) is offline:\n\n"
        f"  {READER}  Front door  last seen on 2027-01-15 07:57:30+00:00 from 192.0.2.1, 2 min ago\n\n"
        "This is alert 7, raised on 2027-01-15 08:00:00+00:00.\n"
        'To acknowledge it and stop reminders: "pushctl acknowledge 7".\n'
    )


def test_reminders_thread_with_the_first_mail() -> None:
    """A mail program shows reminders below the first mail, and a duplicate as one mail."""
    first, again = written(), written()
    reminder, second = (written(evolve(OFFLINE, mailed_at=wall(mailed)), now=mailed + 86400) for mailed in (5, 9))
    assert first["Message-ID"] == again["Message-ID"] == f"<alert-7.{wall()}@example.org>"
    assert reminder["In-Reply-To"] == reminder["References"] == first["Message-ID"]
    assert len({mail["Message-ID"] for mail in (first, reminder, second)}) == 3
    assert reminder["Subject"] == f"Re: {first['Subject']}"
    assert body(reminder).startswith("Reminder: this alert has been open for 24 h.\n\n")


def test_long_message_ids_are_not_folded() -> None:
    """References are neither folded nor encoded, so that mail programs find the first mail."""
    sender = f"pushd@{'x' * 60}.{'y' * 60}.example.org"
    mail = written(evolve(OFFLINE, mailed_at=wall()), envelope=evolve(ENVELOPE, sender=sender))
    assert mail["In-Reply-To"] == f"<alert-7.{wall()}@{sender.partition('@')[2]}>"


def test_mail_about_a_resolved_alert() -> None:
    """An alert that was cleared before its mail could be sent is mailed all the same, as resolved."""
    mail = written(evolve(OFFLINE, cleared_at=wall(300), duration=300.0), FRONT)
    assert mail["Subject"].endswith(" is offline (resolved)")
    assert body(mail).startswith("Resolved on 2027-01-15 08:05:00+00:00, after 5 min; this mail could not be sent")
    assert "pushctl" not in body(mail)


def test_mail_about_the_end_of_an_alert() -> None:
    """The mail that an alert is over refers to the first one, and says how long it lasted."""
    cleared = written(evolve(OFFLINE, cleared_at=wall(300), duration=300.0, mailed_at=wall(1)), FRONT)
    assert cleared["Subject"] == f"Re: [pushd] Front door ({READER}) is offline (resolved)"
    assert cleared["In-Reply-To"] == cleared["References"] == written()["Message-ID"]
    assert cleared["Message-ID"] == f"<alert-7.{wall()}.cleared@example.org>"
    assert body(cleared).startswith("Resolved on 2027-01-15 08:05:00+00:00, after 5 min.\n")


def test_links() -> None:
    """With the URL of the server, a mail names it and links to the alert, and to the device if it is one."""
    links = Links("https://pushd.example.org/door")
    lines = body(written(OFFLINE, FRONT, links=links)).splitlines()
    assert lines[-3:] == [
        "Server: https://pushd.example.org/door",
        "Alert:  https://pushd.example.org/door/alerts/7",
        f"Device: https://pushd.example.org/door/devices/{READER}",
    ]
    site = evolve(OFFLINE, kind=AlertKind.SITE_OFFLINE, devices=(READER, "controlid:2"), count=2)
    assert body(written(site, links=links)).splitlines()[-1] == lines[-2]


@pytest.mark.parametrize(("links", "server"), [(NO_LINKS, ""), (Links("https://p.example"), " at https://p.example")])
def test_test_mail(links: Links, server: str) -> None:
    """A test mail names the server."""
    mail = message_from_bytes(write_test_mail(ENVELOPE, at(), links), policy=SMTP)
    assert isinstance(mail, EmailMessage)
    assert (mail["Subject"], mail["To"]) == ("[pushd] test", "ana@example.org, bob@example.org")
    assert body(mail) == f"This is a test mail from the pushd server{server}. Alerts are mailed in the same way.\n"


def test_mail_about_the_fleet() -> None:
    """A mail about most of the fleet gives the number of all devices, and lists the first hundred."""
    devices = tuple(f"controlid:{number}" for number in range(1000))
    mail = written(evolve(OFFLINE, kind=AlertKind.FLEET_OFFLINE, devices=devices, count=5000))
    assert mail["Subject"] == "[pushd] most of the fleet: 5000 devices are offline"
    assert f"  controlid:{LISTED - 1}  deleted\n  and 4900 more\n" in body(mail)


def test_mail_about_an_acknowledged_alert() -> None:
    """An alert that was acknowledged before its mail could be sent names the user who did."""
    mail = written(evolve(OFFLINE, acknowledged_at=wall(60), acknowledged_by="ana"))
    assert body(mail).startswith("Acknowledged by ana on 2027-01-15 08:01:00+00:00.\n\n")
    assert "pushctl" not in body(mail)


def test_site_is_one_mail_of_bounded_length() -> None:
    """A mail about a thousand devices lists the first hundred, and the number of all; it names a shared site."""
    names = tuple(f"controlid:{number}" for number in range(1000))
    mail = written(
        evolve(OFFLINE, kind=AlertKind.SITE_OFFLINE, devices=names, count=1000, address="198.51.100.7"),
        device(names[0]),
    )
    assert mail["Subject"] == "[pushd] 1000 devices behind 198.51.100.7 are offline"
    at_site = evolve(OFFLINE, kind=AlertKind.SITE_OFFLINE, devices=names[:5], address="198.51.100.7", site="Lobby\n")
    named = written(evolve(at_site, count=5))
    assert named["Subject"] == "[pushd] 5 devices of Lobby? behind 198.51.100.7 are offline"
    lines = [line for line in body(mail).splitlines() if line.startswith("  ")]
    assert len(lines) == LISTED + 1
    assert lines[:2] == ["  controlid:0  never seen", "  controlid:1  deleted"]
    assert lines[-1] == "  and 900 more"


def test_other_kinds() -> None:
    """A flapping device, a disabled webhook and a queue that fills up are named in the subject."""
    flapping = written(evolve(OFFLINE, kind=AlertKind.FLAPPING), FRONT)
    assert flapping["Subject"] == f"[pushd] Front door ({READER}) is flapping"
    webhook = written(Alert(id=8, kind=AlertKind.WEBHOOK, webhook="wh_1", raised_at=wall()))
    assert webhook["Subject"] == "[pushd] webhook wh_1 was disabled"
    assert body(webhook).startswith("Webhook wh_1 was disabled, because its receiver did not accept an event.\n")
    queue = written(Alert(id=9, kind=AlertKind.NOTIFICATION_QUEUE, raised_at=wall()))
    assert queue["Subject"] == "[pushd] PostgreSQL's notification queue fills up: a session does not read it"
    assert "pg_stat_activity shows it" in body(queue)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Tür 3", "Tür 3"),
        ("x\r\nBcc: eve@example.org\r\n\r\nhello", "x??Bcc: eve@example.org????hello"),
        ("\x1b[2J\u202egone\ud800", "?[2J?gone?"),
        ("n" * 200, "n" * 57 + "..."),
        ("Tür =?unknown-8bit?q?=ff?=", "Tür =?unknown-8bit?q?=ff?="),
        ("=?utf-8?q?=0d=0aX-Spoofed:_yes?=", "=?utf-8?q?=0d=0aX-Spoofed:_yes?="),
    ],
)
def test_names_cannot_inject_headers_or_lines(name: str, shown: str) -> None:
    """A device's name adds no header, no line and no control character, is cut if it is long, and is never decoded."""
    mail = written(OFFLINE, evolve(FRONT, name=name))
    assert mail["Subject"] == f"[pushd] {shown} ({READER}) is offline"
    assert mail["Bcc"] is None
    assert f"\n  {READER}  {shown}  last seen" in body(mail)
    assert len(body(mail).splitlines()) == 6


_WORDS = st.sampled_from(
    [
        "=?utf-8?q?",
        "=?unknown-8bit?b?",
        "=?us-ascii*en?Q?",
        "?=",
        "=ff",
        "=0d=0a",
        "_",
        " ",
        "\r\n",
        "\udcff",
        "é",
        "=?",
    ]
)
_TEXT: Any = st.text(max_size=300) | st.lists(_WORDS | st.text(max_size=5), max_size=12).map("".join)


@given(_TEXT, _TEXT, _TEXT, st.sampled_from(AlertKind), st.none() | st.integers(0, 10**12))
def test_any_mail_can_be_written(name: str, address: str, by: str, kind: AlertKind, later: int | None) -> None:
    """No text of a device or an operator prevents a mail, or changes its structure."""
    alert = evolve(
        OFFLINE,
        kind=kind,
        devices=(READER, "controlid:2"),
        address=address,
        webhook=by,
        acknowledged_by=by,
        acknowledged_at=later,
        mailed_at=later,
    )
    mail = written(alert, evolve(FRONT, name=name, last_address=address))
    assert mail.get_content_type() == "text/plain"
    assert set(mail) - {"In-Reply-To", "References"} == {
        *("From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    }
    assert len(body(mail).splitlines()) < 14


@given(_TEXT)
@example(f"{'x' * 35} {'y' * 20}")
def test_any_name_is_shown_as_it_is(name: str) -> None:
    """A mail program that decodes the subject once shows a device's name as the body does."""
    content = write_mail(OFFLINE, {READER: evolve(FRONT, name=name)}.get, ENVELOPE, at())
    shown = one_line(name, NAME, placeholder="?", ellipsis="...")
    subject = f"[pushd] {f'{shown} ({READER})' if name else READER} is offline"
    encoded = message_from_bytes(content)["Subject"].replace("\r\n", "")
    assert str(make_header(decode_header(encoded))) == subject
