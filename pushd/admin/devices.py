"""``/v1/devices``: register, list, change and delete devices, issue their credentials."""

from attrs import define

from pushd.admin import json_views, request_bodies
from pushd.admin.auth import check_role, requires
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
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

OPERATOR_FIELDS = frozenset({"admission", "muted_until"})
"""Fields of a device that an operator may change; the others require an admin."""


@define(eq=False)
class DevicesApp:
    """Register, list, get, change, delete; credentials; orphan results."""

    router = Router(problem)

    tokens: Tokens
    registry: DeviceRegistry
    store: IStore
    poll_registry: PollRegistry

    @router.route("/v1/devices", methods=["GET"])
    @requires(Role.VIEWER, "dialect", "presence", "admission", "site", "tag", "q", "limit", "cursor")
    async def list(self, _request: Request, query: Query) -> bytes:
        """Devices, by id."""
        which = DeviceFilter(
            dialect=query.one_of("dialect", tuple(self.registry.dialects)),
            presence=query.one_of("presence", PresenceState),
            admission=query.one_of("admission", Admission),
            sites=query.texts("site"),
            tags=query.texts("tag"),
            q=query.text("q"),
        )
        limit = query.limit()
        found = await self.store.devices(which, query.cursor(), limit)
        items = [json_views.device(device, depth, self.registry, self.poll_registry) for device, depth in found]
        return json_views.devices(items, limit)

    @router.route("/v1/devices", methods=["POST"])
    @requires(Role.ADMIN)
    async def register(self, request: Request) -> bytes:
        """Add a device before its first poll."""
        body = request_bodies.read_object(request.body.content(), '{"id": "controlid:4408801109440198"}')
        new = request_bodies.read_new_device(body, self.registry)
        device = await self.registry.register(new)
        request.setResponseCode(201)
        request.setHeader(b"Location", f"/v1/devices/{device.id}".encode())
        return self._view(device)

    @router.route("/v1/devices/<device>", methods=["GET"])
    @requires(Role.VIEWER)
    async def get(self, _request: Request, device: str) -> bytes:
        """One device."""
        return self._view(self._find(device))

    @router.route("/v1/devices/<device>", methods=["PATCH"])
    @requires(Role.OPERATOR)
    async def change(self, request: Request, device: str) -> bytes:
        """Change fields of a device."""
        found = self._find(device)
        defaults = self.registry.new_device(found.id, found.admission)
        body = request_bodies.read_object(request.body.content(), '{"name": "Main gate"}')
        changes = request_bodies.read_device_changes(body, defaults)
        if not set(body) <= OPERATOR_FIELDS:
            check_role(request.token, Role.ADMIN)
        return self._view(await self.registry.change(found.id, changes))

    @router.route("/v1/devices/<device>", methods=["DELETE"])
    @requires(Role.ADMIN)
    async def delete(self, request: Request, device: str) -> bytes:
        """Delete a device."""
        await self.registry.delete(self._find(device).id)
        request.setResponseCode(204)
        return b""

    @router.route("/v1/devices/<device>/secret", methods=["POST"])
    @requires(Role.ADMIN, "overlap")
    async def issue_secret(self, request: Request, query: Query, device: str) -> bytes:
        """Issue a new secret path, which is shown only here."""
        secret = await self._issue(request, query, device, ProofKind.SECRET)
        return json_views.json({"secret": secret, "path": f"/d/{secret}"})

    @router.route("/v1/devices/<device>/api-key", methods=["POST"])
    @requires(Role.ADMIN, "overlap")
    async def issue_api_key(self, request: Request, query: Query, device: str) -> bytes:
        """Issue a new API key, which is shown only here."""
        return json_views.json({"key": await self._issue(request, query, device, ProofKind.API_KEY)})

    @router.route("/v1/devices/<device>/orphans", methods=["GET"])
    @requires(Role.VIEWER, "limit", "cursor")
    async def orphans(self, _request: Request, query: Query, device: str) -> bytes:
        """Orphan results of a device, newest first."""
        limit = query.limit()
        found = await self.store.orphans(self._find(device).id, query.numeric_cursor(), limit)
        return json_views.orphans(found, limit)

    def _find(self, device: str) -> Device:
        return self.registry.find(device)

    async def _issue(self, request: Request, query: Query, device: str, kind: ProofKind) -> str:
        overlap, found = query.overlap(), self._find(device)
        if kind is ProofKind.API_KEY and not self.registry.dialects[found.dialect].keys:
            raise InvalidQuery(f"A {found.dialect} device cannot send an API key; issue a secret path instead.")
        secret = await self.registry.issue_credential(found.id, kind, overlap)
        request.setResponseCode(201)
        return secret

    def _view(self, device: Device) -> bytes:
        depth = self.store.queue_depth(device.id)
        return json_views.json(json_views.device(device, depth, self.registry, self.poll_registry))
