"""Nodes over real sessions: beats, the clocks of the service, fencing, and versions."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from attrs import define, evolve, field
from psycopg.rows import dict_row
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from pushd.model.errors import StoreRefused, Unavailable
from pushd.store.commit_failures import CommitFailures
from pushd.store.postgres.migrations import newest_version
from pushd.store.postgres.node import DEAD, SILENCE, STEP, Beat, Node, find_step
from pushd.store.postgres.service_clock import ServiceClock
from pushd.store.postgres.session import MAX_BACKOFF, Session, SessionOptions


@define(eq=False)
class Service:
    """A database, and a clock by which both it and the machines of the nodes go, except where a test moves one."""

    url: str
    admin: "psycopg.Connection[Any]"
    time: Clock = field(factory=Clock)
    nodes: list[Node] = field(factory=list)

    def node(self, name: str, instance: str = "first", schema: int = newest_version()) -> Node:
        """A node that has joined."""
        node = self.unjoined(name, instance, schema)
        node.join()
        return node

    def unjoined(self, name: str, instance: str = "first", schema: int = newest_version()) -> Node:
        """A node that has not joined yet."""
        node = Node(
            name=name,
            instance=instance,
            version="1.0",
            schema=schema,
            session=Session(
                SessionOptions(url=self.url, node=name, is_writer=True, is_starting=True), clock=self.time.seconds
            ),
            failures=CommitFailures(),
            uptime=self.time.seconds,
            clock=lambda: self.time.seconds() + 1_000_000,
        )
        self.nodes.append(node)
        return node

    def pass_time(self, seconds: float, *, database: float = 0.0) -> None:
        """Let time pass on all clocks, and set that of the database forward or back."""
        self.time.advance(seconds)
        self.admin.execute("UPDATE moved SET by = by + %s", (round((seconds + database) * 1000),))

    def row(self, sql: str) -> Any:
        """The first row of a statement."""
        return self.admin.execute(sql).fetchone()

    @property
    def lost(self) -> int:
        """Lost time of the service, in milliseconds."""
        lost: int = self.row("SELECT lost_ms FROM service")["lost_ms"]
        return lost


@pytest.fixture
def service(database: str) -> Iterator[Service]:
    """A service without nodes."""
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as admin:
        service = Service(database, admin)
        yield service
        for node in service.nodes:
            node.session.close()


def in_parallel(calls: list[Callable[[], Beat]]) -> list[Beat]:
    """Make blocking calls at the same time."""
    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(call) for call in calls]]


def test_first_beat(service: Service) -> None:
    """A new service loses no time before its first node starts."""
    beat = service.node("a").beat()
    assert (beat.wall, beat.lost, beat.dead) == (1_000_000_000, 0, ())
    assert service.row("SELECT name, beat, version FROM node") == {
        "name": "a",
        "beat": beat.now.steady,
        "version": "1.0",
    }


def test_each_second(service: Service) -> None:
    """While nodes beat, steady time goes as wall time does."""
    nodes = [service.node(name) for name in "ab"]
    for _ in range(20):
        service.pass_time(1)
        beats = [node.beat() for node in nodes]
    assert [beat.now.steady for beat in beats] == [1_000_020_000] * 2


def test_four_find_an_outage(service: Service) -> None:
    """After an outage four nodes beat at once, and its time is given back once."""
    nodes = [service.node(name) for name in "abcd"]
    service.pass_time(60)
    with psycopg.connect(service.url) as blocker:  # so that all four wait for one row
        blocker.execute("SELECT * FROM service FOR UPDATE")
        with ThreadPoolExecutor(4) as threads:
            beats = [threads.submit(node.beat) for node in nodes]
            waiting = "SELECT count(*) AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while service.row(waiting)["waiting"] < 4:
                pass
            blocker.rollback()
            steady = {beat.result().now.steady for beat in beats}
    assert (service.lost, steady) == (60_000, {1_000_000_000})
    assert service.row("SELECT stepped_ms FROM service")["stepped_ms"] == 0


def test_short_silence(service: Service) -> None:
    """Up to five seconds without a beat are no outage."""
    node = service.node("a")
    service.pass_time(SILENCE / 1000)
    node.beat()
    assert service.lost == 0


def test_crash_loop(service: Service) -> None:
    """A node that starts again and again gives no time back while another one serves."""
    service.node("a")
    steady = service.nodes[0].beat
    for number in range(10):
        service.pass_time(4)
        steady()
        service.node("b", instance=str(number))
    assert service.lost == 0


@pytest.mark.parametrize("step", [3600.0, 3.0, -3.0, -3600.0])
def test_step(service: Service, step: float) -> None:
    """When the database's clock is set, steady time goes on; of four nodes that notice, one subtracts the step."""
    nodes = [service.node(name) for name in "abcd"]
    service.pass_time(1)
    before = in_parallel([node.beat for node in nodes])
    service.pass_time(1, database=step)
    in_parallel([node.beat for node in nodes])
    service.pass_time(1)
    for _ in range(2):
        after = in_parallel([node.beat for node in nodes])
    assert {1000 <= beat.now.steady - before[0].now.steady <= 2000 for beat in after} == {True}
    assert {1000 <= beat.now.elapsed - before[0].now.elapsed <= 2000 for beat in after} == {True}
    assert after[0].wall - before[0].wall == 2000 + step * 1000
    assert not any(beat.dead for beat in after)


def test_small_step(service: Service) -> None:
    """A deviation within the tolerance is left to NTP."""
    node = service.node("a")
    service.pass_time(1, database=1.5)
    node.beat()
    service.pass_time(1, database=-1.5)
    node.beat()
    assert service.lost == 0


def test_step_during_outage(service: Service) -> None:
    """A database that comes back with its clock an hour back does not give its leases an hour more."""
    node = service.node("a")
    before = node.beat()
    service.pass_time(30, database=-3600)
    assert node.beat().now.steady == before.now.steady


def test_stopped_machine(service: Service) -> None:
    """A machine whose own clock stood still subtracts no time while another node served."""
    stopped, serving = service.node("a"), service.node("b")
    service.pass_time(1)
    in_parallel([stopped.beat, serving.beat])
    for _ in range(4):
        service.pass_time(1)
        serving.beat()
    stopped.uptime = lambda: service.time.seconds() - 4
    stopped.beat()
    assert service.lost == 0


BEAT = Beat(wall=10_000, lost=0, stepped=0, previous=None, schema=2, oldest=1, dead=(), sent=0, received=0)


def test_beat_on_its_way(service: Service) -> None:
    """A beat that the network holds up for long finds an outage, and no step of the database's clock."""
    node = service.node("a")
    before, uptime = node.beat(), node.uptime

    def held_up() -> float:
        node.uptime, sent = uptime, uptime()
        service.pass_time(14)
        return sent

    node.uptime = held_up
    after = node.beat()
    assert (after.lost - before.lost, after.stepped - before.stepped) == (14_000, 0)


def test_clock_of_a_beat_on_its_way() -> None:
    """The time of the service goes on as before while a beat is held up, and is not that of half its way."""
    moment = 0.0
    clock = ServiceClock(lambda: moment, lambda: 0.0)
    clock.follow(BEAT)
    moment = 15.0
    clock.follow(evolve(BEAT, wall=25_000, sent=1_000, received=15_000))
    assert clock.now().wall == 25_000


def test_slow_network_is_no_step() -> None:
    """The time that a beat takes is not taken for a step of the clock."""
    after = evolve(BEAT, wall=10_000 + 100 + STEP + 300, sent=100, received=100 + STEP + 400)
    assert find_step(BEAT, after) == 0


def test_distant_beats() -> None:
    """Beats more than three seconds apart say nothing about a step: the machine may have been suspended."""
    assert find_step(BEAT, evolve(BEAT, wall=90_000, sent=3_001, received=3_001)) == 0


def test_fence(service: Service) -> None:
    """The sessions of a node without beats for ten seconds are ended, and their locks are free; when it wakes up it
    can go on as a node.
    """
    stopped, other = service.node("a"), service.node("b")
    working = SessionOptions(url=service.url, node="a", is_writer=True).connect()
    working.execute("BEGIN")
    working.execute("LOCK TABLE clock")
    for _ in range(DEAD // 1000):
        service.pass_time(1)
        assert other.beat().dead == ()
    service.pass_time(1)
    assert other.beat().dead == ("a",)
    with pytest.raises(psycopg.OperationalError):
        working.execute("SELECT 1")
    assert service.row("SELECT count(*) AS rows FROM clock")["rows"] == 0
    assert stopped.beat().dead == ()
    service.pass_time(1)
    assert other.beat().dead == ()
    working.close()


def test_none_is_fenced_after_an_outage(service: Service) -> None:
    """After an outage of the database the node that beats first ends no session of the others."""
    nodes = [service.node(name) for name in "ab"]
    service.pass_time(600)
    assert nodes[0].beat().dead == ()
    assert nodes[1].beat().lost == 600_000


def test_leave(service: Service) -> None:
    """When a node ends by itself, others take over its devices at once, and then forget it."""
    leaving, other = service.node("a"), service.node("b")
    service.admin.execute(
        "INSERT INTO device (id, dialect, name, name_key, tags, facts, admission, presence, heartbeat_timeout,"
        " allow_from, created_at)"
        " VALUES ('controlid:7', 'controlid', '', '', '[]', '{}', 'approved', 'online', 120, '[]', 0)"
    )
    service.admin.execute("INSERT INTO sighting VALUES ('controlid:7', 'a', 1)")
    leaving.leave()
    for _ in range(2):
        assert other.beat().dead == ("a",)
    service.admin.execute("UPDATE sighting SET node = 'b'")
    assert other.beat().dead == ("a",)
    assert service.row("SELECT count(*) AS nodes FROM node")["nodes"] == 1
    assert other.beat().dead == ()


def test_restart_under_same_name(service: Service) -> None:
    """A process that starts under a node's name ends the sessions of the earlier process, which must not go on."""
    earlier = service.node("a")
    working = SessionOptions(url=service.url, node="a").connect()
    later = service.node("a", instance="second")
    with pytest.raises(psycopg.OperationalError):
        working.execute("SELECT 1")
    with pytest.raises(StoreRefused, match="Another process has started as node a"):
        earlier.beat()
    later.beat()
    working.close()


def test_restart_after_death(service: Service) -> None:
    """A process that starts when others end the sessions of the earlier one of its name, which died, is left alone."""
    service.node("a")
    other, starting = service.node("b"), service.unjoined("a", instance="second")
    starting.session.get()
    for _ in range(DEAD // 1000 + 1):
        service.pass_time(1)
        other.beat()
    assert starting.session.get().execute("SELECT 1 AS one").fetchone() == {"one": 1}
    starting.join()
    name = "SELECT current_setting('application_name') AS name"
    assert starting.session.get().execute(name).fetchone() == {"name": "pushd/a"}


def test_too_old_program(service: Service) -> None:
    """A node that is too old for a schema that was upgraded while it ran is refused at its next beat."""
    old, new = service.node("a"), service.node("b", schema=newest_version() + 1)
    service.admin.execute("UPDATE schema_version SET version = version + 1, oldest = version + 1")
    with pytest.raises(StoreRefused, match="Install the version of pushd"):
        old.beat()
    assert new.beat().schema == newest_version() + 1


def test_compatible_upgrade(service: Service) -> None:
    """A node goes on while the schema is upgraded in a way that it may work with."""
    node = service.node("a")
    service.admin.execute("UPDATE schema_version SET version = version + 1")
    assert node.beat().schema == newest_version() + 1


def test_wrong_clock(service: Service) -> None:
    """A node says by how much its own clock is off, and logs once that it is much; its beats do not depend on it."""
    node = service.node("a")
    assert node.offset == 0.0
    ahead = 0.0
    node.clock = lambda: service.time.seconds() + 1_000_000 + ahead
    with capturedLogs() as logged:
        for offset in (0.25, -3600, -3600):
            ahead = offset
            assert node.beat().wall == 1_000_000_000
            assert node.offset == offset
    (line,) = map(formatEvent, logged)
    assert line == "The clock of this machine is off by -3600.0 s; check NTP"


def test_lost_connection(service: Service) -> None:
    """When its session was lost, a beat opens another; without a database it fails, and the next one tries again."""
    node = service.node("a")
    sessions = "pg_stat_activity WHERE application_name = 'pushd/a' AND datname = current_database()"
    end = f"SELECT pg_terminate_backend(pid) FROM {sessions}"
    service.admin.execute(end)
    assert node.beat().lost == 0
    right = node.session.options
    node.session.options = evolve(right, url="postgresql://127.0.0.1:1/none")
    service.admin.execute(end)
    with pytest.raises(Unavailable, match="cannot be reached"):
        node.beat()
    node.session.options = right
    service.time.advance(MAX_BACKOFF)
    assert node.beat().lost == 0
