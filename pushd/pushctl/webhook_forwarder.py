"""Posts events to a URL as the webhooks of the server do."""

import time
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field, frozen

from pushd.lib import strict_json, webhook_signature
from pushd.lib.webhook_message import CONTENT_TYPE, USER_AGENT, message_id, result_data, write_body
from pushd.lib.webhook_sender import WebhookSender
from pushd.model.admin_api import NOW
from pushd.model.event import WITH_RESULT, EventType
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json, Query
from pushd.pushctl.errors import ClientError, Refused, UnexpectedResponse
from pushd.pushctl.reconnection import Reconnection, is_passing

WAIT = 30.0
"""Seconds for which the server holds an answer until there is an event."""

PAGE = 100
"""Events that are read at a time."""

_LABELS = ("name", "site", "tags")
_FIELDS = {"seq", "type", "at", "device", "command", "data"}


@frozen(kw_only=True)
class Forwarded:
    """A message that was posted, and what the receiver made of it; ``duration`` is in seconds."""

    event: Json
    headers: Mapping[str, str]
    body: bytes
    status: int | None
    error: str | None
    duration: float


@define(eq=False)
class WebhookForwarder:
    """Reads the feed, and posts each event once, one after the other.

    It reads no further than it has posted: however slow the receiver is, nothing is lost or collected in memory.
    """

    client: AdminClient
    sender: WebhookSender
    url: str
    secret: str
    types: Sequence[str] = ()
    include_result: bool = False
    _reconnection: Reconnection = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._reconnection = Reconnection(self.client.clock)

    async def position(self, after: str) -> str:
        """The position in the feed from which to start.

        :raises ClientError: if the server refuses ``after``, or does not answer.
        """
        return (await self._page(after, wait=0))[1] if after == NOW else after

    async def run(self, position: str, show: Callable[[Forwarded], None]) -> None:
        """Post each event after a position, and show it, until this is cancelled; goes on when the server is back.

        :raises ClientError: if the server refuses.
        """
        while True:
            try:
                events, end = await self._page(position, wait=WAIT)
                self._reconnection.succeeded()
                for event in events:
                    show(await self._forward(event))
                    position = event["seq"]
                position = end
            except ClientError as error:
                if not is_passing(error):
                    raise
                await self._reconnection.pause(error)

    async def _page(self, after: str, wait: float) -> tuple[list[Json], str]:
        """The next events, and the position after them."""
        query: Query = [("after", after), ("limit", str(PAGE)), *(("type", name) for name in self.types)]
        page = await self.client.page("events", query=[*query, ("wait", f"{wait:g}")], wait=wait)
        if page.next is None or not all(map(_is_event, page.items)):
            raise UnexpectedResponse("the answer is not a page of events")
        return page.items, page.next

    async def _forward(self, event: Json) -> Forwarded:
        message = {**event, "data": await self._data(event)}
        body = write_body(message)
        headers = {"user-agent": USER_AGENT, "content-type": CONTENT_TYPE}
        headers |= webhook_signature.headers([self.secret], message_id(event["seq"]), int(time.time()), body)
        began = self.client.clock.seconds()
        outcome = await self.sender.post(self.url, headers, body)
        error = outcome.error
        if error is None and not outcome.delivered:
            error = f"the receiver answered {outcome.status}"
        duration = self.client.clock.seconds() - began
        return Forwarded(
            event=message, headers=headers, body=body, status=outcome.status, error=error, duration=duration
        )

    async def _data(self, event: Json) -> Json:
        """The event's data, with the labels of its device, and the result of its command if there is one."""
        data: Json = event["data"]
        if event["device"] is not None and "tags" not in data:
            data = await self._labels(event) | data
        if self.include_result and event["type"] in WITH_RESULT:
            data = data | await self._result(event["command"])
        return data

    async def _labels(self, event: Json) -> Json:
        found = await self.client.find_device(event["device"]) or await self._last_labels(event)
        return {"name": "", "site": None, "tags": []} | {name: found[name] for name in _LABELS if name in found}

    async def _last_labels(self, event: Json) -> Json:
        """The data of the event with which the device was deleted."""
        which = [
            ("type", EventType.DEVICE_DELETED),
            ("device", event["device"]),
            ("after", event["seq"]),
            ("limit", "1"),
        ]
        page = await self.client.page("events", query=which)
        return next((deletion["data"] for deletion in page.items), {})

    async def _result(self, command: str) -> Json:
        try:
            result = (await self.client.command(command)).get("result")
        except Refused as error:
            if error.status != 404:  # it was purged
                raise
            result = None
        return {} if result is None else result_data(strict_json.write(result).encode())


def _is_event(item: Json) -> bool:
    return item.keys() >= _FIELDS and isinstance(item["seq"], str) and isinstance(item["data"], dict)
