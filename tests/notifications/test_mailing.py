"""Tests of the postman with a real mail server, over sockets and in real time."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import time
from typing import Any

from twisted.internet.task import deferLater

from pushd.core.clocks import Clocks
from pushd.model.alert import AlertRules
from pushd.model.device import PresenceState
from pushd.model.timestamps import Now
from pushd.notifications.mail.message import Envelope
from pushd.notifications.mail.notifier import MailNotifier
from pushd.notifications.mail.smtp import SmtpCarrier, SmtpServer, Tls
from pushd.store.sqlite.store import MEMORY, SqliteStore
from tests.notifications.mailserver import HOST, MailServer
from tests.store.samples import DOOR, device

ANA, BOB = "ana@example.org", "bob@example.org"
RULES = AlertRules(window=0, mails=True)


@asynccontextmanager
async def at_work(post: MailServer, patience: float = 10) -> AsyncIterator[MailNotifier]:
    """A postman of a mail server's, who has a mail to bring."""
    from twisted.internet import reactor

    clocks = Clocks(reactor, time)
    store = SqliteStore(MEMORY)
    store.open(clocks.now())
    carrier = SmtpCarrier(SmtpServer(host=HOST, port=post.port, tls=Tls.NONE), reactor, patience)
    envelope = Envelope(sender="pushd@example.org", recipients=(ANA, BOB))
    notifier = MailNotifier(store, clocks, RULES, envelope, lambda _: None, carrier, lambda: 1.0, look=0.05)
    notifier.startService()
    try:
        await _fall_silent(store, clocks.now())
        yield notifier
    finally:
        notifier.stopService()
        await store.close()


async def _fall_silent(store: SqliteStore, at: Now) -> None:
    await store.add_device(device(DOOR), False, at)
    await store.set_presence(DOOR, PresenceState.ONLINE, at)
    await store.mark_offline([DOOR], RULES, at)
    await store.raise_alerts(RULES, 10, at)


async def until(look: Callable[[], Any], notifier: MailNotifier) -> None:
    """Look again and again until something is seen."""
    for _ in range(500):
        if look():
            return
        await deferLater(notifier.clocks.clock, 0.02)
    raise AssertionError("it did not come")


async def test_deferred_recipient_gets_the_mail_later() -> None:
    """A mailbox that is busy gets its mail when it is not; nobody gets one twice."""
    post = MailServer(answers={BOB: ["450 busy"]})
    with post.running():
        async with at_work(post) as notifier:
            await until(lambda: len(post) == 2, notifier)
    assert [mail.recipients for mail in post.mails] == [(ANA,), (BOB,)]
    assert post.mails[0].mail["Message-ID"] == post.mails[1].mail["Message-ID"]


async def test_server_that_returns_gets_the_mail() -> None:
    """A mail waits for a mail server that is away, and then for one that is slow."""
    post = MailServer()
    with post.running():
        post.hangs.set()
        async with at_work(post, patience=0.2) as notifier:
            await until(lambda: post.waiting, notifier)
            post.hangs.clear()
            await until(lambda: post.mails, notifier)
    post.mails.clear()
    async with at_work(post) as notifier:
        with post.running():
            await until(lambda: post.mails, notifier)
    assert len(post) == 1
