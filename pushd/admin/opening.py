"""``/v1/devices/{device}/open``: open what a device guards, in one call."""

from attrs import define

from pushd.admin import json_views, parameters, request_bodies
from pushd.admin.auth import Authenticator, actor, requires_in_scope
from pushd.admin.idempotency import fingerprint, idempotency_key
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.view_schemas.commands import OPENED
from pushd.core.commands.opener import Opener
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.scoped_view import ScopedView
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.opening import Opening
from pushd.model.token import Role


@define(eq=False)
class OpeningApp:
    """Open a device."""

    router = Router(problem)

    auth: Authenticator
    registry: DeviceRegistry
    opener: Opener

    @router.route("/v1/devices/<device>/open", methods=["POST"])
    @requires_in_scope(Role.OPERATOR)
    @answers(
        {200: Answer("What became of it.", OPENED, has_location=True)},
        body=request_bodies.OPENING,
        headers=(parameters.IDEMPOTENCY_KEY,),
        errors=(
            "device-blocked",
            "model-unknown",
            "cannot-open",
            "queue-full",
            "idempotency-conflict",
        ),
    )
    async def open(self, request: Request, device: str, view: ScopedView | None) -> bytes:
        """Open it within ten seconds, or not at all; the answer says what became of it."""
        if view is not None:
            view.check_may_open()  # before the body is read
        found = self.registry.find(device)
        key = idempotency_key(request)
        body = request_bodies.read_object(request.body.content() or b"{}")
        asked, trace = request_bodies.read_opening(body)

        async def open_once(view: ScopedView | None) -> Opening:
            if view is not None:
                view.check_device(found.id)
                view.check_may_open()
            with request.client.waiting() as waits:
                return await self.opener.open(
                    found,
                    asked,
                    actor(request),
                    trace=trace,
                    idempotency_key=key,
                    fingerprint=None if key is None else fingerprint(body),
                    among=waits,
                )

        opening = await self.auth.act(request, Role.OPERATOR, view, open_once)
        request.setHeader(b"Location", f"/v1/commands/{opening.command.id}".encode())
        return json_views.opening(opening)
