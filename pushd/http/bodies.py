"""Request bodies: what may be kept of each while it arrives, and of all of them together."""

from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from typing import TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, DeferredSemaphore

from pushd.model.errors import BodyTooLarge, Unavailable

KIB = 1024
MIB = 1024 * KIB

SMALL = 64 * KIB
"""The limit, in bytes, of a body that is neither a result nor a command; larger bodies are parsed in a thread."""

LARGE = 16 * MIB
"""The limit, in bytes, of a result or a command."""

PARSED_AT_ONCE = 2
"""Large bodies that are parsed at a time; their memory adds up, and more threads would not make it faster."""

LOG_IN = 4 * KIB
"""The limit of a body that logs in, of which nothing is known yet."""

GRACE_SECONDS = 60
SECONDS_PER_KIB = 1
"""A body must be whole this many seconds after its head, plus so many for each KiB that has arrived: radio links are
slow.
"""

T = TypeVar("T")

InThread = Callable[[Callable[[], T]], Deferred[T]]
"""Calls a function in a thread."""


class Sender(Enum):
    """Who sends a body, as far as its head proves it."""

    OPERATOR = "operator"
    PROVEN_DEVICE = "proven device"
    UNPROVEN_DEVICE = "unproven device"  # it has no proof configured: any client can be it
    UNAUTHENTICATED = "unauthenticated"  # it logs in


_LARGE_SHARES = {
    Sender.OPERATOR: 96 * MIB,
    Sender.PROVEN_DEVICE: 96 * MIB,
    Sender.UNPROVEN_DEVICE: 64 * MIB,
    Sender.UNAUTHENTICATED: 0,
}
_SMALL_SHARE = 32 * MIB


@frozen
class BodyGrant:
    """What may be kept of a body: up to ``limit`` bytes, out of the budget of its sender."""

    sender: Sender
    limit: int


def device_grant(*, is_proven: bool, is_expected: bool) -> BodyGrant:
    """The grant for a result: a large one only if it may belong to a command."""
    sender = Sender.PROVEN_DEVICE if is_proven else Sender.UNPROVEN_DEVICE
    return BodyGrant(sender, LARGE if is_expected else SMALL)


@define(eq=False)
class Budget:
    """The bytes that some bodies may use together."""

    limit: int
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
class Budgets:
    """The budgets of all senders: none can use up what another needs, nor large bodies what small ones need."""

    small: Mapping[Sender, Budget] = field(factory=lambda: {sender: Budget(_SMALL_SHARE) for sender in Sender})
    """For bodies of up to :data:`SMALL` bytes."""
    large: Mapping[Sender, Budget] = field(
        factory=lambda: {sender: Budget(limit) for sender, limit in _LARGE_SHARES.items()}
    )
    on_large_release: Callable[[], object] = lambda: None
    """Called when a large body was dropped that was kept."""

    @property
    def used(self) -> int:
        """Bytes of all bodies."""
        return sum(budget.used for budget in (*self.small.values(), *self.large.values()))

    def of(self, sender: Sender, size: int) -> Budget:
        """The budget of a body that has so many bytes until now."""
        return (self.small if size <= SMALL else self.large)[sender]


@define(eq=False)
class Body:
    """A request body, while it arrives and after.

    One that arrives at once with its head is kept as it is. Of one that does not, what is kept depends on a grant, and
    counts in a budget. Once it exceeds its limit or the budget, or without a grant, what was kept of it is dropped;
    the rest is counted, not kept.
    """

    limit: int = SMALL
    size: int = 0
    """The bytes that have arrived, kept or not."""
    is_decided: bool = field(default=False, init=False)
    """Whether :meth:`decide` was called."""
    _refusal: str | None = field(default=None, init=False)
    """Why nothing is kept of a body within its limit."""
    _budget_for: Callable[[int], Budget] | None = field(default=None, init=False)
    """The budget for a body of some size; None without a grant."""
    _on_large_release: Callable[[], object] = field(default=lambda: None, init=False)
    _chunks: list[bytes] = field(factory=list)
    _budget: Budget | None = field(default=None, init=False)
    """The budget in which bytes are reserved."""
    _reserved: int = field(default=0, init=False)

    def decide(self, grant: BodyGrant | None, budgets: Budgets) -> None:
        """The body does not arrive at once: keep what is granted."""
        self.is_decided = True
        if grant is None:
            self._refuse("The body was sent by a client that could not send one then; try again.")
            return
        self.limit, self._budget_for = grant.limit, partial(budgets.of, grant.sender)
        self._on_large_release = budgets.on_large_release
        self._reserve(self._budget_for(self.size))

    def feed(self, chunk: bytes) -> None:
        """Add a piece that has arrived."""
        self.size += len(chunk)
        if self.size > self.limit:
            self.release()
        elif self._refusal is None:
            self._chunks.append(chunk)
            if self._budget_for is not None:
                self._reserve(self._budget_for(self.size))

    @property
    def oversized(self) -> bool:
        """Whether it exceeds its own limit."""
        return self.size > self.limit and (self._refusal is None or self._budget_for is not None)

    def content(self) -> bytes:
        """The whole body; only once. It counts in the budget until it is released.

        :raises BodyTooLarge: if it exceeds its own limit.
        :raises Unavailable: if it exceeds the budget, or had no grant.
        """
        if self.oversized:
            raise BodyTooLarge(f"The body has {self.size} bytes; the limit is {self.limit}.")
        if self._refusal is not None:
            raise Unavailable(self._refusal)
        content = b"".join(self._chunks)
        self._chunks.clear()
        return content

    def due(self, since: float) -> float:
        """When the whole of it must have arrived, if its head arrived at ``since`` and no more of it arrives."""
        return since + GRACE_SECONDS + self.size // KIB * SECONDS_PER_KIB

    def release(self) -> None:
        """Drop what was kept."""
        self._chunks.clear()
        if self._budget is not None:
            self._budget.release(self._reserved)
            self._budget, self._reserved = None, 0
            if self.size > SMALL:
                self._on_large_release()

    def _refuse(self, why: str) -> None:
        self._refusal = why
        self.release()

    def _reserve(self, budget: Budget) -> None:
        """Count all that has arrived in a budget, and nothing in the one before."""
        if budget is not self._budget:
            if self._budget is not None:
                self._budget.release(self._reserved)
            self._budget, self._reserved = budget, 0
        if budget.reserve(self.size - self._reserved):
            self._reserved = self.size
        else:
            self._refuse("Too many request bodies are in memory at once; try again.")


def at_most(limit: int, in_thread: InThread[T]) -> InThread[T]:
    """Call at most ``limit`` functions at a time, the others later, in the order of their arrival."""
    semaphore = DeferredSemaphore(limit)
    return lambda work: semaphore.run(in_thread, work)


async def parse(content: bytes, parser: Callable[[bytes], T], in_thread: InThread[T]) -> T:
    """Parse a body, a large one in a thread."""
    if len(content) <= SMALL:
        return parser(content)
    return await in_thread(lambda: parser(content))
