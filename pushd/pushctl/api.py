"""The calls of the admin API that ``pushctl`` and the demo use."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, frozen
from twisted.internet.interfaces import IReactorTime

from pushd.pushctl.connection import REQUEST_TIMEOUT, ApiRequest, Connection, Json, Query
from pushd.pushctl.errors import UnexpectedResponse, Unreachable

PAGE_SIZE = 500
"""The most items that the server gives at a time."""


@frozen(kw_only=True)
class Page:
    """Some items of a list, and the cursor of the next page if there is one."""

    items: list[Json]
    next: str | None


@define(eq=False)
class AdminClient:
    """A client of the admin API; every method raises :exc:`pushd.pushctl.errors.ClientError` if its call fails."""

    _connection: Connection

    @property
    def clock(self) -> IReactorTime:
        """The clock of the timeouts."""
        return self._connection.clock

    async def is_ready(self) -> bool:
        """Whether the server can be reached and is ready to serve; false instead of an error."""
        try:
            status, _ = await self._connection.fetch(ApiRequest(path=["readyz"]))
        except Unreachable:
            return False
        return status == 200

    async def devices(self, query: Query = ()) -> list[Json]:
        """All devices that match, from all pages."""
        return await self._all("devices", query)

    async def alerts(self, query: Query = ()) -> list[Json]:
        """All alerts that match, from all pages, newest first."""
        return await self._all("alerts", query)

    async def acknowledge(self, alert: str) -> Json:
        """Acknowledge an alert, which stops its reminders."""
        return await self._connection.fetch_json(
            ApiRequest(method="POST", path=["v1", "alerts", alert, "acknowledge"])
        )

    async def device(self, device: str) -> Json:
        """One device."""
        return await self._connection.fetch_json(ApiRequest(path=["v1", "devices", device]))

    async def approve(self, device: str) -> Json:
        """Approve a pending device, so that it is sent its commands."""
        return await self._connection.fetch_json(
            ApiRequest(method="PATCH", path=["v1", "devices", device], body={"admission": "approved"})
        )

    async def send(self, device: str, draft: Mapping[str, Any], *, key: str, queue: bool = False) -> Json:
        """Queue a command. ``key`` is the idempotency key; ``queue``: also for a device that has signed off."""
        return await self._command(
            ApiRequest(
                method="POST",
                path=["v1", "devices", device, "commands"],
                query=_queue(queue),
                body=draft,
                headers={"Idempotency-Key": key},
            )
        )

    async def command(self, command: str, *, wait: float = 0) -> Json:
        """One command, as soon as it has ended or ``wait`` seconds (60 at most) have passed."""
        query = [("wait", f"{round(wait, 3):g}")] if wait else []
        return await self._command(
            ApiRequest(path=["v1", "commands", command], query=query, timeout=REQUEST_TIMEOUT + wait)
        )

    async def cancel(self, command: str) -> Json:
        """Cancel a command if it was not sent yet, or its further attempts."""
        return await self._command(ApiRequest(method="POST", path=["v1", "commands", command, "cancel"], body={}))

    async def explain(self, command: str) -> Json:
        """Why a command has not run yet, or how it ended."""
        return await self._connection.fetch_json(ApiRequest(path=["v1", "commands", command, "explain"]))

    async def resolve(self, command: str, state: str, note: str | None) -> Json:
        """Record the outcome of a command in state ``unknown``."""
        body = {"state": state} | ({} if note is None else {"note": note})
        return await self._command(ApiRequest(method="POST", path=["v1", "commands", command, "resolve"], body=body))

    async def resend(self, command: str, options: Mapping[str, Any], *, queue: bool = False) -> Json:
        """Send the same payload as a new command; a second call returns the same new command."""
        path = ["v1", "commands", command, "resend"]
        return await self._command(ApiRequest(method="POST", path=path, query=_queue(queue), body=options))

    async def fsck(self) -> list[Json]:
        """The inconsistencies that the server finds in its database and memory."""
        return (await self._page("fsck", ())).items

    async def stream_events(self, query: Query, last_id: str | None, receive: Callable[[bytes], None]) -> None:
        """Pass the event stream to ``receive`` until it ends; ``last_id`` resumes after an event."""
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
        request = ApiRequest(path=["v1", "events", "stream"], query=query, headers=headers)
        await self._connection.stream(request, receive)

    async def _command(self, request: ApiRequest) -> Json:
        command = await self._connection.fetch_json(request)
        if not isinstance(command.get("id"), str) or not isinstance(command.get("state"), str):
            raise UnexpectedResponse("the answer is not a command: is this the admin port of pushd?")
        return command

    async def _all(self, name: str, query: Query) -> list[Json]:
        query = [*query, ("limit", str(PAGE_SIZE))]
        page = await self._page(name, query)
        items = page.items
        while page.next is not None:
            page = await self._page(name, [*query, ("cursor", page.next)])
            items += page.items
        return items

    async def _page(self, name: str, query: Query) -> Page:
        answer = await self._connection.fetch_json(ApiRequest(path=["v1", name], query=query))
        items, cursor = answer.get("items"), answer.get("next")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise UnexpectedResponse("the answer has no list of items: is this the admin port of pushd?")
        return Page(items=items, next=None if cursor is None else str(cursor))


def _queue(queue: bool) -> Query:
    return [("queue", "1")] if queue else []
