"""Inspection: whether we can serve, and whether what we keep can be."""

from attrs import define

from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import CommandQueue
from pushd.model.errors import Unavailable
from pushd.model.lifecycle import State
from pushd.store.filters import CommandFilter, Violation
from pushd.store.interface import IStore

_PAGE = 500


@define(eq=False)
class Health:
    """Looks at the store, and at what memory makes of it."""

    store: IStore
    clocks: Clocks
    command_queue: CommandQueue

    async def check_ready(self) -> None:
        """Check that the store commits, and that we are not about to stop.

        :raises Unavailable: if not.
        """
        if self.command_queue.draining:
            raise Unavailable("This process is about to stop.")
        await self.store.check()

    async def fsck(self) -> list[Violation]:
        """What is stored and cannot be, and what is queued where no poll would look for it."""
        return await self.store.fsck(self.clocks.now()) + await self._unreachable()

    async def _unreachable(self) -> list[Violation]:
        queued = CommandFilter(state=State.QUEUED)
        flaws: list[Violation] = []
        page = await self.store.commands(queued, None, _PAGE)
        while page:
            flaws += [
                Violation(what="it is queued, and no poll would look for it", device=one.device, command=one.id)
                for one in page
                if self.command_queue.command_index.due(one.device) is None
            ]
            page = await self.store.commands(queued, page[-1].id, _PAGE)
        return flaws
