"""``/v1/devices``: registered devices, and what is sent to it."""

from typing import Any

from attrs import define

from pushd.admin import json_views, request_bodies
from pushd.admin.auth import authenticate, check, demands
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.admin.sending import Sender
from pushd.core.credentials import Tokens
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.polling.poll_registry import PollRegistry
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.device import Admission, Device, PresenceState, ProofKind
from pushd.model.errors import InvalidQuery
from pushd.model.token import Role
from pushd.store.filters import DeviceFilter
from pushd.store.interface import IStore

MAX_OVERLAP = 30 * 86400.0
"""Seconds that an old secret may stay valid beside the new one."""

OPERATORS_MAY = frozenset({"admission", "muted_until"})
"""Fields of a device that an operator changes; the others are an admin's."""


@define(eq=False)
class DevicesApp:
    """List, register, see, change, forget; secrets; send."""

    router = Router(problem)

    tokens: Tokens
    registry: DeviceRegistry
    store: IStore
    poll_registry: PollRegistry
    sender: Sender

    @router.route("/v1/devices", methods=["GET"])
    @demands(Role.VIEWER)
    async def list(self, request: Request) -> bytes:
        """Devices, by id."""
        query = Query.of(request, "dialect", "presence", "admission", "tag", "q", "limit", "cursor")
        which = DeviceFilter(
            dialect=query.text("dialect"),
            presence=query.one_of("presence", PresenceState),
            admission=query.one_of("admission", Admission),
            tags=query.texts("tag"),
            q=query.text("q"),
        )
        limit = query.limit()
        found = await self.store.devices(which, query.cursor(), limit)
        items = [json_views.device(device, load, self.registry, self.poll_registry) for device, load in found]
        return json_views.devices(items, limit)

    @router.route("/v1/devices", methods=["POST"])
    @demands(Role.ADMIN)
    async def register(self, request: Request) -> bytes:
        """Add a device before it has polled."""
        Query.of(request)
        drafted = request_bodies.read_registration(request_bodies.read_object(request.body.content()), self.registry)
        device = await self.registry.register(drafted)
        request.setResponseCode(201)
        request.setHeader(b"Location", f"/v1/devices/{device.id}".encode())
        return await self._shown(device)

    @router.route("/v1/devices/<device>", methods=["GET"])
    @demands(Role.VIEWER)
    async def see(self, request: Request, device: str) -> bytes:
        """One device."""
        Query.of(request)
        return await self._shown(self._known(device))

    @router.route("/v1/devices/<device>", methods=["PATCH"])
    @demands(Role.OPERATOR)
    async def change(self, request: Request, device: str) -> bytes:
        """Change fields of a device."""
        Query.of(request)
        known = self._known(device)
        defaults = self.registry.new_device(known.id, known.admission)
        body = request_bodies.read_object(request.body.content())
        changes = request_bodies.read_changes(body, defaults)
        if not set(body) <= OPERATORS_MAY:
            check(authenticate(self.tokens, request), Role.ADMIN)
        return await self._shown(await self.registry.change(known.id, changes))

    @router.route("/v1/devices/<device>", methods=["DELETE"])
    @demands(Role.ADMIN)
    async def forget(self, request: Request, device: str) -> bytes:
        """Delete a device."""
        Query.of(request)
        await self.registry.delete(self._known(device).id)
        request.setResponseCode(204)
        return b""

    @router.route("/v1/devices/<device>/secret", methods=["POST"])
    @demands(Role.ADMIN)
    async def give_secret(self, request: Request, device: str) -> bytes:
        """A new secret path, shown once."""
        secret = await self._give(request, device, ProofKind.SECRET)
        return json_views.json({"secret": secret, "path": f"/d/{secret}"})

    @router.route("/v1/devices/<device>/api-key", methods=["POST"])
    @demands(Role.ADMIN)
    async def give_key(self, request: Request, device: str) -> bytes:
        """A new API key, shown once."""
        return json_views.json({"key": await self._give(request, device, ProofKind.API_KEY)})

    @router.route("/v1/devices/<device>/orphans", methods=["GET"])
    @demands(Role.VIEWER)
    async def orphans(self, request: Request, device: str) -> bytes:
        """Results of a device that settled nothing, newest first."""
        query = Query.of(request, "limit", "cursor")
        limit = query.limit()
        found = await self.store.orphans(self._known(device).id, query.numeric_cursor(), limit)
        return json_views.orphans(found, limit)

    @router.route("/v1/devices/<device>/commands", methods=["POST"])
    @demands(Role.OPERATOR)
    async def send(self, request: Request, device: str) -> bytes:
        """Send a command, and maybe wait for its end."""
        token = authenticate(self.tokens, request)
        return await self.sender.send(request, self._known(device).id, token)

    def _known(self, device: str) -> Device:
        return self.registry.get_or_raise(self.registry.canonical_id(device))

    async def _give(self, request: Request, device: str, kind: ProofKind) -> str:
        overlap = Query.of(request, "overlap").seconds("overlap", MAX_OVERLAP) or 0
        known = self._known(device)
        if kind is ProofKind.API_KEY and not self.registry.dialects[known.dialect].keys:
            raise InvalidQuery(f"A {known.dialect} device cannot send a key; give it a secret path.")
        secret = await self.registry.issue_credential(known.id, kind, overlap)
        request.setResponseCode(201)
        return secret

    async def _shown(self, device: Device) -> bytes:
        load = await self.store.queue_depth(device.id)
        shown: dict[str, Any] = json_views.device(device, load, self.registry, self.poll_registry)
        return json_views.json(shown)
