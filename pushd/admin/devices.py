"""``/v1/devices``: register, list, change and delete devices, issue their credentials."""

from attrs import define

from pushd.admin import json_views, parameters, request_bodies
from pushd.admin.auth import Authenticator, actor, check_role, requires, requires_in_scope
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.admin.view_schemas.devices import API_KEY, DEVICE, DEVICE_SECRET, DEVICES, MUTED, ORPHANS
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.polling.poll_registry import PollRegistry
from pushd.core.scoped_view import ScopedView
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.device import Admission, Device, PresenceState, ProofKind
from pushd.model.errors import NoApiKey
from pushd.model.token import Role
from pushd.store.filters import DeviceFilter, DeviceOrder
from pushd.store.interface import IStore

OPERATOR_FIELDS = frozenset({"admission", "muted_until"})
"""Fields of a device that an operator may change; the others require an admin."""


MAX_SHOWN = 1000
"""Devices that the answer to a change of many has."""


@define(eq=False)
class DevicesApp:
    """Register, list, get, change, delete; credentials; orphan results."""

    router = Router(problem)

    auth: Authenticator
    registry: DeviceRegistry
    store: IStore
    poll_registry: PollRegistry

    @router.route("/v1/devices", methods=["GET"])
    @requires_in_scope(Role.VIEWER, *parameters.DEVICES)
    @answers({200: Answer("Devices.", DEVICES)})
    async def list(self, _request: Request, query: Query, view: ScopedView | None) -> bytes:
        """Devices, by id or by name."""
        which = DeviceFilter(
            dialect=query.one_of("dialect", tuple(self.registry.dialects)),
            presence=query.one_of("presence", PresenceState),
            admission=query.one_of("admission", Admission),
            sites=query.texts("site"),
            tags=query.texts("tag"),
            model=query.text("model"),
            q=None if (q := query.text("q")) is None else self.registry.search_text(q),
            order=query.one_of("sort", DeviceOrder) or DeviceOrder.ID,
            scope=None if view is None else view.scope,
        )
        limit = query.limit()
        found = await self.store.devices(which, query.cursor(), limit)
        items = [json_views.device(device, depth, self.registry, self.poll_registry) for device, depth in found]
        return json_views.devices(items, which.position(found[-1][0]) if len(found) == limit else None)

    @router.route("/v1/devices/mute", methods=["POST"])
    @requires_in_scope(Role.OPERATOR)
    @answers({200: Answer("The devices.", MUTED)}, body=request_bodies.MUTE, errors=("not-found",))
    async def mute(self, request: Request, view: ScopedView | None) -> bytes:
        """Mute several devices, or end that."""
        if view is not None:
            view.check_all_endpoints()
        body = request_bodies.read_object(request.body.content(), '{"site": "Lobby", "until": null}')
        which = request_bodies.read_mute(body, self.registry)
        named = None if which.devices is None else {self._find_in(view, device).id for device in which.devices}
        muted = [device for device in self.registry.select(which.site, which.tags) if named is None or device in named]
        if view is not None:
            muted = [device for device in muted if view.covers(device)]
        await self.registry.change_all(muted, {"muted_until": which.until}, actor(request))
        return json_views.json({"devices": muted[:MAX_SHOWN], "count": len(muted)})

    @router.route("/v1/devices", methods=["POST"])
    @requires(Role.ADMIN)
    @answers(
        {201: Answer("The device.", DEVICE, has_location=True)},
        body=request_bodies.NEW_DEVICE,
        errors=("device-known",),
    )
    async def register(self, request: Request) -> bytes:
        """Add a device before its first poll."""
        body = request_bodies.read_object(request.body.content(), '{"id": "controlid:4408801109440198"}')
        new = request_bodies.read_new_device(body, self.registry)
        device = await self.registry.register(new, actor(request))
        request.setResponseCode(201)
        request.setHeader(b"Location", f"/v1/devices/{device.id}".encode())
        return self._view(device)

    @router.route("/v1/devices/<device>", methods=["GET"])
    @requires_in_scope(Role.VIEWER)
    @answers({200: Answer("The device.", DEVICE)})
    async def get(self, _request: Request, device: str) -> bytes:
        """One device."""
        return self._view(self.registry.find(device))

    @router.route("/v1/devices/<device>", methods=["PATCH"])
    @requires_in_scope(Role.OPERATOR)
    @answers(
        {200: Answer("The device.", DEVICE)},
        body=request_bodies.DEVICE_CHANGES,
        notes="Fields other than ``admission`` and ``muted_until`` need the role admin.",
    )
    async def change(self, request: Request, device: str, view: ScopedView | None) -> bytes:
        """Change fields of a device."""
        if view is not None:
            view.check_all_endpoints()
        found = self.registry.find(device)
        defaults = self.registry.new_device(found.id, found.admission)
        body = request_bodies.read_object(request.body.content(), '{"name": "Main gate"}')
        changes = request_bodies.read_device_changes(body, defaults)
        if not set(body) <= OPERATOR_FIELDS:
            check_role(request.client.principal, Role.ADMIN)
        return self._view(await self.registry.change(found.id, changes, actor(request)))

    @router.route("/v1/devices/<device>", methods=["DELETE"])
    @requires(Role.ADMIN)
    @answers({204: Answer("It is done.")})
    async def delete(self, request: Request, device: str) -> bytes:
        """Delete a device."""
        await self.registry.delete(self.registry.find(device).id, actor(request))
        request.setResponseCode(204)
        return b""

    @router.route("/v1/devices/<device>/secret", methods=["POST"])
    @requires(Role.ADMIN, parameters.OVERLAP)
    @answers({201: Answer("The secret.", DEVICE_SECRET)})
    async def issue_secret(self, request: Request, query: Query, device: str) -> bytes:
        """Issue a new secret path, which is shown only here."""
        secret = await self._issue(request, query, device, ProofKind.SECRET)
        return json_views.json({"secret": secret, "path": f"/d/{secret}"})

    @router.route("/v1/devices/<device>/api-key", methods=["POST"])
    @requires(Role.ADMIN, parameters.OVERLAP)
    @answers({201: Answer("The key.", API_KEY)}, errors=("no-api-key",))
    async def issue_api_key(self, request: Request, query: Query, device: str) -> bytes:
        """Issue a new API key, which is shown only here."""
        return json_views.json({"key": await self._issue(request, query, device, ProofKind.API_KEY)})

    @router.route("/v1/devices/<device>/orphans", methods=["GET"])
    @requires_in_scope(Role.VIEWER, *parameters.PAGE)
    @answers({200: Answer("Orphan results.", ORPHANS)})
    async def orphans(self, _request: Request, query: Query, device: str, view: ScopedView | None) -> bytes:
        """Orphan results of a device, newest first."""
        if view is not None:
            view.check_all_endpoints()
        limit = query.limit()
        found = await self.store.orphans(self.registry.find(device).id, query.numeric_cursor(), limit)
        return json_views.orphans(found, limit)

    def _find_in(self, view: ScopedView | None, device: str) -> Device:
        """A device that is in view; one after the other, so that an error does not tell which of the others exist.

        :raises UnknownDevice: if there is none.
        """
        if view is not None:
            view.check_device(device)
        return self.registry.find(device)

    async def _issue(self, request: Request, query: Query, device: str, kind: ProofKind) -> str:
        overlap, found = query.overlap(), self.registry.find(device)
        if kind is ProofKind.API_KEY and not self.registry.dialects[found.dialect].keys:
            raise NoApiKey(f"A {found.dialect} device cannot send an API key; issue a secret path instead.")
        secret = await self.registry.issue_credential(found.id, kind, overlap, actor(request))
        request.setResponseCode(201)
        return secret

    def _view(self, device: Device) -> bytes:
        depth = self.store.queue_depth(device.id)
        return json_views.json(json_views.device(device, depth, self.registry, self.poll_registry))
