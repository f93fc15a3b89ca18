"""Refused log-ins, in the audit log."""

from attrs import define
from twisted.logger import Logger

from pushd.core.audit import AuditLog
from pushd.lib.background import logs_error
from pushd.lib.log_limit import LogLimit
from pushd.model.actor import UNKNOWN, Actor
from pushd.model.audit import Fields

REFUSED = "session:refused"
"""The object of these entries, by which they are found."""


@define(eq=False)
class RefusedLogIns:
    """Records refused log-ins, but no more than clients without any right may write to the disk."""

    audit_log: AuditLog
    limit: LogLimit
    _log = Logger()

    def record(self, address: str | None, what: Fields) -> None:
        """Record that a client at this address was refused; the next entry counts those that were not recorded."""
        if self.limit.allows():
            dropped = self.limit.take_dropped()
            after = {**what, "suppressed": dropped} if dropped else what
            recording = self.audit_log.record(Actor(name=UNKNOWN, address=address), "session.refuse", REFUSED, after)
            recording.addErrback(logs_error(self._log, "Could not record a refused log-in: {error}"))
