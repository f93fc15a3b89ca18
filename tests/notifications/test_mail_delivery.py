"""Tests of the mail notifier with a real mail server, over sockets and in real time."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import time
from typing import Any

from twisted.internet.task import deferLater

from pushd.core.clocks import Clocks
from pushd.model.alert import AlertRules
from pushd.model.device import PresenceState
from pushd.model.timestamps import Now
from pushd.notifications.known_devices import KnownDevices
from pushd.notifications.mail.notifier import MailNotifier
from pushd.notifications.mail.recipients import Recipient
from pushd.notifications.mail.smtp import SmtpServer, SmtpTransport, Tls
from pushd.store.sqlite.store import SqliteStore
from tests.notifications.mail_server import HOST, MailServer
from tests.store.clock import new_store, when
from tests.store.samples import READER, device

ANA, BOB = "ana@example.org", "bob@example.org"
RULES = AlertRules(window=0, mails=True)


@asynccontextmanager
async def running_notifier(mail_server: MailServer, timeout: float = 10) -> AsyncIterator[MailNotifier]:
    """A notifier that has a mail to send to this mail server."""
    from twisted.internet import reactor

    clocks = Clocks(reactor, time)
    store = new_store()
    store.open()
    transport = SmtpTransport(SmtpServer(host=HOST, port=mail_server.port, tls=Tls.NONE), reactor, timeout)
    recipients = (Recipient(address=ANA), Recipient(address=BOB))
    known_devices = KnownDevices(lambda _: None, store)
    notifier = MailNotifier(
        store, clocks, RULES, "pushd@example.org", recipients, known_devices, transport, lambda: 1.0, interval=0.05
    )
    notifier.startService()
    try:
        await _raise_alert(store, clocks.now())
        yield notifier
    finally:
        notifier.stopService()
        await store.close()


async def _raise_alert(store: SqliteStore, at: Now) -> None:
    await when(store, at).add_device(device(READER), False)
    await when(store, at).set_presence(READER, PresenceState.ONLINE)
    await when(store, at).mark_offline({READER: None}, RULES)
    await when(store, at).raise_alerts(RULES, 10)


async def until(condition: Callable[[], Any], notifier: MailNotifier) -> None:
    """Wait until a condition is true."""
    for _ in range(500):
        if condition():
            return
        await deferLater(notifier.clocks.clock, 0.02)
    raise AssertionError("timed out")


async def test_deferred_recipient_gets_the_mail_later() -> None:
    """A mailbox that is busy gets its mail later; no recipient gets a duplicate."""
    mail_server = MailServer(replies={BOB: ["450 busy"]})
    with mail_server.running():
        async with running_notifier(mail_server) as notifier:
            await until(lambda: len(mail_server) == 2, notifier)
    assert [mail.recipients for mail in mail_server.mails] == [(ANA,), (BOB,)]
    assert mail_server.mails[0].mail["Message-ID"] == mail_server.mails[1].mail["Message-ID"]


async def test_mail_is_sent_when_the_server_works_again() -> None:
    """A mail is retried with a mail server that hangs, and with one that is down."""
    mail_server = MailServer()
    with mail_server.running():
        mail_server.hangs.set()
        async with running_notifier(mail_server, timeout=0.2) as notifier:
            await until(lambda: mail_server.waiting, notifier)
            mail_server.hangs.clear()
            await until(lambda: mail_server.mails, notifier)
    mail_server.mails.clear()
    async with running_notifier(mail_server) as notifier:
        with mail_server.running():
            await until(lambda: mail_server.mails, notifier)
    assert len(mail_server) == 1
