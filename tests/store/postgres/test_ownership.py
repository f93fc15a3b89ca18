"""Nodes over one database: which of them delivers a webhook, or mails alerts, and what becomes of it when one dies."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
import pytest
from attrs import define, field
from psycopg.rows import dict_row
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.app import Core
from pushd.core.clocks import Clocks
from pushd.model.alert import AlertRules
from pushd.model.errors import Unavailable
from pushd.model.webhook import Attempt, LoggedAttempt, Progress
from pushd.notifications.known_devices import KnownDevices
from pushd.notifications.mail.message import Envelope
from pushd.notifications.mail.notifier import MailNotifier
from pushd.notifications.mail.recipients import Recipient
from pushd.notifications.mail.smtp import SmtpResult
from pushd.notifications.ownership import MARGIN
from pushd.notifications.webhooks.dispatcher import WebhookDispatcher
from pushd.store.ownership import OWNED_SECONDS, RENEW_SECONDS
from pushd.store.postgres.store import PostgresStore
from pushd.wiring import build_core, build_dispatcher
from tests.notifications.webhook_harness import NO_RESPONSE, TURNS, Receiver
from tests.results import result_of
from tests.store.samples import device
from tests.token_file import MemoryTokenFile

START = 1_000_000.0
"""Wall seconds of the database when a test starts."""

STEP = 2
"""Seconds between two beats, at most; less than that after which no node served."""

RULES = AlertRules(mails=True)
TAKEN_OVER = OWNED_SECONDS + RENEW_SECONDS + 1
"""Seconds after which another node has taken over."""


@define
class Mailbox:
    """A mail server, which accepts each mail."""

    mails: list[bytes] = field(factory=list)

    async def send(self, envelope: Envelope, mail: bytes) -> SmtpResult:
        """Keep a mail."""
        self.mails.append(mail)
        return SmtpResult(refused={}, deferred={})


@define(eq=False, repr=False)
class Process:
    """A node: its core, and what it sends to the receiver and by mail. Its clock stands still while it is stopped."""

    store: PostgresStore
    clock: Clock
    core: Core
    agent: RequestTraversalAgent
    dispatcher: WebhookDispatcher
    notifier: MailNotifier
    is_running: bool = True

    def tick(self) -> None:
        """Do what is due."""
        if not self.is_running:
            return
        with suppress(Unavailable):
            result_of(self.store.membership().beat())
        for renew in (self.dispatcher.renew, self.notifier.renew):
            # a renewal may wait for attempts that are being made
            Deferred.fromCoroutine(renew()).addErrback(lambda failure: failure.trap(Unavailable))
        self.run_ready()

    def run_ready(self) -> None:
        """Run everything that needs no time, with the events of the other nodes."""
        self.store._ask()
        for _ in range(TURNS):
            self.clock.advance(0)
            self.agent.flush()

    @property
    def owned(self) -> set[str]:
        """The webhooks that it delivers."""
        return set(self.dispatcher._workers)


@define(eq=False, repr=False)
class Cluster:
    """Nodes over one database, a receiver of webhooks and a mail server; time passes only when the test says so."""

    url: str
    admin: "psycopg.Connection[Any]"
    receiver: Receiver = field(factory=Receiver)
    mailbox: Mailbox = field(factory=Mailbox)
    seconds: float = 0.0
    """Since the machines were started."""
    processes: list[Process] = field(factory=list)
    _devices: Iterator[int] = field(factory=lambda: iter(range(1, 1000)))

    def start(self, name: str) -> Process:
        """Start a node."""
        store = PostgresStore(self.url, None, name, uptime=lambda: self.seconds, machine=lambda: START + self.seconds)
        clock = Clock()
        clocks = Clocks(clock, store.clock.wall, uptime=lambda: self.seconds)
        core = build_core(store, clocks, Config(), MemoryTokenFile(), lambda: 0.5)
        core.start()
        agent = RequestTraversalAgent(self.receiver)
        dispatcher = build_dispatcher(core, Config(), agent, lambda: 0.5)
        notifier = MailNotifier(
            store,
            clocks,
            RULES,
            "pushd@example.org",
            [Recipient(address="ana@example.org")],
            KnownDevices(core.registry.get_with_presence, store),
            self.mailbox,
            lambda: 0.0,
        )
        process = Process(store, clock, core, agent, dispatcher, notifier)
        self.processes.append(process)
        dispatcher.startService()
        notifier.startService()
        process.tick()
        return process

    def run(self, seconds: float) -> None:
        """Let time pass; nodes that are stopped do not notice."""
        until = self.seconds + seconds
        while self.seconds < until:
            step = min(until - self.seconds, STEP)
            self.seconds += step
            self.admin.execute("UPDATE moved SET by = by + %s", (round(1000 * step),))
            for process in self.processes:
                if process.is_running:
                    process.clock.advance(step)
                    process.tick()

    def wake(self, process: Process) -> None:
        """A node that was stopped goes on, with what it was waiting for, and with all its timers that are overdue."""
        process.is_running = True
        process.agent.flush()
        process.clock.advance(self.seconds - process.clock.seconds())
        process.run_ready()

    def subscribe(self, process: Process, **fields: Any) -> str:
        """Add a webhook; its id."""
        webhook = process.core.webhooks.new_webhook(url="https://receiver.example/hook", **fields)
        added, _ = result_of(process.core.webhooks.add(webhook))
        return added.id

    def register(self, process: Process, count: int = 1) -> list[str]:
        """Register devices, which is one event each; the ids of the messages about them."""
        ids = []
        for _ in range(count):
            result_of(process.store.add_device(device(f"controlid:{next(self._devices)}"), False))
            number = result_of(process.store.last_event())
            ids.append(f"evt_{process.core.epochs.event_id(number)}")
        for each in self.processes:
            if each.is_running:
                each.run_ready()
        return ids

    def raise_alert(self, process: Process) -> None:
        """Disable a webhook, about which an alert is mailed."""
        webhook = self.subscribe(process, types=())
        found = result_of(process.store.subscription(webhook))
        progress = Progress(webhook=webhook, revision=found.revision, cursor=found.webhook.cursor)
        attempt = Attempt(seq=found.webhook.cursor, at=0, status=410)
        assert result_of(process.store.disable_webhook(progress, attempt, "gone", RULES))

    def read(self, sql: str) -> Any:
        """The only value that a statement returns."""
        row = self.admin.execute(sql.encode()).fetchone()
        assert row is not None
        return next(iter(row.values()))


@pytest.fixture
def cluster(database: str) -> Iterator[Cluster]:
    """A database without nodes."""
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as admin:
        cluster = Cluster(database, admin)
        yield cluster
        for process in cluster.processes:
            process.dispatcher.stopService()
            process.notifier.stopService()
            process.clock.advance(10)
            process.core.drain()
            result_of(process.store.close())


@pytest.fixture
def nodes(cluster: Cluster) -> tuple[Process, Process]:
    """Two nodes, a and b."""
    return cluster.start("a"), cluster.start("b")


def delivered_by(process: Process, webhook: str) -> Sequence[LoggedAttempt]:
    """The delivery log of a webhook, oldest entry first."""
    return result_of(process.store.deliveries(webhook, None, 100))[::-1]


def test_each_event_is_delivered_by_one_node(cluster: Cluster, nodes: tuple[Process, Process]) -> None:
    """Whichever node an event comes from, each webhook gets it once, from the node that owns the webhook."""
    a, b = nodes
    webhooks = {cluster.subscribe(a), cluster.subscribe(b)}
    cluster.run(RENEW_SECONDS + 1)
    assert len(a.owned) == len(b.owned) == 1
    assert a.owned | b.owned == webhooks
    expected = [message for node in (a, b, a) for message in cluster.register(node, 2)]
    cluster.run(60)
    assert sorted(cluster.receiver.ids) == sorted(expected * 2)


def test_a_node_that_starts_gets_its_share(cluster: Cluster) -> None:
    """Webhooks move to a node that starts, without a message that is sent twice."""
    a = cluster.start("a")
    webhooks = {cluster.subscribe(a) for _ in range(5)}
    cluster.run(2)
    assert a.owned == webhooks
    b = cluster.start("b")
    expected = []
    for _ in range(5):
        expected += cluster.register(a)
        cluster.run(RENEW_SECONDS)
    assert (len(a.owned), len(b.owned)) == (3, 2)
    assert a.owned | b.owned == webhooks
    assert sorted(cluster.receiver.ids) == sorted(expected * 5)


def test_another_node_takes_over(cluster: Cluster, nodes: tuple[Process, Process]) -> None:
    """The owner is killed: the other node delivers what happened since, in order, and skips nothing."""
    a, b = nodes
    cluster.subscribe(a)
    cluster.run(2)
    assert a.owned
    expected = cluster.register(b, 2)
    a.is_running = False
    expected += cluster.register(b, 3)
    assert cluster.receiver.ids == expected[:2]
    cluster.run(OWNED_SECONDS - RENEW_SECONDS)
    assert not b.owned
    cluster.run(TAKEN_OVER)
    assert b.owned
    assert cluster.receiver.ids == expected


def test_a_woken_owner_writes_nothing(cluster: Cluster, nodes: tuple[Process, Process]) -> None:
    """The owner is stopped in the middle of an attempt, and wakes when the other node has taken over.

    What it had sent arrived twice, with the same id; it saves nothing, and sends nothing more.
    """
    a, b = nodes
    webhook = cluster.subscribe(a)
    cluster.run(2)
    cluster.receiver.answer = lambda _: NO_RESPONSE
    [first] = cluster.register(b)
    a.is_running = False
    cluster.receiver.answer = lambda _: 204
    [second] = cluster.register(b)
    cluster.run(TAKEN_OVER)
    assert cluster.receiver.ids == [first, first, second]
    before = result_of(b.store.subscription(webhook)), delivered_by(b, webhook)
    cluster.receiver.respond(503)
    cluster.wake(a)
    cluster.run(2)
    assert not a.owned
    assert (result_of(b.store.subscription(webhook)), delivered_by(b, webhook)) == before
    assert cluster.receiver.ids == [first, first, second]


def test_a_woken_owner_sends_nothing(cluster: Cluster, nodes: tuple[Process, Process]) -> None:
    """An event that a node finds when it wakes, before its overdue timers, waits until it is known who owns it."""
    a, b = nodes
    cluster.subscribe(a)
    cluster.run(2)
    a.is_running = False
    cluster.run(OWNED_SECONDS - MARGIN + 2)
    [message] = cluster.register(b)
    a.run_ready()
    assert cluster.receiver.ids == []
    a.is_running = True
    a.tick()
    assert a.owned
    assert cluster.receiver.ids == [message]


def test_progress_of_a_former_owner_is_refused(cluster: Cluster, nodes: tuple[Process, Process]) -> None:
    """Each takeover counts up the revision, without which no progress is saved."""
    a, b = nodes
    webhook = cluster.subscribe(a)
    cluster.run(2)
    [before] = [worker.subscription for worker in a.dispatcher._workers.values()]
    a.is_running = False
    cluster.run(TAKEN_OVER)
    progress = Progress(webhook=webhook, revision=before.revision, cursor=before.webhook.cursor + 1)
    attempt = Attempt(seq=1, at=0)
    assert not result_of(a.store.save_progress(progress, attempt))
    assert not result_of(a.store.disable_webhook(progress, attempt, "gone", RULES))
    assert result_of(b.store.webhook(webhook)).disabled_at is None
    assert delivered_by(b, webhook) == []


def test_two_nodes_take_at_the_same_instant(cluster: Cluster, nodes: tuple[Process, Process]) -> None:
    """Both find the same webhooks free: each of them gets one owner, and both nodes get some."""
    for process in nodes:
        process.is_running = False
    webhooks = {cluster.subscribe(nodes[0]) for _ in range(8)}
    with ThreadPoolExecutor(2) as threads, psycopg.connect(cluster.url) as lock:
        lock.execute("LOCK TABLE webhook IN ACCESS EXCLUSIVE MODE")
        taking = [threads.submit(partial(_own, process)) for process in nodes]
        while cluster.read("SELECT COUNT(*) FROM pg_locks WHERE NOT granted") < len(nodes):
            assert not any(future.done() for future in taking)
        lock.commit()
        first, second = (_outcome(future) for future in taking)
    assert not first & second
    assert first | second == webhooks
    assert first
    assert second


def _own(process: Process) -> set[str]:
    return set(result_of(process.store.own_webhooks({})).ids)


def _outcome(future: "Future[set[str]]") -> set[str]:
    return future.result(30)


def test_delivery_stops_when_the_database_cannot_be_reached(
    cluster: Cluster, nodes: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that cannot renew what it owns stops before another one may take it, and gets its share again later."""
    a, b = nodes
    cluster.subscribe(a)
    cluster.subscribe(a)
    cluster.run(RENEW_SECONDS + 1)
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise Unavailable("cut off")

        patch.setattr(PostgresStore, "own_webhooks", fail)
        cluster.run(OWNED_SECONDS - MARGIN - RENEW_SECONDS - 1)
        assert a.owned
        assert b.owned
        cluster.run(RENEW_SECONDS + 1)
        assert not a.owned
        assert not b.owned
        expected = cluster.register(a)
        assert cluster.receiver.ids == []
    cluster.run(2)
    assert len(a.owned) == len(b.owned) == 1
    assert cluster.receiver.ids == expected * 2


def test_a_stop_hands_over_at_once(cluster: Cluster, nodes: tuple[Process, Process]) -> None:
    """A node that stops gives up what it owns; a restart under the same name takes over from the process before."""
    a, b = nodes
    cluster.subscribe(a)
    cluster.run(2)
    cluster.processes.remove(a)
    a.dispatcher.stopService()
    a.notifier.stopService()
    a.core.drain()
    result_of(a.store.close())
    cluster.run(RENEW_SECONDS)
    assert b.owned
    b.is_running = False
    again = cluster.start("b")
    assert again.owned == b.owned
    [after] = again.dispatcher._workers.values()
    [before] = b.dispatcher._workers.values()
    assert after.subscription.revision > before.subscription.revision
    [message] = cluster.register(again)
    assert cluster.receiver.ids == [message]


def test_a_webhook_is_changed_at_another_node(cluster: Cluster, nodes: tuple[Process, Process]) -> None:
    """The owner delivers by the change, at the latest after its next renewal; a deleted webhook gets nothing."""
    a, b = nodes
    webhook = cluster.subscribe(a)
    cluster.run(2)
    result_of(b.core.webhooks.change(webhook, {"url": "https://receiver.example/other"}))
    cluster.run(RENEW_SECONDS)
    [message] = cluster.register(a)
    assert [(each.id, each.path) for each in cluster.receiver.messages] == [(message, "/other")]
    result_of(b.core.webhooks.delete(webhook))
    cluster.run(RENEW_SECONDS)
    cluster.register(a)
    assert cluster.receiver.ids == [message]
    assert not a.owned


def test_one_node_mails(cluster: Cluster, nodes: tuple[Process, Process]) -> None:
    """An alert is mailed once; when the node that mails is killed, the other one goes on."""
    a, b = nodes
    cluster.raise_alert(b)
    cluster.run(16)
    assert len(cluster.mailbox.mails) == 1
    a.is_running = False
    cluster.raise_alert(b)
    cluster.run(OWNED_SECONDS - RENEW_SECONDS)
    assert len(cluster.mailbox.mails) == 1
    cluster.run(TAKEN_OVER)
    assert len(cluster.mailbox.mails) == 2
    cluster.wake(a)
    cluster.run(60)
    assert len(cluster.mailbox.mails) == 2


def test_a_woken_node_saves_nothing_about_mails(cluster: Cluster, nodes: tuple[Process, Process]) -> None:
    """A node that mailed until it was stopped changes nothing about a mail when another one owns them."""
    a, b = nodes
    a.is_running = False
    cluster.run(TAKEN_OVER)
    b.notifier.stopService()
    cluster.raise_alert(b)
    [alert] = result_of(b.store.due_mails(10))
    assert not result_of(a.store.save_mailed(alert, None, RULES))
    assert not result_of(a.store.skip_mail(alert.id))
    assert not result_of(a.store.save_mail_error(alert.id, "refused"))
    assert result_of(b.store.due_mails(10)) == [alert]
    assert result_of(b.store.save_mailed(alert, None, RULES))
    assert result_of(b.store.due_mails(10)) == []


def test_what_no_node_owns_is_known(cluster: Cluster) -> None:
    """What is due and has been owned by no node for three minutes is named; what is not due is not."""
    a = cluster.start("a")
    idle = cluster.subscribe(a)
    cluster.run(2)
    a.dispatcher.stopService()
    a.notifier.stopService()
    cluster.run(OWNED_SECONDS + 181)
    assert result_of(a.store.unowned(180)) == []
    cluster.raise_alert(a)
    webhook = cluster.subscribe(a)
    cluster.register(a)
    cluster.run(180)
    assert result_of(a.store.unowned(180)) == [f"webhook {idle}", f"webhook {webhook}", "mails"]
    result_of(a.store.own_webhooks({}))
    result_of(a.store.own_mails())
    assert result_of(a.store.unowned(180)) == []


def test_a_new_webhook_goes_to_the_node_that_has_fewer(cluster: Cluster, nodes: tuple[Process, Process]) -> None:
    """A webhook that is added at a node which has its share is taken by the other one."""
    a, b = nodes
    first = cluster.subscribe(a)
    cluster.run(2)
    second = cluster.subscribe(a)
    cluster.run(RENEW_SECONDS)
    assert (a.owned, b.owned) == ({first}, {second})
