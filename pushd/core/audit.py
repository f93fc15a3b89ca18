"""The audit log: read it, keep it for its time, and record what changes nothing in the store."""

from attrs import define
from twisted.internet.defer import Deferred

from pushd.core.clocks import Clocks
from pushd.model.actor import Actor
from pushd.model.audit import AuditEntry, Fields
from pushd.model.timestamps import DAY
from pushd.store.filters import AuditFilter
from pushd.store.interface import IStore

PURGE_LIMIT = 1000
"""Entries that one transaction purges at most."""


@define(eq=False)
class AuditLog:
    """What people and programs have changed; operations of the store that run for an actor write it themselves."""

    store: IStore
    clocks: Clocks
    retention_days: int

    def read(self, which: AuditFilter, after: str, limit: int) -> Deferred[list[AuditEntry]]:
        """Up to ``limit`` entries behind the one with the id ``after``. See :meth:`IStore.audit`."""
        return self.store.audit(which, after, limit)

    def record(self, by: Actor, action: str, what: str, after: Fields | None = None) -> Deferred[None]:
        """Record an action on ``what`` that changes nothing in the store."""
        return self.store.by(by).record_audit(action, what, after)

    async def purge(self) -> None:
        """Delete the entries that are older than the retention."""
        before = self.clocks.wall_now() - self.retention_days * DAY
        while await self.store.purge_audit(before, PURGE_LIMIT) == PURGE_LIMIT:
            pass
