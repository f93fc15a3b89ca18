"""Tests of alert mails from a server process to a real mail server."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pushd.model.alert import AlertRules
from pushd.model.device import Device, LastSeen, PresenceState
from pushd.model.timestamps import Now
from tests.integration.conftest import MakeServer
from tests.integration.server import Server, until
from tests.notifications.mail_server import HOST, MailServer
from tests.results import result_of
from tests.store.clock import new_store, when

pytestmark = pytest.mark.slow

SITE = [f"controlid:{number}" for number in range(1, 7)]
ADDRESS = "198.51.100.7"
AT = Now(wall=1_800_000_000_000, steady=0)


def write_offline_devices(database: Path, devices: Sequence[str]) -> None:
    """Write devices behind one address that have gone offline into the database of a server that is not running."""
    store = new_store(str(database))
    when(store, AT).open()
    for device in devices:
        registered = Device(id=device, dialect="controlid", name="Gate", heartbeat_timeout=120.0, created_at=AT.wall)
        result_of(when(store, AT).add_device(registered, False))
        result_of(when(store, AT).set_presence(device, PresenceState.ONLINE))
    seen = [LastSeen(device=device, last_seen_at=AT.wall, last_address=ADDRESS, poll_gap=None) for device in devices]
    result_of(store.save_last_seen(seen))
    result_of(when(store, AT).mark_offline(dict.fromkeys(devices), AlertRules(window=0)))
    result_of(store.close())


def server_with_offline_site(make_server: MakeServer, mail_server: MailServer, *options: str) -> Server:
    """A server that will raise an alert about a site at its start, and mail it."""
    addresses = ("--mail-to=ops@example.org", "--mail-from=pushd@example.org", f"--smtp={HOST}:{mail_server.port}")
    server = make_server("--alert-window=0", *addresses, *options)
    server.data_dir.mkdir(0o700)
    write_offline_devices(server.data_dir / "pushd.sqlite", SITE)
    return server


def has_open_alert(server: Server) -> bool:
    """Whether an alert is open."""
    return bool(server.admin.ask("GET /v1/alerts?open=1").json["items"])


def test_offline_site_is_one_mail_despite_kills(make_server: MakeServer) -> None:
    """A server that is killed before the mail server accepted its alert mail sends it after the next start: one mail
    about the whole site, and no other after another kill.
    """
    mail_server = MailServer()
    with mail_server.running():
        pass  # it has a port now, on which nothing listens
    server = server_with_offline_site(make_server, mail_server)
    server.start()
    until(lambda: has_open_alert(server), "an alert")
    until(lambda: "SMTP delivery failing" in server.log.read_text(), "the mail server is not reached")
    server.kill()
    with mail_server.running():
        server.start()
        until(lambda: len(mail_server), "the mail")
        until(lambda: server.admin.ask("GET /v1/alerts").json["items"][0]["mailed_at"], "the mail is recorded as sent")
        server.kill()
        server.start()
        assert server.stop() == 0
    (received,) = mail_server.mails
    assert (received.sender, received.recipients) == ("pushd@example.org", ("ops@example.org",))
    assert received.mail["Subject"] == f"[pushd] 6 devices behind {ADDRESS} are offline"
    text = str(received.mail.get_content())
    assert all(f"  {device}  Gate  last seen on " in text for device in SITE)


def test_stop_does_not_wait_for_a_slow_mail_server(make_server: MakeServer) -> None:
    """A server that is stopped while the mail server does not answer ends in time, and sends the mail after its next
    start.
    """
    mail_server = MailServer()
    mail_server.hangs.set()
    with mail_server.running():
        server = server_with_offline_site(make_server, mail_server).start()
        until(lambda: mail_server.waiting, "a mail is being sent")
        assert server.stop() == 0
        assert "Shutdown incomplete" not in server.log.read_text()
        assert "Traceback" not in server.log.read_text()
    mail_server.mails.clear()
    with mail_server.running():
        server.start()
        until(lambda: len(mail_server), "the mail")


def test_end_of_an_alert_and_a_test_are_mailed(make_server: MakeServer) -> None:
    """A server process mails that an alert is over once its devices report, and sends a test mail on request."""
    mail_server = MailServer(replies={"ops@example.org": ["250 OK", "250 OK", "550 no such user"]})
    with mail_server.running():
        server = server_with_offline_site(make_server, mail_server, "--base-url=https://pushd.example.org/").start()
        until(lambda: len(mail_server), "the mail about the alert")
        until(lambda: server.admin.ask("GET /v1/alerts").json["items"][0]["mailed_at"], "the mail is recorded as sent")
        for device in SITE:
            server.devices.begin(f"GET /push?deviceId={device.partition(':')[2]}").hang_up()
        until(lambda: len(mail_server) == 2, "the mail that the alert is over")
        [recipient] = server.admin.ask("POST /v1/mail/test").json["recipients"]
        server.stop()
    raised, cleared = mail_server.mails
    assert cleared.mail["Subject"] == f"Re: {raised.mail['Subject']} (resolved)"
    assert cleared.mail["In-Reply-To"] == raised.mail["Message-ID"]
    assert "\nAlert:  https://pushd.example.org/alerts/" in str(cleared.mail.get_content()).replace("\r", "")
    assert recipient == {"address": "ops@example.org", "accepted": False, "reply": "550 no such user"}
