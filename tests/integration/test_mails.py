"""Tests of mails about alerts, from the running server to a real mail server."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pushd.model.alert import AlertRules
from pushd.model.device import Device, LastSeen, PresenceState
from pushd.model.timestamps import Now
from pushd.store.sqlite.store import SqliteStore
from tests.in_memory_server import result_of
from tests.integration.conftest import MakeServer
from tests.integration.server import Server, until
from tests.notifications.mail_server import HOST, MailServer

pytestmark = pytest.mark.slow

SITE = [f"controlid:{number}" for number in range(1, 7)]
ADDRESS = "198.51.100.7"
AT = Now(wall=1_800_000_000_000, steady=0)


def fall_silent(database: Path, devices: Sequence[str]) -> None:
    """Let devices behind one address fall silent in the database of a server that does not run."""
    store = SqliteStore(str(database))
    store.open(AT)
    for device in devices:
        known = Device(id=device, dialect="controlid", name="Gate", heartbeat_timeout=120.0, created_at=AT.wall)
        result_of(store.add_device(known, False, AT))
        result_of(store.set_presence(device, PresenceState.ONLINE, AT))
    seen = [LastSeen(device=one, last_seen_at=AT.wall, last_address=ADDRESS, poll_gap=None) for one in devices]
    result_of(store.save_last_seen(seen))
    result_of(store.mark_offline(devices, AlertRules(window=0), AT))
    result_of(store.close())


def silent_site(make_server: MakeServer, post: MailServer) -> Server:
    """A server that is about to raise an alert about a site, and to mail it."""
    addresses = ("--mail-to=ops@example.org", "--mail-from=pushd@example.org", f"--smtp={HOST}:{post.port}")
    server = make_server("--alert-window=0", *addresses)
    server.data_dir.mkdir(0o700)
    fall_silent(server.data_dir / "pushd.sqlite", SITE)
    return server


def raised(server: Server) -> bool:
    """Whether an alert is open."""
    return bool(server.admin.ask("GET /v1/alerts?open=1").json["items"])


def test_site_that_fell_silent_is_one_mail_through_a_kill(make_server: MakeServer) -> None:
    """A server that is killed after an alert was raised, and before the mail server would take its mail, sends that
    when it runs again: one, about the whole site, and nothing more when it is killed once more.
    """
    post = MailServer()
    with post.running():
        pass  # so that there is a port on which nobody listens
    server = silent_site(make_server, post)
    server.start()
    until(lambda: raised(server), "an alert")
    until(lambda: "SMTP delivery failing" in server.log.read_text(), "a mail that is not taken")
    server.kill()
    with post.running():
        server.start()
        until(lambda: len(post), "the mail")
        until(lambda: server.admin.ask("GET /v1/alerts").json["items"][0]["mailed_at"], "the note that it was sent")
        server.kill()
        server.start()
        assert server.stop() == 0
    (received,) = post.mails
    assert (received.sender, received.recipients) == ("pushd@example.org", ("ops@example.org",))
    assert received.mail["Subject"] == f"[pushd] 6 devices behind {ADDRESS} are offline"
    text = str(received.mail.get_content())
    assert all(f"  {device}  Gate  last seen on " in text for device in SITE)


def test_stop_does_not_wait_for_a_slow_mail_server(make_server: MakeServer) -> None:
    """A server that is stopped while the mail server thinks about a mail ends at once, and sends it after its next
    start.
    """
    post = MailServer()
    post.hangs.set()
    with post.running():
        server = silent_site(make_server, post).start()
        until(lambda: post.waiting, "a mail that is on its way")
        assert server.stop() == 0
        assert "Shutdown incomplete" not in server.log.read_text()
        assert "Traceback" not in server.log.read_text()
    post.mails.clear()
    with post.running():
        server.start()
        until(lambda: len(post), "the mail")
