"""The admin API, as far as an operator's programs need it."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, frozen
from twisted.internet.interfaces import IReactorTime

from pushd.pushctl.connection import PATIENCE, Call, Connection, Json, Query
from pushd.pushctl.errors import Unintelligible, Unreachable

PAGE = 500
"""As many items as the server gives at a time."""


@frozen(kw_only=True)
class Page:
    """Some items of a list, and the cursor of what follows if anything does."""

    items: list[Json]
    next: str | None


@define(eq=False)
class AdminClient:
    """What an operator can ask of the server.

    Everything here raises :exc:`pushd.pushctl.errors.ClientError` if it does not get what it asks for.
    """

    _connection: Connection

    @property
    def clock(self) -> IReactorTime:
        """The time by which answers are waited for."""
        return self._connection.clock

    async def ready(self) -> bool:
        """Whether the server is there and can do its work."""
        try:
            status, _ = await self._connection.exchange(Call(path=["readyz"]))
        except Unreachable:
            return False
        return status == 200

    async def devices(self, query: Query = ()) -> list[Json]:
        """All devices that match: as many pages as there are."""
        return await self._all("devices", query)

    async def alerts(self, query: Query = ()) -> list[Json]:
        """All alerts that match, newest first: as many pages as there are."""
        return await self._all("alerts", query)

    async def acknowledge(self, alert: str) -> Json:
        """Say that somebody takes care of an alert."""
        return await self._connection.ask(Call(method="POST", path=["v1", "alerts", alert, "acknowledge"]))

    async def device(self, device: str) -> Json:
        """One device."""
        return await self._connection.ask(Call(path=["v1", "devices", device]))

    async def approve(self, device: str) -> Json:
        """Let a device that waits for it have its commands."""
        return await self._connection.ask(
            Call(method="PATCH", path=["v1", "devices", device], body={"admission": "approved"})
        )

    async def send(self, device: str, draft: Mapping[str, Any], *, key: str, queue: bool = False) -> Json:
        """Have a command accepted; the same ``key`` and draft again give the first command again."""
        return await self._command(
            Call(
                method="POST",
                path=["v1", "devices", device, "commands"],
                query=[("queue", "1")] if queue else [],
                body=draft,
                headers={"Idempotency-Key": key},
            )
        )

    async def command(self, command: str, *, wait: float = 0) -> Json:
        """One command, once it has ended or ``wait`` seconds (60 at most) have passed."""
        return await self._command(
            Call(path=["v1", "commands", command], query=_waiting(wait), patience=PATIENCE + wait)
        )

    async def cancel(self, command: str) -> Json:
        """Take a command back, as far as that is still possible."""
        return await self._command(Call(method="POST", path=["v1", "commands", command, "cancel"], body={}))

    async def explain(self, command: str) -> Json:
        """Why a command has not run yet, or what is known of it."""
        return await self._connection.ask(Call(path=["v1", "commands", command, "explain"]))

    async def resolve(self, command: str, state: str, note: str | None) -> Json:
        """Say what became of a command of which nobody knows."""
        body = {"state": state} | ({} if note is None else {"note": note})
        return await self._command(Call(method="POST", path=["v1", "commands", command, "resolve"], body=body))

    async def resend(self, command: str, terms: Mapping[str, Any], *, queue: bool = False) -> Json:
        """Send the same again, as a new command; that one again if it was done before."""
        path, query = ["v1", "commands", command, "resend"], [("queue", "1")] if queue else []
        return await self._command(Call(method="POST", path=path, query=query, body=terms))

    async def fsck(self) -> list[Json]:
        """What is stored and cannot be."""
        return (await self._page("fsck", (), limited=False)).items

    async def follow(self, query: Query, last: str | None, receive: Callable[[bytes], None]) -> None:
        """Hand on the stream of what happens, as the query has it or from behind the event ``last``, until it ends."""
        headers = {} if last is None else {"Last-Event-ID": last}
        await self._connection.stream(Call(path=["v1", "events", "stream"], query=query, headers=headers), receive)

    async def _command(self, call: Call) -> Json:
        command = await self._connection.ask(call)
        if not isinstance(command.get("id"), str) or not isinstance(command.get("state"), str):
            raise Unintelligible("the answer is not a command: is this the admin port of pushd?")
        return command

    async def _all(self, name: str, query: Query) -> list[Json]:
        page = await self._page(name, query)
        found = page.items
        while page.next is not None:
            page = await self._page(name, [*query, ("cursor", page.next)])
            found += page.items
        return found

    async def _page(self, name: str, query: Query, *, limited: bool = True) -> Page:
        limit = [("limit", str(PAGE))] if limited else []
        answer = await self._connection.ask(Call(path=["v1", name], query=[*query, *limit]))
        items, cursor = answer.get("items"), answer.get("next")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise Unintelligible("the answer has no list of items: is this the admin port of pushd?")
        return Page(items=items, next=None if cursor is None else str(cursor))


def _waiting(wait: float) -> Query:
    return [("wait", f"{round(wait, 3):g}")] if wait else []
