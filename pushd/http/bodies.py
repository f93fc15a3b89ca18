"""Request bodies: size limits that hold while a body arrives, for each body and for all of them together."""

from collections.abc import Callable
from typing import TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred

from pushd.model.errors import BodyTooLarge, Unavailable

SMALL = 64 * 1024
"""The limit, in bytes, of a body that is neither a result nor a command; larger bodies are parsed in a thread."""

LARGE = 16 * 1024 * 1024
"""The limit, in bytes, of a result or a command."""

TOTAL = 256 * 1024 * 1024
"""The limit, in bytes, of all bodies that are in memory at once."""

T = TypeVar("T")

InThread = Callable[[Callable[[], T]], Deferred[T]]
"""Calls a function in a thread."""


@define(eq=False)
class Budget:
    """The bytes that all bodies may use together."""

    limit: int = TOTAL
    used: int = 0

    def reserve(self, size: int) -> bool:
        """Reserve ``size`` bytes; False if they would exceed the limit."""
        if self.used + size > self.limit:
            return False
        self.used += size
        return True

    def release(self, size: int) -> None:
        """Return ``size`` bytes."""
        self.used -= size


@define(eq=False)
class Body:
    """A request body, while it arrives and after.

    Once it exceeds its own limit or the common budget, what was kept of it is dropped; the rest is counted, not kept.
    """

    limit: int
    budget: Budget
    size: int = 0
    """The bytes that have arrived, kept or not."""
    over_budget: bool = False
    _chunks: list[bytes] = field(factory=list)
    _reserved: int = 0

    def feed(self, chunk: bytes) -> None:
        """Add a piece that has arrived."""
        self.size += len(chunk)
        if self.size > self.limit or self.over_budget:
            self.release()
        elif self.budget.reserve(len(chunk)):
            self._reserved += len(chunk)
            self._chunks.append(chunk)
        else:
            self.over_budget = True
            self.release()

    @property
    def oversized(self) -> bool:
        """Whether it exceeds its own limit."""
        return self.size > self.limit

    def content(self) -> bytes:
        """The whole body.

        :raises BodyTooLarge: if it exceeds its own limit.
        :raises Unavailable: if it exceeds the common budget.
        """
        if self.oversized:
            raise BodyTooLarge(f"The body has {self.size} bytes; the limit is {self.limit}.")
        if self.over_budget:
            raise Unavailable("Too many request bodies are in memory at once; try again.")
        return b"".join(self._chunks)

    def release(self) -> None:
        """Drop what was kept."""
        self._chunks.clear()
        self.budget.release(self._reserved)
        self._reserved = 0


async def parse(content: bytes, parser: Callable[[bytes], T], in_thread: InThread[T]) -> T:
    """Parse a body, a large one in a thread."""
    if len(content) <= SMALL:
        return parser(content)
    return await in_thread(lambda: parser(content))
