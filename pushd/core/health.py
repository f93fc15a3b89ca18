"""Readiness and consistency of the server."""

from attrs import define, field
from twisted.internet.defer import DeferredLock

from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import CommandQueue
from pushd.core.webhooks import Webhooks
from pushd.lib.cancellable_waits import acquire
from pushd.model.errors import OutcomeInDoubt, Unavailable
from pushd.model.lifecycle import State
from pushd.store.filters import CommandFilter, Violation
from pushd.store.interface import IStore
from pushd.store.membership import NOT_HEARD, IMembership

RESTORED = "The database was restored, and lacks events that this process has seen; run pushctl after-restore."

_PAGE = 500


@define(eq=False)
class Health:
    """Checks the store, and whether memory agrees with it."""

    store: IStore
    membership: IMembership
    clocks: Clocks
    command_queue: CommandQueue
    webhooks: Webhooks
    _checks: DeferredLock = field(factory=DeferredLock, init=False)

    async def check_ready(self) -> None:
        """Check that the store commits, that webhooks are delivered, and that the server is not about to stop.

        :raises Unavailable: if not.
        """
        if self.command_queue.draining:
            raise Unavailable("This process is about to stop.")
        if self.membership.is_cut_off():
            raise Unavailable("The database cannot be reached; other processes serve the devices.")
        if self.membership.lacks_events():
            raise Unavailable(RESTORED)
        if not self.membership.hears():
            raise Unavailable(NOT_HEARD)
        try:
            await self.store.check()
        except OutcomeInDoubt as error:  # of a commit of the check: nothing that a client has sent is in doubt
            raise Unavailable("The disk of the database fails.", is_logged=error.is_logged) from error
        if self.webhooks.failed_since:
            failed = ", ".join(sorted(self.webhooks.failed_since))
            raise Unavailable(f"Delivery to these webhooks failed unexpectedly and will be started again: {failed}.")

    async def fsck(self) -> list[Violation]:
        """Inconsistencies in the store, and queued commands that no poll would claim; one such check at a time."""
        await acquire(self._checks)
        try:
            return await self.store.fsck() + await self._unindexed()
        finally:
            self._checks.release()

    async def _unindexed(self) -> list[Violation]:
        queued = CommandFilter(state=State.QUEUED)
        violations: list[Violation] = []
        last: str | None = None
        while page := await self.store.commands(queued, last, _PAGE):
            violations += [
                Violation(what="it is queued, but missing in memory", device=command.device, command=command.id)
                for command in page
                if not self.store.has_queued(command.device)
            ]
            last = page[-1].id
        return violations
