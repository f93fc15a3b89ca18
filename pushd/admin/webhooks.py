"""``/v1/webhooks``: manage subscriptions, read their delivery log, redeliver."""

from typing import Any

from attrs import define

from pushd.admin import json_views, request_bodies
from pushd.admin.auth import requires
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.core.credentials import Tokens
from pushd.core.webhooks import Webhooks
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.token import Role
from pushd.model.webhook import Webhook
from pushd.store.interface import IStore


@define(eq=False)
class WebhooksApp:
    """List, create, get, change, delete; rotate secrets; delivery log; redeliver."""

    router = Router(problem)

    tokens: Tokens
    webhooks: Webhooks
    store: IStore

    @router.route("/v1/webhooks", methods=["GET"])
    @requires(Role.VIEWER, "limit", "cursor")
    async def list(self, _request: Request, query: Query) -> bytes:
        """Webhooks, by id."""
        limit = query.limit()
        found = [self.webhooks.with_wall_times(each) for each in await self.store.webhooks(query.cursor(), limit)]
        return json_views.webhooks(found, self.webhooks.epochs, limit)

    @router.route("/v1/webhooks", methods=["POST"])
    @requires(Role.ADMIN)
    async def create(self, request: Request) -> bytes:
        """Subscribe; the secret is shown only here."""
        body = request_bodies.read_object(request.body.content(), '{"url": "https://example.com/events"}')
        fields = request_bodies.read_new_webhook(body)
        webhook, secret = await self.webhooks.add(self.webhooks.new_webhook(**fields))
        request.setResponseCode(201)
        request.setHeader(b"Location", f"/v1/webhooks/{webhook.id}".encode())
        return json_views.json(self._view(webhook) | {"secret": secret})

    @router.route("/v1/webhooks/<webhook>", methods=["GET"])
    @requires(Role.VIEWER)
    async def get(self, _request: Request, webhook: str) -> bytes:
        """One webhook."""
        return self._json(await self.store.webhook(webhook))

    @router.route("/v1/webhooks/<webhook>", methods=["PATCH"])
    @requires(Role.ADMIN)
    async def change(self, request: Request, webhook: str) -> bytes:
        """Change fields of a webhook."""
        body = request_bodies.read_object(request.body.content(), '{"types": ["command.failed"]}')
        changes = request_bodies.read_webhook_changes(body)
        return self._json(await self.webhooks.change(webhook, changes))

    @router.route("/v1/webhooks/<webhook>", methods=["DELETE"])
    @requires(Role.ADMIN)
    async def delete(self, request: Request, webhook: str) -> bytes:
        """Delete a webhook."""
        await self.webhooks.delete(webhook)
        request.setResponseCode(204)
        return b""

    @router.route("/v1/webhooks/<webhook>/secret", methods=["POST"])
    @requires(Role.ADMIN, "overlap")
    async def rotate_secret(self, request: Request, query: Query, webhook: str) -> bytes:
        """A new secret, which is shown only here."""
        secret = await self.webhooks.rotate(webhook, query.overlap())
        request.setResponseCode(201)
        return json_views.json({"secret": secret})

    @router.route("/v1/webhooks/<webhook>/deliveries", methods=["GET"])
    @requires(Role.VIEWER, "limit", "cursor")
    async def deliveries(self, _request: Request, query: Query, webhook: str) -> bytes:
        """Delivery attempts and their outcomes, newest first."""
        limit = query.limit()
        found = await self.store.deliveries(webhook, query.numeric_cursor(), limit)
        return json_views.deliveries(found, self.webhooks.epochs, limit)

    @router.route("/v1/webhooks/<webhook>/redeliver", methods=["POST"])
    @requires(Role.ADMIN)
    async def redeliver(self, request: Request, webhook: str) -> bytes:
        """Repeat the deliveries after an event, or continue where they stopped."""
        body = request_bodies.read_object(request.body.content() or b"{}")
        after = request_bodies.read_redelivery(body, self.webhooks.epochs)
        return self._json(await self.webhooks.redeliver(webhook, after))

    def _view(self, webhook: Webhook) -> dict[str, Any]:
        return json_views.webhook(self.webhooks.with_wall_times(webhook), self.webhooks.epochs)

    def _json(self, webhook: Webhook) -> bytes:
        return json_views.json(self._view(webhook))
