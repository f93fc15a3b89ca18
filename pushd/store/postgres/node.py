"""A node, which is one process of those that serve a database together: its beats, and the clocks of the service."""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import psycopg
from attrs import define, field, frozen
from psycopg.rows import DictRow
from twisted.logger import Logger

from pushd.model.errors import StoreRefused, Unavailable
from pushd.model.timestamps import Now, milliseconds
from pushd.store.commit_failures import CommitFailures
from pushd.store.postgres.history import LACKS, FeedState, SeenHistory
from pushd.store.postgres.session import Session, reason

BEAT_SECONDS = 1.0
"""How often each node beats."""

SILENCE = 5_000
"""Milliseconds without a beat of any node after which that time is lost: no node served."""

STEP = 2_000
"""Milliseconds by which the database's clock may deviate between two beats; steady time leaves out larger steps."""

COMPARABLE = 3_000
"""Milliseconds between two beats of a node up to which the clocks of database and machine are compared."""

DEAD = 10_000
"""Milliseconds after its last beat from which a node is dead: its sessions are ended, and others take over."""

MAX_OFFSET = 5.0
"""Seconds that the clock of a node's machine may be off before the node says so."""


@frozen(kw_only=True)
class Beat:
    """What a beat of this node has read; times in milliseconds."""

    wall: int
    """The database's time."""
    lost: int
    """By how much steady time is behind wall time: no node served, or the database's clock was set."""
    stepped: int
    """By how much elapsed time is behind wall time: the database's clock was set."""
    previous: int | None
    """Wall time of the newest beat of any node before this one."""
    schema: int
    """The version of the database schema."""
    oldest: int
    """The oldest version of the schema that a program may know to work with the database."""
    dead: tuple[str, ...]
    """Names of the nodes that do not beat any more."""
    sent: int
    received: int
    """When the beat began and ended, in milliseconds since the machine was started."""

    @property
    def now(self) -> Now:
        """The time of the service."""
        return Now(self.wall, self.wall - self.lost, self.wall - self.stepped)


def find_step(before: Beat, after: Beat) -> int:
    """By how much the database's clock was set forward (negative: back) between two beats of this node; 0 if that is
    less than :data:`STEP`, was subtracted from steady time meanwhile, or cannot be known.
    """
    least, most = after.sent - before.received, after.received - before.sent
    if most > COMPARABLE or after.lost != before.lost:
        return 0
    moved = after.now.steady - before.now.steady
    if moved - most > STEP:
        # else other nodes have beaten meanwhile: this machine stood still, not its clock alone
        return moved - most if after.previous is None or after.wall - after.previous >= moved - most else 0
    return moved - least if moved - least < -STEP else 0


def find_jump(before: Beat, after: Beat) -> int:
    """By how much the database's clock was set forward, where a beat of this node has taken that for a time without
    beats; 0 if it was none, was counted by another node, or cannot be known: the beat itself may have been on its way
    for so long.
    """
    if after.stepped != before.stepped:
        return 0
    lost = after.lost - before.lost
    is_own = lost > SILENCE and after.previous is not None and lost == after.wall - after.previous
    return lost if is_own and after.received - before.sent <= COMPARABLE else 0


@define(eq=False, kw_only=True)
class Node:
    """A process as a node. All methods block; any thread may call them.

    ``uptime`` gives seconds of a clock that counts while the machine is suspended, ``clock`` wall seconds of the
    machine. ``schema`` is the version of the schema that this program knows.
    """

    name: str
    instance: str
    version: str
    schema: int
    session: Session
    failures: CommitFailures
    uptime: Callable[[], float]
    clock: Callable[[], float]
    seen: SeenHistory = field(factory=SeenHistory)
    offset: float = field(default=0.0, init=False)
    """Seconds that the clock of this machine is ahead of the database's, as exactly as it is known."""
    _is_off: bool = field(default=False, init=False)
    """Whether that is more than :data:`MAX_OFFSET`."""
    _lock: Lock = field(factory=Lock, init=False)
    _last: Beat | None = field(default=None, init=False)
    """The last beat, if the next one may be compared with it."""
    _log = Logger()

    def join(self) -> Beat:
        """Become a node: end the sessions of an earlier process with this name, and beat for the first time.

        :raises Unavailable: if the database cannot be reached.
        :raises StoreRefused: if this program is too old for the schema.
        """
        with self._lock:
            self._execute(_FORGET_EARLIER, {"name": self.name})
            self._execute(_END_EARLIER, {"name": self.name})
        beat = self.beat()
        self.session.has_started()
        return beat

    def beat(self) -> Beat:
        """Show that this node is alive, keep the clocks of the service, and end the sessions of dead nodes.

        :raises Unavailable: if the database cannot be reached.
        :raises StoreRefused: if this process must end: another one has its name, or it is too old for the schema.
        """
        with self._lock:
            return self._keep_clocks()

    def _keep_clocks(self) -> Beat:
        before, self._last = self._last, None  # unless this beat succeeds
        after = self._beat()
        step = find_step(before, after) if before is not None else 0
        if step:
            self._execute(_OMIT_STEP, {"step": step, "lost": after.lost})
            after = self._beat()  # by the clock as it is now
        elif before is not None and (jump := find_jump(before, after)):
            self._execute(_COUNT_JUMP, {"step": jump, "lost": after.lost, "stepped": after.stepped})
            after = self._beat()
        self._last = after
        self._note_changes(before, after)
        self._measure_offset(after)
        if after.dead:
            self._fence()
        return after

    def leave(self) -> None:
        """Be a node no longer: others serve its devices from now on, without waiting until it is dead.

        :raises Unavailable: if the database cannot be reached.
        """
        with self._lock:
            try:
                self._execute(_LEAVE, {"name": self.name, "instance": self.instance})
            finally:
                self.session.close()

    def _beat(self) -> Beat:
        values = {"name": self.name, "instance": self.instance, "version": self.version}
        sent, seen = milliseconds(self.uptime()), self.seen.last
        row = self._execute(_BEAT, {**values, "boottime": sent})[0]
        received = milliseconds(self.uptime())
        feed = FeedState(row.pop("feed_last"), row.pop("feed_history"), row.pop("feed_lost"))
        was_lost = self.seen.is_lost
        if self.seen.check(seen, feed):
            self._save_loss(seen, is_new=not was_lost)
            row["is_current"] |= not was_lost
        if row.pop("is_moving"):
            raise StoreRefused("The fleet of the database is moved to another one.")
        if not row.pop("is_current"):
            raise StoreRefused(
                f"Another process has started as node {self.name}. Each machine needs its own host name."
            )
        beat = Beat(sent=sent, received=received, **{**row, "dead": tuple(row["dead"])})
        if self.schema < beat.oldest:
            raise StoreRefused(
                f"The database has schema version {beat.schema}, which this program, of version {self.schema}, cannot"
                " work with. Install the version of pushd that the other nodes run."
            )
        return beat

    def _save_loss(self, seen: int, *, is_new: bool) -> None:
        """The database lacks events: all nodes are to know it, and no number is to be given twice."""
        self._execute(_LOSE, {"seen": seen})
        if is_new:  # what was restored may have this name as that of an earlier process
            self._execute(_TAKE_NAME, {"name": self.name, "instance": self.instance})
            self._log.critical("{problem}", problem=LACKS)

    def _note_changes(self, before: Beat | None, after: Beat) -> None:
        """Log what happened to the clocks of the service."""
        if before is not None and after.stepped != before.stepped:
            seconds = round((after.stepped - before.stepped) / 1000, 1)
            self._log.warn("The database's clock was set by {seconds} s", seconds=seconds)
        elif before is not None and after.lost != before.lost:
            seconds = round((after.lost - before.lost) / 1000, 1)
            self._log.warn("Leases and timeouts are extended: for {seconds} s no node served", seconds=seconds)

    def _measure_offset(self, beat: Beat) -> None:
        """Compare the clock of this machine with the database's, as exactly as the time that the beat took allows."""
        most = self.clock() - beat.wall / 1000
        least = most - (milliseconds(self.uptime()) - beat.sent) / 1000
        self.offset = round(min(max(self.offset, least), most), 3)  # as it was, if that is possible still
        was_off, self._is_off = self._is_off, abs(self.offset) > MAX_OFFSET
        if self._is_off and not was_off:
            self._log.warn("The clock of this machine is off by {seconds} s; check NTP", seconds=round(self.offset, 1))

    def _fence(self) -> None:
        """End the sessions of dead nodes: one that wakes up must not go on with what it was doing."""
        for row in self._execute(_FENCE, {"dead": DEAD, "name": self.name}):
            self._log.warn("Node {node} is dead; its session {pid} was ended", node=row["name"], pid=row["pid"])
        self._execute(_FORGET, {"dead": DEAD, "name": self.name})

    def _execute(self, statement: str, values: Mapping[str, Any]) -> list[DictRow]:
        """Run a statement, over another session if the one that was open is lost: to run it twice does no harm."""
        was_open = self.session.connection is not None
        try:
            cursor = self.session.get().execute(statement, values)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            self.session.drop()
            if was_open:
                return self._execute(statement, values)
            failure = Unavailable(f"Unable to reach the database: {reason(error)}", is_logged=True)
            self.failures.failed(failure)
            raise failure from error


# Time without beats is added to lost_ms here, in the row that each beat locks: so once. If it is negative, the
# database's clock was set; whether it was set forward is known when the answer is there, see find_jump. The clock is
# read where the locked row is at hand: a statement that waited for the lock reads both again.
_BEAT = f"""
WITH newest AS MATERIALIZED (SELECT beat FROM service), ticked AS (
    UPDATE service SET (stepped_ms, lost_ms, beat) = (
        SELECT service.stepped_ms + CASE WHEN silence < -{STEP} THEN silence ELSE 0 END,
            service.lost_ms + CASE WHEN silence < -{STEP} OR silence > {SILENCE} THEN silence ELSE 0 END, now
        FROM (SELECT now, now - service.beat AS silence FROM (SELECT wall_ms() AS now) AS clock) AS since
    ) RETURNING beat AS wall, lost_ms AS lost, stepped_ms AS stepped
), own AS (
    INSERT INTO node (name, instance, beat, boottime, version, started)
    SELECT %(name)s, %(instance)s, wall - lost, %(boottime)s, %(version)s, wall FROM ticked
    ON CONFLICT (name) DO UPDATE SET beat = excluded.beat, boottime = excluded.boottime, version = excluded.version
    WHERE node.instance = excluded.instance RETURNING name
)
SELECT wall, ticked.lost, stepped, (SELECT beat FROM newest) AS previous, version AS schema, oldest,
    last AS feed_last, history AS feed_history, feed.lost AS feed_lost,
    EXISTS (SELECT 1 FROM own) AS is_current, EXISTS (SELECT 1 FROM transfer) AS is_moving,
    ARRAY(SELECT name FROM node WHERE beat < wall - ticked.lost - {DEAD} AND name <> %(name)s ORDER BY name) AS dead
FROM ticked, schema_version, feed
"""
_LOSE = """
UPDATE feed SET lost = GREATEST(lost, %(seen)s), last = GREATEST(last, %(seen)s)
WHERE lost IS NULL OR last < %(seen)s
"""
_TAKE_NAME = "UPDATE node SET instance = %(instance)s WHERE name = %(name)s"
_OMIT_STEP = (
    "UPDATE service SET stepped_ms = stepped_ms + %(step)s, lost_ms = lost_ms + %(step)s WHERE lost_ms = %(lost)s"
)
# Beats that waited for the lock say the same as the one that held it: only one of them counts.
_COUNT_JUMP = (
    "UPDATE service SET stepped_ms = stepped_ms + %(step)s WHERE lost_ms = %(lost)s AND stepped_ms = %(stepped)s"
)
_FORGET_EARLIER = "DELETE FROM node WHERE name = %(name)s"
_END_EARLIER = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'pushd/' || %(name)s AND datname = current_database() AND usename = current_user
    AND backend_start < (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
"""
_FENCE = """
WITH found AS MATERIALIZED (  -- first: as a condition, PostgreSQL might end sessions before it has read whose they are
    SELECT node.name, pid FROM node JOIN pg_stat_activity ON application_name = 'pushd/' || node.name
    WHERE node.beat < (SELECT beat - lost_ms FROM service) - %(dead)s AND node.name <> %(name)s
        AND datname = current_database() AND usename = current_user
)
SELECT name, pid, pg_terminate_backend(pid) FROM found
"""
_FORGET = """
DELETE FROM node WHERE beat < (SELECT beat - lost_ms FROM service) - %(dead)s AND name <> %(name)s
    AND NOT EXISTS (SELECT 1 FROM sighting WHERE sighting.node = node.name)
"""
_LEAVE = f"UPDATE node SET beat = beat - {DEAD} - 1 WHERE name = %(name)s AND instance = %(instance)s"
