"""Control iD's door: ``GET /push`` and ``POST /result``, below each base.

Firmware understands 200 and nothing else: a refusal is an empty 200 too, and only an id that cannot be read is a 400.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from attrs import define
from twisted.python.failure import Failure
from twisted.web.http import parse_qs

from pushd.core.devices.admission import ClientIdentity
from pushd.core.devices.device_service import DeviceService
from pushd.dialects.controlid import wire
from pushd.dialects.controlid.dialect import CONTROL_ID
from pushd.http.bodies import LARGE, SMALL, InThread, parse
from pushd.http.client_address import client_address
from pushd.http.device_port import MountedApp
from pushd.http.error_status import set_error_status
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.lib.ip_networks import Networks
from pushd.model.errors import InvalidQuery, NotPermitted

PATHS = re.compile(rb"/(?:push|result)")
"""What the device appends to its base."""


@define(eq=False)
class ControlIdApp:
    """Reads, asks the reception, writes."""

    router = Router()

    device_service: DeviceService
    in_thread: InThread[wire.ControlIdResult]
    trusted_proxies: Networks = ()

    @router.route("/push", methods=["GET"])
    async def push(self, request: Request) -> bytes:
        """A poll: one command or batch, or nothing."""
        visit = wire.read_query(request.args)
        client_identity = self._visitor(request, visit)
        request.drop_headers()
        handed = await self.device_service.poll(client_identity, visit.uuid)
        return wire.write_pushes([one.payload for one in handed])

    @router.route("/result", methods=["POST"])
    async def result(self, request: Request) -> bytes:
        """What became of a command; empty once that is durable."""
        visit = wire.read_query(request.args)
        client_identity = self._visitor(request, visit)
        self.device_service.check_access(client_identity)
        await self.device_service.settle(client_identity, await self._report(request, visit))
        return wire.IDLE

    @router.handle_errors(NotPermitted)
    def refused(self, _request: Request, _failure: Failure) -> bytes:
        """Who is not served hears nothing."""
        return wire.IDLE

    @router.handle_errors(Exception)
    def failed(self, request: Request, failure: Failure) -> bytes:
        """Any other error is a status without a body."""
        set_error_status(request, failure)
        return b""

    def body_limit(self, below: bytes, query: bytes) -> int:
        """How many bytes of a body to keep: much only of a result that may be for a command."""
        if below != b"/result":
            return SMALL
        try:
            device = wire.read_query(parse_qs(query, True)).device
        except InvalidQuery:
            return SMALL
        return LARGE if self.device_service.expects_result(CONTROL_ID.device(device)) else SMALL

    async def _report(self, request: Request, visit: wire.Visit) -> wire.ControlIdResult | None:
        if request.body.oversized:
            return wire.oversized(request.body.size, visit) if request.body.limit == LARGE else None
        content_type = (request.getHeader(b"Content-Type") or b"").decode("utf-8", "replace")
        read = partial(wire.read_result, content_type=content_type, visit=visit)
        return await parse(request.body.content(), read, self.in_thread)

    def _visitor(self, request: Request, visit: wire.Visit) -> ClientIdentity:
        return ClientIdentity(
            device=CONTROL_ID.device(visit.device),
            address=client_address(request, self.trusted_proxies),
            owner=request.owner,
        )


def mounted_app(
    device_service: DeviceService, in_thread: InThread[Any], trusted_proxies: Networks, bases: Sequence[bytes]
) -> MountedApp:
    """The place of this dialect on the device port: the root, and each configured base."""
    app = ControlIdApp(device_service, in_thread, trusted_proxies)
    return MountedApp(prefixes=(b"", *bases), pattern=PATHS, app=app, body_limit=app.body_limit)
