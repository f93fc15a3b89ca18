"""The routes of Server-Eye containers: poll, acknowledge, result and sign-off below ``/push/{containerId}``, and
``/container``.
"""

import re
from collections.abc import Coroutine, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote

from attrs import define
from twisted.python.failure import Failure

from pushd.core.devices.device_service import DeviceService
from pushd.core.polling.poll import Answer, Poll
from pushd.dialects.servereye import wire
from pushd.dialects.servereye.dialect import SERVER_EYE
from pushd.http.bodies import LARGE, BodyGrant, InThread, device_grant, parse
from pushd.http.device_port import MountedApp, list_refused
from pushd.http.error_status import error_detail, set_error_status
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.errors import InvalidQuery

VERSIONS = (b"", b"/1", b"/2")
"""The prefixes of all paths: without and with a version."""

PATHS = re.compile(rb"/push/.*|/container")

OTHER_PATHS = re.compile(rb"/[0-9]+(?:/.*)?|/.*/push/.*")
"""Paths of a client with a wrong version or address; the vendor's Node client stops on an empty response."""

_ACKNOWLEDGED = wire.write_answer(True, "acknowledged")
_TAKEN = wire.write_answer(True, "result taken")
_SIGNED_OFF = wire.write_answer(True, "signed off")

_RESULT = re.compile(rb"/push/([^/]+)/result/[^/]+")

_ANY_CALL = re.compile(rb"/push/([^/]+)(?:/signoff|/(?:ack|result)/[^/]+)?")


@define(eq=False)
class ServerEyeApp:
    """Reads requests, calls the device service, writes responses."""

    router = Router()

    device_service: DeviceService
    in_thread: InThread[wire.ServerEyeResult]

    @router.route("/push/<container>", methods=["GET"])
    def poll(self, request: Request, container: str) -> Poll | Coroutine[Any, None, Poll]:
        """A poll: the response is a message, or says that there is none."""
        device = _device(request, container)
        request.free_memory()
        return self.device_service.poll(request, device, _write_message)

    @router.route("/push/<container>/ack/<message>", methods=["POST", "GET"])
    async def acknowledge(self, request: Request, container: str, message: str) -> bytes:
        """The container has received a message, or is still working on it."""
        device = _device(request, container)
        await self.device_service.look_up(device)
        await self.device_service.acknowledge(request, device, message)
        return _ACKNOWLEDGED

    @router.route("/push/<container>/result/<message>", methods=["POST"])
    async def result(self, request: Request, container: str, message: str) -> bytes:
        """The result of a message; the response is sent once the result is durable."""
        device = _device(request, container)
        await self.device_service.look_up(device)
        if self.device_service.takes_result(request, device):
            await self.device_service.settle(request, device, await self._read_result(request, message))
        return _TAKEN

    @router.route("/push/<container>/signoff", methods=["GET", "POST"])
    async def sign_off(self, request: Request, container: str) -> bytes:
        """The container signs off: it goes offline on purpose."""
        device = _device(request, container)
        await self.device_service.look_up(device)
        await self.device_service.sign_off(request, device)
        return _SIGNED_OFF

    @router.route("/container", methods=["GET"])
    async def container(self, request: Request) -> bytes:
        """The settings of a container, which the vendor's sample asks for before it polls."""
        if b"id" not in request.args:
            raise InvalidQuery("id, the containerId, is required.")
        container = request.args[b"id"][0].decode("utf-8", "replace")
        device_id = _device(request, container)
        await self.device_service.look_up(device_id)
        device = self.device_service.own_device(request, device_id)
        return wire.write_container(container, device.name or container, device.heartbeat_timeout)

    @router.handle_errors(Exception)
    def failed(self, request: Request, failure: Failure) -> bytes:
        """An error has the same envelope as other responses."""
        list_refused(self.device_service.rejections, request, failure)
        set_error_status(request, failure)
        return wire.write_answer(False, error_detail(failure))

    def grant_body(self, request: Request, below: bytes) -> BodyGrant | None:
        """How much of a body to keep: something only of the results of containers that are served."""
        match = _RESULT.fullmatch(below)
        if match is None:
            return None
        try:
            device = _device(request, unquote(match[1].decode("ascii", "replace")))
        except InvalidQuery:
            return None
        access = self.device_service.result_access(request, device)
        if access is None:
            return None
        return device_grant(is_proven=access.is_proven, is_expected=access.is_expected)

    async def _read_result(self, request: Request, message: str) -> wire.ServerEyeResult | None:
        if request.body.oversized:
            return wire.oversized(request.body.size, message) if request.body.limit == LARGE else None
        return await parse(request.body.content(), partial(wire.read_result, message_id=message), self.in_thread)


def _device(request: Request, container: str) -> str:
    """The id of the device that a client claims to be; the API key that it sends is kept with its request.

    :raises InvalidQuery: if it is not a containerId.
    """
    args = request.args if request.query else {}
    keys = args.get(b"apiKey") or args.get(b"apikey") or request.requestHeaders.get(b"X-Api-Key")
    if keys:
        request.api_key = keys[0].decode("utf-8", "surrogateescape")
    return _known_id(container)


@lru_cache(maxsize=16384)
def _known_id(container: str) -> str:
    """The id of a device, whose requests are many."""
    return SERVER_EYE.device(wire.canonical(container))


def _write_message(device: str, answer: Answer) -> bytes:
    """The response to a poll."""
    if not answer:
        return wire.IDLE
    (dispatched,) = answer
    return wire.write_message(device.partition(":")[2], dispatched.command, dispatched.payload)


def claimed_device(path: bytes, _query: bytes) -> str | None:
    """The device that a request is from which has no route; None if it names none."""
    match = _ANY_CALL.fullmatch(path, max(path.find(b"/push/"), 0))
    if match is None:
        return None
    try:
        return SERVER_EYE.device(wire.canonical(unquote(match[1].decode("ascii", "replace"))))
    except InvalidQuery:
        return None


def mounted_apps(
    device_service: DeviceService, in_thread: InThread[Any], _bases: Sequence[bytes]
) -> Iterator[MountedApp]:
    """The app, mounted at the root of the device port and below each version, and for all that look like it."""
    app = ServerEyeApp(device_service, in_thread)
    yield MountedApp(prefixes=VERSIONS, pattern=PATHS, app=app, grant_body=app.grant_body)
    yield MountedApp(prefixes=(b"",), pattern=OTHER_PATHS, app=app, grant_body=lambda _request, _below: None)
