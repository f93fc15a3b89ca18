"""The calls of the admin API that ``pushctl`` and the demo use."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from attrs import define, frozen
from treq.client import HTTPClient
from twisted.internet.interfaces import IReactorTime

from pushd.model.admin_api import MAX_PAGE, decimal, flags
from pushd.model.device import Admission
from pushd.model.opening import PATIENCE
from pushd.pushctl.connection import REQUEST_TIMEOUT, ApiRequest, Connection, Json, Query
from pushd.pushctl.errors import Refused, UnexpectedResponse, Unreachable
from pushd.pushctl.server_address import ServerAddress

ProgressOfReading = Callable[[], AbstractContextManager[Callable[[int], None]]]
"""Makes a function that takes how many items of a list were read, if it has further pages."""


@contextmanager
def _no_progress() -> Iterator[Callable[[int], None]]:
    yield lambda _: None


@frozen(kw_only=True)
class Page:
    """Some items of a list, and the cursor of the next page if there is one."""

    items: list[Json]
    next: str | None


@define(eq=False)
class AdminClient:
    """A client of the admin API; every method raises :exc:`pushd.pushctl.errors.ClientError` if its call fails."""

    _connection: Connection
    _progress: ProgressOfReading = _no_progress

    @classmethod
    def of_server(
        cls, server: ServerAddress, http: HTTPClient, clock: IReactorTime, progress: ProgressOfReading = _no_progress
    ) -> "AdminClient":
        """A client of a server, with the token for it."""
        connection = Connection(
            treq=http,
            base=server.url,
            token=server.token,
            clock=clock,
            token_source=server.token_source,
            remedy=server.remedy,
        )
        return cls(connection, progress)

    @property
    def clock(self) -> IReactorTime:
        """The clock of the timeouts."""
        return self._connection.clock

    async def is_ready(self) -> bool:
        """Whether the server can be reached and is ready to serve; false instead of an error."""
        try:
            response = await self._connection.fetch(ApiRequest(path=["readyz"]))
        except Unreachable:
            return False
        return response.status == 200

    async def call(
        self,
        method: str,
        *path: str,
        query: Query = (),
        body: Mapping[str, Any] | None = None,
        key: str | None = None,
        wait: float = 0,
    ) -> Json:
        """Any call of the API; ``path`` is below ``/v1``. The answer is empty if the server has nothing to say.

        ``key`` is the idempotency key; ``wait`` is how many seconds the server may hold its answer.
        """
        return await self._connection.fetch_json(
            ApiRequest(
                method=method,
                path=["v1", *path],
                query=query,
                body=body,
                headers={} if key is None else {"Idempotency-Key": key},
                timeout=REQUEST_TIMEOUT + wait,
            )
        )

    async def issue(self, *path: str, overlap: float = 0) -> Json:
        """Make a new secret; an earlier one stays valid for ``overlap`` seconds. ``path`` is below ``/v1``."""
        return await self.call("POST", *path, query=[("overlap", decimal(overlap))])

    async def delete(self, *path: str) -> Json:
        """Delete what is at ``path`` below ``/v1``; returns its id alone, for lists of what was done."""
        await self.call("DELETE", *path)
        return {"id": path[-1]}

    async def items(self, *path: str, query: Query = (), limit: int | None = None) -> list[Json]:
        """The items of a list from all its pages, or the first ``limit`` of them; ``path`` is below ``/v1``."""
        items: list[Json] = []
        cursor: Query = ()
        with self._progress() as show:
            while limit is None or len(items) < limit:
                size = MAX_PAGE if limit is None else min(MAX_PAGE, limit - len(items))
                page = await self.page(*path, query=[*query, ("limit", str(size)), *cursor])
                items += page.items
                if page.next is None:
                    break
                cursor = [("cursor", page.next)]
                show(len(items))
        return items

    async def whole(self, *path: str) -> list[Json]:
        """The items of a list that has no pages; ``path`` is below ``/v1``."""
        return (await self.page(*path)).items

    async def page(self, *path: str, query: Query = (), wait: float = 0) -> Page:
        """One page of a list, or of a feed; ``path`` is below ``/v1``, ``wait`` is as for :meth:`call`."""
        answer = await self.call("GET", *path, query=query, wait=wait)
        items, following = answer.get("items"), answer.get("next")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise UnexpectedResponse("the answer has no list of items")
        return Page(items=items, next=None if following is None else str(following))

    async def info(self) -> Json:
        """The server's version, options and counts."""
        return await self.call("GET", "info")

    async def devices(self, query: Query = ()) -> list[Json]:
        """All devices that match, from all pages."""
        return await self.items("devices", query=query)

    async def alerts(self, query: Query = ()) -> list[Json]:
        """All alerts that match, from all pages, newest first."""
        return await self.items("alerts", query=query)

    async def acknowledge(self, alert: str) -> Json:
        """Acknowledge an alert, which stops its reminders."""
        return await self.call("POST", "alerts", alert, "acknowledge")

    async def device(self, device: str) -> Json:
        """One device."""
        return await self.call("GET", "devices", device)

    async def find_device(self, device: str) -> Json | None:
        """One device; None if it is not known."""
        try:
            return await self.device(device)
        except Refused as error:
            if error.status != 404:
                raise
            return None

    async def approve(self, device: str, *, model: str | None = None) -> Json:
        """Approve a device, so that it is sent its commands; ``model`` is kept among its facts."""
        facts = {} if model is None else {"facts": {"model": model}}
        return await self.call("PATCH", "devices", device, body={"admission": Admission.APPROVED, **facts})

    async def send(
        self, device: str, draft: Mapping[str, Any], *, key: str, queue: bool = False, unchecked: bool = False
    ) -> Json:
        """Queue a command. ``key`` is the idempotency key; ``queue``: also for a device that has signed off;
        ``unchecked``: also one that the device is known to reject.
        """
        query = flags(queue=queue, unchecked=unchecked)
        return _checked(await self.call("POST", "devices", device, "commands", query=query, body=draft, key=key))

    async def open(self, device: str, asked: Mapping[str, Any], *, key: str) -> Json:
        """Open what a device guards, at once or not at all; ``key`` is the idempotency key."""
        opening = await self.call("POST", "devices", device, "open", body=asked, key=key, wait=PATIENCE)
        if not isinstance(opening.get("outcome"), str) or not isinstance(opening.get("command"), dict):
            raise UnexpectedResponse("the answer is not an outcome")
        return opening

    async def command(self, command: str, *, wait: float = 0) -> Json:
        """One command, as soon as it has ended or ``wait`` seconds (60 at most) have passed."""
        query = [("wait", decimal(wait))] if wait else []
        return _checked(await self.call("GET", "commands", command, query=query, wait=wait))

    async def cancel(self, command: str) -> Json:
        """Cancel a command if it was not sent yet, or its further attempts."""
        return _checked(await self.call("POST", "commands", command, "cancel", body={}))

    async def explain(self, command: str) -> Json:
        """Why a command has not run yet, or how it ended."""
        return await self.call("GET", "commands", command, "explain")

    async def resolve(self, command: str, state: str, note: str | None) -> Json:
        """Record the outcome of a command in state ``unknown``."""
        body = {"state": state} | ({} if note is None else {"note": note})
        return _checked(await self.call("POST", "commands", command, "resolve", body=body))

    async def resend(
        self, command: str, options: Mapping[str, Any], *, queue: bool = False, unchecked: bool = False
    ) -> Json:
        """Send the same payload as a new command; a second call returns the same new command."""
        query = flags(queue=queue, unchecked=unchecked)
        return _checked(await self.call("POST", "commands", command, "resend", query=query, body=options))

    async def fsck(self) -> list[Json]:
        """The inconsistencies that the server finds in its database and memory."""
        return await self.whole("fsck")

    async def stream_events(self, query: Query, last_id: str | None, receive: Callable[[bytes], None]) -> None:
        """Pass the event stream to ``receive`` until it ends; ``last_id`` resumes after an event."""
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
        request = ApiRequest(path=["v1", "events", "stream"], query=query, headers=headers)
        await self._connection.stream(request, receive)


def _checked(command: Json) -> Json:
    """:raises UnexpectedResponse: if this is not a command."""
    if not isinstance(command.get("id"), str) or not isinstance(command.get("state"), str):
        raise UnexpectedResponse("the answer is not a command")
    return command
