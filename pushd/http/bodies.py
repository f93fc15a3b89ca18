"""Bodies: bounded while they arrive, each and all together."""

from collections.abc import Callable
from typing import TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred

from pushd.model.errors import BodyTooLarge, Unavailable

SMALL = 64 * 1024
"""Bytes of any body but those below; larger ones are parsed off the reactor."""

LARGE = 16 * 1024 * 1024
"""Bytes of a result, or of a command."""

ALL = 256 * 1024 * 1024
"""Bytes of all bodies that are being read or worked on at once."""

T = TypeVar("T")

InThread = Callable[[Callable[[], T]], Deferred[T]]
"""Runs something off the reactor."""


@define(eq=False)
class Budget:
    """What all bodies may take together."""

    limit: int = ALL
    used: int = 0

    def take(self, size: int) -> bool:
        """Take so many bytes, unless that is too much."""
        if self.used + size > self.limit:
            return False
        self.used += size
        return True

    def give_back(self, size: int) -> None:
        """Return so many bytes."""
        self.used -= size


@define(eq=False)
class Body:
    """A body while it arrives and after: kept up to its limit, and counted beyond it.

    Once it is over its limit, or over the budget of all, what was kept is dropped and the rest is read and dropped.
    """

    limit: int
    budget: Budget
    size: int = 0
    starved: bool = False
    """Dropped because too much was being read at once."""
    _chunks: list[bytes] = field(factory=list)
    _taken: int = 0

    def feed(self, chunk: bytes) -> None:
        """Take what has arrived."""
        self.size += len(chunk)
        if self.size > self.limit or self.starved:
            self.release()
        elif self.budget.take(len(chunk)):
            self._taken += len(chunk)
            self._chunks.append(chunk)
        else:
            self.starved = True
            self.release()

    @property
    def oversized(self) -> bool:
        """Whether it was more than the limit."""
        return self.size > self.limit

    def content(self) -> bytes:
        """All of it.

        :raises BodyTooLarge: if it was over its limit.
        :raises Unavailable: if too much was being read at once.
        """
        if self.oversized:
            raise BodyTooLarge(f"The body has {self.size} bytes; at most {self.limit} are taken here.")
        if self.starved:
            raise Unavailable("Too much is being read at once; try again.")
        return b"".join(self._chunks)

    def release(self) -> None:
        """Drop what was kept."""
        self._chunks.clear()
        self.budget.give_back(self._taken)
        self._taken = 0


async def parse(content: bytes, parser: Callable[[bytes], T], in_thread: InThread[T]) -> T:
    """Parse a body, a large one off the reactor."""
    if len(content) <= SMALL:
        return parser(content)
    return await in_thread(lambda: parser(content))
