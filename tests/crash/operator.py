"""The operator: sends, repeats, cancels and reads the feed, and writes down what it was told before it goes on."""

from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.task import deferLater

from pushd.simulator.journal import Journal
from tests.crash.api import Api, Json
from tests.crash.killer import Occasion
from tests.crash.orders import Order, OrderBook

CANCELS = 0.12
REPEATS = 0.1
"""How often an order is cancelled, and sent again though it was accepted."""

PACE = 0.25
"""Seconds between two orders of one sender, on average."""

_CHANGE_OF_MIND = 1.5
_FEED_WAIT = 2.0

_CREATED = 201
_FOUND = 200


@define(eq=False, kw_only=True)
class Operator:
    """Several senders that never tire, and one reader of the feed."""

    api: Api
    journal: Journal
    book: OrderBook
    chance: Random
    saw: Callable[[Occasion], None]
    fewest: int
    """So many orders at least are accepted, however early the operator may rest."""
    followed: list[Json] = field(factory=list, init=False)
    """The feed, as it was read while the server died and came back."""
    _accepted: int = field(default=0, init=False)
    _resting: bool = field(default=False, init=False)
    _busy: list[Deferred[None]] = field(factory=list, init=False)

    def begin(self, senders: int) -> None:
        """Send from now on, with so many senders at once."""
        for _ in range(senders):
            self._do(self._send_on())
        self._do(self._follow())

    async def rest(self) -> None:
        """Send nothing new; return when all that was begun has its answer."""
        self._resting = True
        while self._busy:
            begun, self._busy = self._busy, []
            try:
                await gatherResults(begun, consumeErrors=True)
            except FirstError as error:
                error.subFailure.raiseException()
        self.journal.close()

    def give_up(self) -> None:
        """Leave everything as it is: nobody will answer."""
        for work in self._busy:
            work.addErrback(lambda _: None).cancel()

    def _do(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        self._busy.append(Deferred.fromCoroutine(work))

    async def _send_on(self) -> None:
        while not self._resting or self._accepted < self.fewest:
            await deferLater(self.api.clock, self.chance.uniform(0, 2 * PACE))
            await self._send(self.book.next())

    async def _send(self, order: Order) -> None:
        terms = {name: value for name, value in order.draft.items() if name != "payload"}
        self._note(order, "sends", parts=order.parts, fails=order.fails, **terms)
        command = await self._offer(order)
        if command is None:
            return
        self._accepted += 1
        if self.chance.random() < CANCELS:
            self._do(self._cancel(order, command))
        if self.chance.random() < REPEATS:
            await self._offer(order)

    async def _offer(self, order: Order) -> str | None:
        """Send, always with the same key; the id of the command if it was accepted."""
        status, answer = await self.api.post("devices", order.device, "commands", body=order.draft, key=order.mark)
        if status not in (_CREATED, _FOUND):
            self._note(order, "refused", status=status, answer=answer)
            return None
        if status == _CREATED:
            self.saw(Occasion.ACCEPTED)
        command = str(answer["id"])
        self._note(order, "accepted", status=status, command=command)
        return command

    async def _cancel(self, order: Order, command: str) -> None:
        await deferLater(self.api.clock, self.chance.uniform(0, _CHANGE_OF_MIND))
        status, answer = await self.api.post("commands", command, "cancel", body={})
        told = {name: answer.get(name) for name in ("state", "attempts", "title")}
        self._note(order, "cancels", status=status, **told)

    async def _follow(self) -> None:
        after: str | None = None
        while not self._resting:
            items, after = await self.api.feed(after, _FEED_WAIT)
            self.followed += items

    def _note(self, order: Order, did: str, **facts: object) -> None:
        self.journal.record(order.device, did, mark=order.mark, **facts)
