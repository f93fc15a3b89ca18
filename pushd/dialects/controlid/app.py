"""The routes of Control iD devices: ``GET /push``, ``POST /result`` and ``POST /push``, below each base.

Firmware understands only 200: a refused device gets an empty 200 as well, and only an invalid device id is a 400.
"""

import re
from collections.abc import Coroutine, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

from attrs import define
from twisted.python.failure import Failure
from twisted.web.http import parse_qs

from pushd.core.devices.device_service import DeviceService
from pushd.core.polling.poll import Answer, Poll
from pushd.dialects.controlid import wire
from pushd.dialects.controlid.dialect import CONTROL_ID
from pushd.http.bodies import LARGE, BodyGrant, InThread, device_grant, parse
from pushd.http.device_port import MountedApp, list_refused
from pushd.http.error_status import set_error_status
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.errors import InvalidQuery, NotPermitted, TooManyPolls

PATHS = re.compile(rb"/(?:push|result)")
"""The paths that a device appends to its base."""


@lru_cache(maxsize=64)
def _result_query(query: bytes) -> wire.PollQuery:
    """The query of a result; it is needed when the headers have arrived, and again with the body."""
    return wire.read_query(parse_qs(query, True))


@define(eq=False)
class ControlIdApp:
    """Reads requests, calls the device service, writes responses."""

    router = Router()

    device_service: DeviceService
    in_thread: InThread[wire.ControlIdResult]

    @router.route("/push", methods=["GET"])
    def push(self, request: Request) -> Poll | Coroutine[Any, None, Poll]:
        """A poll: the response is a command, a batch, or empty."""
        query = wire.read_query(request.args)
        request.free_memory()
        return self.device_service.poll(request, CONTROL_ID.device(query.device), _write_pushes, query.uuid)

    @router.route("/result", methods=["POST"])
    async def result(self, request: Request) -> bytes:
        """The result of a command; the empty response is sent once the result is durable."""
        query = _result_query(request.query)
        device = CONTROL_ID.device(query.device)
        await self.device_service.look_up(device)
        if self.device_service.takes_result(request, device):
            await self.device_service.settle(request, device, await self._read_result(request, query))
        return wire.IDLE

    @router.route("/push", methods=["POST"])
    async def activity(self, request: Request) -> bytes:
        """A heartbeat of some models, perhaps with access logs, perhaps with the result of a command."""
        query = _result_query(request.query)
        device = CONTROL_ID.device(query.device)
        await self.device_service.look_up(device)
        if self.device_service.takes_result(request, device):
            result = await self._read_result(request, query)
            readable = None if result is None or result.unreadable else result
            await self.device_service.settle(request, device, readable)
        return wire.IDLE

    @router.handle_errors(NotPermitted, TooManyPolls)
    def refused(self, _request: Request, _failure: Failure) -> bytes:
        """A device that is not served, or not now, gets the idle response."""
        return wire.IDLE

    @router.handle_errors(Exception)
    def failed(self, request: Request, failure: Failure) -> bytes:
        """Any other error is a status code without a body."""
        list_refused(self.device_service.rejections, request, failure)
        set_error_status(request, failure)
        return b""

    def grant_body(self, request: Request, _below: bytes) -> BodyGrant | None:
        """How much of a body to keep: something only of the results of devices that are served."""
        if request.method != b"POST":
            return None
        try:
            query = _result_query(request.query)
        except InvalidQuery:
            return None
        access = self.device_service.result_access(request, CONTROL_ID.device(query.device))
        if access is None:
            return None
        return device_grant(is_proven=access.is_proven, is_expected=access.is_expected)

    async def _read_result(self, request: Request, query: wire.PollQuery) -> wire.ControlIdResult | None:
        if request.body.oversized:
            return wire.oversized(request.body.size, query) if request.body.limit == LARGE else None
        content_type = (request.getHeader(b"Content-Type") or b"").decode("utf-8", "replace")
        read = partial(wire.read_result, content_type=content_type, query=query)
        return await parse(request.body.content(), read, self.in_thread)


def _write_pushes(_device: str, answer: Answer) -> bytes:
    """The response to a poll."""
    return wire.write_pushes([dispatched.payload for dispatched in answer])


def claimed_device(_path: bytes, query: bytes) -> str | None:
    """The device that a request is from which has no route; None if it names none."""
    if not wire.HAS_DEVICE_ID.search(query):
        return None
    try:
        return CONTROL_ID.device(_result_query(query).device)
    except InvalidQuery:
        return None


def mounted_apps(
    device_service: DeviceService, in_thread: InThread[Any], bases: Sequence[bytes]
) -> Iterator[MountedApp]:
    """The app, mounted at the root of the device port and below each of the ``bases``.

    A reader whose configured address ends in ``/push``, which is a common mistake, appends a second one; without a
    deviceId such a path is not from a reader.
    """
    app = ControlIdApp(device_service, in_thread)
    prefixes = (b"", *(base for base in bases if base != wire.SUFFIX))
    doubled = tuple(prefix + wire.SUFFIX for prefix in prefixes)
    yield MountedApp(prefixes=prefixes, pattern=PATHS, app=app, grant_body=app.grant_body)
    yield MountedApp(prefixes=doubled, pattern=PATHS, app=app, grant_body=app.grant_body, query=wire.HAS_DEVICE_ID)
