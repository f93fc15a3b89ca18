"""Two processes that share a database on PostgreSQL, used in turn, next to one reference model."""

from typing import Any

from pushd.model.event import Event
from pushd.store.filters import StartupSnapshot
from pushd.store.postgres.queue_index import read_queues
from pushd.store.postgres.store import PostgresStore
from tests.model_based.comparison import ModelComparison
from tests.postgres import ReusedDatabase
from tests.results import result_of
from tests.store.clock import NumberedIds, StoreClock, when


class ModelComparisonOnPostgres(ModelComparison):
    """Each operation runs at the process that has not run the one before; listeners listen at the first one."""

    def __init__(self, database: ReusedDatabase) -> None:
        self.database = database
        self.nodes: list[PostgresStore] = []
        self.turn = 0
        self.is_pinned = True
        """Whether all operations run at the first process."""
        self._events: list[Event] = []
        database.restore("empty")
        super().__init__()

    @property
    def store(self) -> Any:
        """The process whose turn it is; both know what the other one has committed."""
        if self.is_pinned:
            return self.nodes[0]
        self._catch_up()
        self.turn += 1
        return self.nodes[self.turn % 2]

    @store.setter
    def store(self, made: Any) -> None:
        """Both were made."""

    @property
    def events(self) -> list[Event]:
        """What listeners at the first process were called with."""
        self._catch_up()
        return self._events

    @events.setter
    def events(self, events: list[Event]) -> None:
        self._events = events

    def _catch_up(self) -> None:
        """Read what the other process has committed, as a notification would cause."""
        if not self.is_pinned:
            for node in self.nodes:
                node._ask()

    def make(self) -> Any:
        """Both processes, of which the first one is to be opened yet; they make ids in turn."""
        clock, ids = StoreClock(), NumberedIds()
        self.nodes = [PostgresStore(self.database.url, None, node, now=clock, ids=ids) for node in ("first", "second")]
        clock.now = self.now
        return self.nodes[0]

    def begin(self, snapshot: StartupSnapshot) -> None:
        """Open the second process, too."""
        self.nodes[1].open()
        super().begin(snapshot)
        self.is_pinned = False

    def _notice_step(self) -> None:
        if self.step:
            super()._notice_step()
            for node in self.nodes:  # as the notification of the one that has noticed it causes
                node._on_missed()

    def restart(self, away: int, step: int) -> None:
        """Both processes end, and start again: leases go on, as the clocks are those of the database."""
        self.pass_time(away, stalled=False)
        self._catch_up()
        self.is_pinned = True
        for node in self.nodes:
            result_of(node.close())
        self.make()
        self.begin(when(self.nodes[0], self.now).open())

    def close(self) -> None:
        """Close both."""
        for node in self.nodes:
            result_of(node.close())

    def check_memory(self) -> None:
        """Both processes know what is queued and in flight."""
        found, _ = result_of(self.store._reader.submit(read_queues, None))
        for node in self.nodes:
            known = {name: (set(each.queued), each.in_flight) for name, each in node._index.queues.items()}
            assert known == {name: (set(each.queued), each.in_flight) for name, each in found.items()}
