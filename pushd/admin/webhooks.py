"""``/v1/webhooks``: manage subscriptions, read their delivery log, redeliver."""

from typing import Any

from attrs import asdict, define

from pushd.admin import json_views, parameters, request_bodies
from pushd.admin.auth import Authenticator, actor, requires
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.admin.view_schemas.webhooks import (
    DELIVERIES,
    ISSUED_WEBHOOK,
    RECEIVER_ANSWER,
    WEBHOOK,
    WEBHOOK_SECRET,
    WEBHOOKS,
)
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.notification_tester import NotificationTester
from pushd.core.webhooks import Webhooks
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.token import Role
from pushd.model.webhook import Webhook
from pushd.store.interface import IStore


@define(eq=False)
class WebhooksApp:
    """List, create, get, change, delete; rotate secrets; test; delivery log; redeliver."""

    router = Router(problem)

    auth: Authenticator
    webhooks: Webhooks
    registry: DeviceRegistry
    tester: NotificationTester
    store: IStore

    @router.route("/v1/webhooks", methods=["GET"])
    @requires(Role.ADMIN, *parameters.PAGE)
    @answers({200: Answer("Webhooks.", WEBHOOKS)})
    async def list(self, _request: Request, query: Query) -> bytes:
        """Webhooks, by id."""
        limit = query.limit()
        found = [self.webhooks.with_wall_times(each) for each in await self.store.webhooks(query.cursor(), limit)]
        return json_views.webhooks(found, self.webhooks.epochs, limit)

    @router.route("/v1/webhooks", methods=["POST"])
    @requires(Role.ADMIN)
    @answers(
        {201: Answer("The webhook, with its secret.", ISSUED_WEBHOOK, has_location=True)},
        body=request_bodies.NEW_WEBHOOK,
        errors=("too-many-webhooks",),
    )
    async def create(self, request: Request) -> bytes:
        """Subscribe; the secret is shown only here."""
        body = request_bodies.read_object(request.body.content(), '{"url": "https://example.com/events"}')
        fields = request_bodies.read_new_webhook(body, self.registry)
        webhook, secret = await self.webhooks.add(self.webhooks.new_webhook(**fields), actor(request))
        request.setResponseCode(201)
        request.setHeader(b"Location", f"/v1/webhooks/{webhook.id}".encode())
        return json_views.json(self._view(webhook) | {"secret": secret})

    @router.route("/v1/webhooks/<webhook>", methods=["GET"])
    @requires(Role.ADMIN)
    @answers({200: Answer("The webhook.", WEBHOOK)})
    async def get(self, _request: Request, webhook: str) -> bytes:
        """One webhook."""
        return self._json(await self.store.webhook(webhook))

    @router.route("/v1/webhooks/<webhook>", methods=["PATCH"])
    @requires(Role.ADMIN)
    @answers({200: Answer("The webhook.", WEBHOOK)}, body=request_bodies.WEBHOOK_CHANGES)
    async def change(self, request: Request, webhook: str) -> bytes:
        """Change fields of a webhook."""
        body = request_bodies.read_object(request.body.content(), '{"types": ["command.failed"]}')
        changes = request_bodies.read_webhook_changes(body, self.registry)
        return self._json(await self.webhooks.change(webhook, changes, actor(request)))

    @router.route("/v1/webhooks/<webhook>", methods=["DELETE"])
    @requires(Role.ADMIN)
    @answers({204: Answer("It is done.")})
    async def delete(self, request: Request, webhook: str) -> bytes:
        """Delete a webhook."""
        await self.webhooks.delete(webhook, actor(request))
        request.setResponseCode(204)
        return b""

    @router.route("/v1/webhooks/<webhook>/secret", methods=["POST"])
    @requires(Role.ADMIN, parameters.OVERLAP)
    @answers({201: Answer("The secret.", WEBHOOK_SECRET)})
    async def rotate_secret(self, request: Request, query: Query, webhook: str) -> bytes:
        """A new secret, which is shown only here."""
        secret = await self.webhooks.rotate(webhook, query.overlap(), actor(request))
        request.setResponseCode(201)
        return json_views.json({"secret": secret})

    @router.route("/v1/webhooks/<webhook>/test", methods=["POST"])
    @requires(Role.ADMIN)
    @answers(
        {200: Answer("What the receiver answered.", RECEIVER_ANSWER)},
        body=request_bodies.EMPTY,
        errors=("too-many-tests",),
    )
    async def test(self, request: Request, webhook: str) -> bytes:
        """Send a test message, and show what the receiver answered."""
        request_bodies.read_empty(request.body.content())
        return json_views.json(asdict(await self.tester.test_webhook(webhook, actor(request))))

    @router.route("/v1/webhooks/<webhook>/deliveries", methods=["GET"])
    @requires(Role.ADMIN, *parameters.PAGE)
    @answers({200: Answer("Delivery attempts.", DELIVERIES)})
    async def deliveries(self, _request: Request, query: Query, webhook: str) -> bytes:
        """Delivery attempts and their outcomes, newest first."""
        limit = query.limit()
        found = await self.store.deliveries(webhook, query.numeric_cursor(), limit)
        return json_views.deliveries(found, self.webhooks.epochs, limit)

    @router.route("/v1/webhooks/<webhook>/redeliver", methods=["POST"])
    @requires(Role.ADMIN)
    @answers({200: Answer("The webhook.", WEBHOOK)}, body=request_bodies.REDELIVERY)
    async def redeliver(self, request: Request, webhook: str) -> bytes:
        """Repeat the deliveries after an event, or continue where they stopped."""
        body = request_bodies.read_object(request.body.content() or b"{}")
        after = request_bodies.read_redelivery(body, self.webhooks.epochs)
        return self._json(await self.webhooks.redeliver(webhook, after, actor(request)))

    def _view(self, webhook: Webhook) -> dict[str, Any]:
        return json_views.webhook(self.webhooks.with_wall_times(webhook), self.webhooks.epochs)

    def _json(self, webhook: Webhook) -> bytes:
        return json_views.json(self._view(webhook))
