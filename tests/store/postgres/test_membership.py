"""Two nodes over one database: which of them serves a device, sends to it, and finds out that it is silent."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import inf
from typing import Any, TypeVar

import psycopg
import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import define, field
from psycopg.rows import dict_row
from twisted.internet.defer import Deferred, gatherResults

from pushd.model.device import Admission, LastSeen, PresenceState
from pushd.store.membership import TakenOver
from pushd.store.postgres.membership import Membership
from pushd.store.postgres.node import DEAD
from pushd.store.postgres.sightings import MOVES, Move
from pushd.store.postgres.store import PostgresStore
from tests.postgres import ReusedDatabase
from tests.results import result_of
from tests.store.clock import new_postgres_store, when
from tests.store.outages import RULES, SITE, add_site, alerts, come_online, go_offline
from tests.store.samples import OTHER_READER, READER, at, device, wall
from tests.store.steps import claim, get_device, put

T = TypeVar("T")


@define(eq=False)
class Nodes:
    """Two nodes, and a session of the test."""

    url: str
    admin: "psycopg.Connection[Any]"
    stores: dict[str, PostgresStore] = field(factory=dict)
    started: list[PostgresStore] = field(factory=list)
    moves: list[tuple[str, str, bool]] = field(factory=list)
    """What each node was notified of: the node, the device, and whether the node serves it from then on."""

    def start(self, name: str) -> PostgresStore:
        """Start a node, whose operations are done on the calling thread."""
        store = self.stores[name] = new_postgres_store(self.url, node=name)
        self.started.append(store)
        store.open()
        store.membership().subscribe(lambda device, is_here: self.moves.append((name, device, is_here)))
        return store

    def membership(self, name: str) -> Membership:
        """The membership of a node."""
        return self.stores[name].membership()

    def serve(self, name: str, device: str = READER) -> None:
        """A device polls at a node."""
        result_of(self.membership(name).serve(device))

    def listen(self) -> None:
        """Notify both nodes of what is sent on the channel of moves, from now on with each call of :meth:`hear`."""
        self.admin.execute(f"LISTEN {MOVES}")

    def hear(self, count: int) -> list[str]:
        """Give both nodes so many notifications; their payloads."""
        heard = [notify.payload for notify in self.admin.notifies(timeout=30, stop_after=count)]
        for payload in heard:
            for name in self.stores:
                self.membership(name).note(Move.of_payload(payload))
        return heard

    def read(self, sql: str) -> Any:
        """The only value that a statement returns."""
        row = self.admin.execute(sql).fetchone()
        assert row is not None
        return next(iter(row.values()))

    def kill(self, name: str) -> None:
        """A node does not beat any more."""
        self.admin.execute("UPDATE node SET beat = beat - %s - 1 WHERE name = %s", (DEAD, name))


@pytest.fixture
def nodes(postgres_database: ReusedDatabase) -> Iterator[Nodes]:
    """Two nodes, a and b, over a database with two approved devices."""
    postgres_database.restore("two_devices")
    with psycopg.connect(postgres_database.url, autocommit=True, row_factory=dict_row) as admin:
        nodes = Nodes(postgres_database.url, admin)
        nodes.start("a")
        nodes.start("b")
        yield nodes
        for store in nodes.started:
            pytest_twisted.blockon(store.close())


def in_thread(call: Callable[[], "Deferred[T]"]) -> "tuple[ThreadPoolExecutor, Any]":
    """Call a store on another thread; the executor, and the future of the result."""
    threads = ThreadPoolExecutor(1)
    return threads, threads.submit(lambda: result_of(call()))


async def test_moves(nodes: Nodes) -> None:
    """A device that polls at another node is served there from then on, and the node before is notified."""
    nodes.listen()
    nodes.serve("a")
    nodes.serve("b")
    assert nodes.hear(2) == [f"1 a {READER}", f"2 b {READER}"]
    assert not nodes.membership("a").serves(READER)
    assert nodes.membership("b").serves(READER)
    assert nodes.moves == [("a", READER, True), ("b", READER, True), ("a", READER, False)]


async def test_devices_that_come_at_once(nodes: Nodes) -> None:
    """Devices that poll while it is saved that the node serves another one are saved together behind it."""
    membership = nodes.membership("a")
    submit, begun, together = membership.submit, Deferred[None](), []

    def submit_later(operation: Any, devices: Any, *args: Any) -> Deferred[Any]:
        together.append(devices)
        return begun.addCallback(lambda _: submit(operation, devices, *args))

    membership.submit = submit_later
    nodes.listen()
    serving = [membership.serve(device) for device in (READER, OTHER_READER, "controlid:3", READER)]
    assert together == [[READER]]
    begun.callback(None)
    await gatherResults(serving)
    assert together == [[READER], [OTHER_READER, "controlid:3"]]
    assert sorted(nodes.hear(2)) == [f"1 a {READER}", f"1 a {OTHER_READER}"]
    assert membership.serves(OTHER_READER)


async def test_start_after_a_move(nodes: Nodes) -> None:
    """A node that starts again knows for how long it had served its devices; a poll of a device that moved meanwhile,
    or that it took over, may not be saved.
    """
    when(nodes.stores["a"], at(0))
    nodes.serve("a")
    nodes.serve("b", OTHER_READER)
    nodes.kill("b")
    result_of(nodes.membership("a").beat())
    when(nodes.stores["a"], at(5))
    assert [taken.device for taken in await nodes.membership("a").take_over(10)] == [OTHER_READER]
    again = new_postgres_store(nodes.url, node="a")
    when(again, at(8)).open()
    nodes.started.append(again)
    assert [again.membership().served_for(device) for device in (READER, OTHER_READER, "controlid:3")] == [8, 3, inf]


async def test_late_return(nodes: Nodes) -> None:
    """A node saves too late that a device is online, which has polled elsewhere since and went offline there: it stays
    offline, and the node learns that, and that it does not serve the device.
    """
    a, b = nodes.stores["a"], nodes.stores["b"]
    nodes.serve("a")
    nodes.serve("b")
    assert await b.mark_offline({READER: None}, RULES) == {}
    assert await a.set_presence(READER, PresenceState.ONLINE) is PresenceState.OFFLINE
    assert (await get_device(a, READER)).presence is PresenceState.OFFLINE
    assert nodes.moves[-1] == ("a", READER, False)
    assert await b.set_presence(READER, PresenceState.ONLINE) is PresenceState.ONLINE
    assert (await get_device(a, READER)).presence is PresenceState.ONLINE


async def test_late_notification(nodes: Nodes) -> None:
    """A notification of an earlier move changes nothing: the device has come back since."""
    nodes.listen()
    for name in "aba":
        nodes.serve(name)
    nodes.hear(3)
    assert nodes.membership("a").serves(READER)
    assert not nodes.membership("b").serves(READER)


async def test_serving_makes_online(nodes: Nodes) -> None:
    """A device that polls anywhere is online, whatever the node knows that it polls at."""
    store = nodes.stores["a"]
    nodes.serve("a")
    await store.mark_offline({READER: None}, RULES)
    nodes.serve("b")
    assert (await get_device(store, READER)).presence is PresenceState.ONLINE


async def test_half_open_poll_gets_nothing(nodes: Nodes) -> None:
    """A node that does not know yet that a device polls elsewhere claims nothing for it, and learns that."""
    a, b = nodes.stores.values()
    nodes.serve("a")
    nodes.serve("b")
    await put(a, 1)
    assert nodes.membership("a").serves(READER)
    assert await claim(a) is None
    assert not nodes.membership("a").serves(READER)
    assert await claim(b) is not None


async def test_pending_device(nodes: Nodes) -> None:
    """Of a pending device nothing is saved; it is as soon as it is approved, and polls."""
    a = nodes.stores["a"]
    await a.add_device(device("controlid:3", admission=Admission.PENDING), True)
    nodes.serve("a", "controlid:3")
    sightings = "SELECT count(*) AS saved FROM sighting"
    assert nodes.membership("a").serves("controlid:3")
    assert nodes.read(sightings) == 0
    await a.change_device("controlid:3", {"admission": Admission.APPROVED})
    assert not nodes.membership("a").serves("controlid:3")
    nodes.serve("a", "controlid:3")
    assert nodes.read(sightings) == 1


async def test_only_the_serving_node_judges(nodes: Nodes) -> None:
    """The node that a device has left does not mark it offline; the one that serves it does."""
    a, b = nodes.stores.values()
    nodes.serve("a")
    nodes.serve("b")
    assert await a.mark_offline({READER: None}, RULES) == {READER: 0.0}
    assert (await get_device(a, READER)).presence is PresenceState.ONLINE
    assert await b.mark_offline({READER: None}, RULES) == {}
    assert (await get_device(a, READER)).presence is PresenceState.OFFLINE


async def test_moves_while_it_is_judged(nodes: Nodes) -> None:
    """A device that is moving to another node while its former one marks it offline stays online."""
    nodes.serve("a")
    with psycopg.connect(nodes.url) as moving:
        moving.execute("SELECT FROM device WHERE id = %s FOR NO KEY UPDATE", (READER,))
        moving.execute("UPDATE sighting SET node = 'b', moves = moves + 1 WHERE device = %s", (READER,))
        threads, judged = in_thread(lambda: nodes.stores["a"].mark_offline({READER: None}, RULES))
        waiting = "SELECT count(*) AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while not nodes.read(waiting):
            pass
        moving.commit()
    assert judged.result() == {READER: 0.0}
    threads.shutdown()
    assert (await get_device(nodes.stores["a"], READER)).presence is PresenceState.ONLINE


async def test_reports_to_another_node(nodes: Nodes) -> None:
    """A device that polls at one node, and reports its results to another one, is not silent."""
    a, b = nodes.stores.values()
    nodes.serve("a")
    seen = LastSeen(device=READER, last_seen_at=wall(-20), last_address=None, poll_gap=None)
    await b.save_last_seen([seen])
    assert await a.mark_offline({READER: None}, RULES) == {READER: 20.0}
    await b.save_last_seen([LastSeen(device=READER, last_seen_at=wall(-121), last_address=None, poll_gap=None)])
    assert await a.mark_offline({READER: None}, RULES) == {READER: 20.0}


async def test_takes_over_from_a_dead_node(nodes: Nodes) -> None:
    """The devices of a dead node are taken over in parts, each with its presence, by the node that finds them."""
    a, b = nodes.membership("a"), nodes.membership("b")
    assert result_of(b.take_over(500)) == []  # none was online without a node
    for name in (READER, OTHER_READER):
        nodes.serve("a", name)
    assert result_of(b.take_over(500)) == ()
    nodes.kill("a")
    result_of(b.beat())
    taken = [result_of(b.take_over(1)) for _ in range(3)]
    assert sorted(each.device for part in taken for each in part) == [READER, OTHER_READER]
    assert taken[0] == [TakenOver(taken[0][0].device, PresenceState.ONLINE, 120.0)]
    assert b.serves(READER)
    for _ in range(2):
        result_of(b.beat())
    assert result_of(b.take_over(1)) == ()
    assert nodes.read("SELECT string_agg(name, ' ') AS names FROM node") == "b"
    a.lose(READER)


async def test_two_take_over(nodes: Nodes) -> None:
    """Of two nodes that find the devices of a dead one, each device gets one."""
    nodes.start("c")
    for name in (READER, OTHER_READER):
        nodes.serve("a", name)
    nodes.kill("a")
    for name in "bc":
        result_of(nodes.membership(name).beat())
    with psycopg.connect(nodes.url) as taking:
        taking.execute("SELECT FROM sighting WHERE device = %s FOR UPDATE", (READER,))
        part = result_of(nodes.membership("b").take_over(500))
    assert [each.device for each in part] == [OTHER_READER]
    assert [each.device for each in result_of(nodes.membership("c").take_over(500))] == [READER]


async def test_online_devices_of_no_node(nodes: Nodes) -> None:
    """Devices that were online in a database that no node has ever served are taken over, too."""
    await come_online(nodes.stores["a"], READER)
    nodes.admin.execute("DELETE FROM sighting")
    taken = result_of(nodes.membership("b").take_over(500))
    assert taken == [TakenOver(READER, PresenceState.ONLINE, 120.0)]
    assert result_of(nodes.membership("b").take_over(500)) == []


async def test_restarted_node(nodes: Nodes) -> None:
    """A node that starts again under its name serves the devices that it served."""
    nodes.serve("a")
    nodes.serve("b", OTHER_READER)
    again = nodes.start("a")
    assert again.membership().serves(READER)
    assert not again.membership().serves(OTHER_READER)


async def test_missed_notifications(nodes: Nodes) -> None:
    """A node that has missed notifications reads which devices it serves."""
    nodes.serve("a")
    nodes.serve("b")
    nodes.membership("a").load([Move(OTHER_READER, "a", 1)], nodes.membership("a").served)
    assert nodes.moves[-2:] == [("a", READER, False), ("a", OTHER_READER, True)]


async def test_deleted_device(nodes: Nodes) -> None:
    """With a device its sighting is deleted."""
    nodes.serve("a")
    await nodes.stores["b"].forget_device(READER)
    assert nodes.read("SELECT count(*) AS saved FROM sighting") == 0


async def test_one_alert(nodes: Nodes) -> None:
    """While one node raises alerts, another one raises none."""
    a, b = nodes.stores.values()
    await add_site(a, SITE)
    await go_offline(a, *SITE)
    with psycopg.connect(nodes.url) as raising:
        raising.execute("SELECT pg_advisory_xact_lock(x'616C657274'::bigint)")
        assert await alerts(b, 31) == []
    assert [alert.kind for alert in await alerts(b, 31)] == ["site_offline"]
    assert len(await alerts(a, 31)) == 1


async def test_two_raise_an_alert_at_once(nodes: Nodes) -> None:
    """Two nodes that find at the same instant that a site is offline raise one alert."""
    a, b = nodes.stores.values()
    await add_site(a, SITE)
    await go_offline(a, *SITE)
    with psycopg.connect(nodes.url) as lock:
        lock.execute("LOCK TABLE alert IN SHARE MODE")  # neither can write one until both try
        threads = [in_thread(partial(when(store, at(31)).raise_alerts, RULES, 100)) for store in (a, b)]
        while not nodes.read("SELECT count(*) AS waiting FROM pg_locks WHERE NOT granted"):
            pass
        lock.commit()
    for executor, raised in threads:
        raised.result()
        executor.shutdown()
    assert [alert.kind for alert in await alerts(b, 31)] == ["site_offline"]


async def test_last_two_devices_return(nodes: Nodes) -> None:
    """Two nodes at which the last two devices of an alert return at the same moment clear the alert."""
    a, b = nodes.stores.values()
    await add_site(a, SITE)
    await go_offline(a, *SITE)
    assert len(await alerts(a, 31)) == 1
    await come_online(a, *SITE[:-2], seconds=32)
    with psycopg.connect(nodes.url) as first:
        first.execute("SELECT pg_advisory_xact_lock(x'616C657274'::bigint)")
        first.execute("UPDATE alert_device SET cleared_at = 1 WHERE device = %s", (SITE[-2],))
        threads, second = in_thread(lambda: b.set_presence(SITE[-1], PresenceState.ONLINE))
        waiting = "SELECT count(*) AS waiting FROM pg_stat_activity WHERE wait_event = 'advisory'"
        while not nodes.read(waiting):
            pass
        first.commit()
    second.result()
    threads.shutdown()
    assert await alerts(a, 33) == []


def test_cut_off(nodes: Nodes) -> None:
    """A node that could not beat for ten seconds is cut off."""
    membership, seconds = nodes.membership("a"), 0.0
    before = membership.node.uptime
    membership.node.uptime = lambda: before() + seconds
    assert not membership.is_cut_off()
    seconds = DEAD / 1000 + 1
    assert membership.is_cut_off()
    result_of(membership.beat())
    assert not membership.is_cut_off()


async def test_first_group_after_an_outage(nodes: Nodes) -> None:
    """The first group over a new session begins with a beat: the clocks leave out an outage before anything is judged
    by them.
    """
    a = nodes.stores["a"]
    await put(a, 1)
    sessions = "FROM pg_stat_activity WHERE application_name = 'pushd/a' AND pid <> pg_backend_pid()"
    nodes.admin.execute(f"SELECT pg_terminate_backend(pid) {sessions}".encode())
    nodes.admin.execute("UPDATE service SET beat = beat - 60000, lost_ms = 0")
    await put(a, 2)
    assert nodes.read("SELECT lost_ms FROM service") >= 60_000
