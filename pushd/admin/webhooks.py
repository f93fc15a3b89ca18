"""``/v1/webhooks``: who is told of what happens."""

from attrs import define

from pushd.admin import json_views, request_bodies, webhook_bodies
from pushd.admin.auth import demands
from pushd.admin.devices import MAX_OVERLAP
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.core.credentials import Tokens
from pushd.core.webhooks import Webhooks
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.token import Role
from pushd.store.interface import IStore


@define(eq=False)
class WebhooksApp:
    """List, subscribe, see, change, delete; secrets; the log; deliver again."""

    router = Router(problem)

    tokens: Tokens
    webhooks: Webhooks
    store: IStore

    @router.route("/v1/webhooks", methods=["GET"])
    @demands(Role.VIEWER)
    async def list(self, request: Request) -> bytes:
        """Webhooks, by id."""
        query = Query.of(request, "limit", "cursor")
        limit = query.limit()
        return json_views.webhooks(await self.store.webhooks(query.cursor(), limit), limit)

    @router.route("/v1/webhooks", methods=["POST"])
    @demands(Role.ADMIN)
    async def add(self, request: Request) -> bytes:
        """Subscribe; the secret is shown once."""
        Query.of(request)
        fields = webhook_bodies.read_subscription(request_bodies.read_object(request.body.content()))
        webhook, secret = await self.webhooks.add(self.webhooks.new_webhook(**fields))
        request.setResponseCode(201)
        request.setHeader(b"Location", f"/v1/webhooks/{webhook.id}".encode())
        return json_views.json(json_views.webhook(webhook) | {"secret": secret})

    @router.route("/v1/webhooks/<webhook>", methods=["GET"])
    @demands(Role.VIEWER)
    async def see(self, request: Request, webhook: str) -> bytes:
        """One webhook."""
        Query.of(request)
        return json_views.json(json_views.webhook(await self.store.webhook(webhook)))

    @router.route("/v1/webhooks/<webhook>", methods=["PATCH"])
    @demands(Role.ADMIN)
    async def change(self, request: Request, webhook: str) -> bytes:
        """Change fields of a webhook."""
        Query.of(request)
        changes = webhook_bodies.read_changes(request_bodies.read_object(request.body.content()))
        return json_views.json(json_views.webhook(await self.webhooks.change(webhook, changes)))

    @router.route("/v1/webhooks/<webhook>", methods=["DELETE"])
    @demands(Role.ADMIN)
    async def delete(self, request: Request, webhook: str) -> bytes:
        """Tell it no more."""
        Query.of(request)
        await self.webhooks.delete(webhook)
        request.setResponseCode(204)
        return b""

    @router.route("/v1/webhooks/<webhook>/secret", methods=["POST"])
    @demands(Role.ADMIN)
    async def rotate(self, request: Request, webhook: str) -> bytes:
        """A new secret, shown once."""
        overlap = Query.of(request, "overlap").seconds("overlap", MAX_OVERLAP) or 0
        secret = await self.webhooks.rotate(webhook, overlap)
        request.setResponseCode(201)
        return json_views.json({"secret": secret})

    @router.route("/v1/webhooks/<webhook>/deliveries", methods=["GET"])
    @demands(Role.VIEWER)
    async def deliveries(self, request: Request, webhook: str) -> bytes:
        """What became of each attempt, newest first."""
        query = Query.of(request, "limit", "cursor")
        limit = query.limit()
        found = await self.store.deliveries(webhook, query.numeric_cursor(), limit)
        return json_views.deliveries(found, limit)

    @router.route("/v1/webhooks/<webhook>/redeliver", methods=["POST"])
    @demands(Role.ADMIN)
    async def redeliver(self, request: Request, webhook: str) -> bytes:
        """Begin again after an event, or go on where it stopped."""
        Query.of(request)
        after = webhook_bodies.read_redelivery(request_bodies.read_object(request.body.content() or b"{}"))
        return json_views.json(json_views.webhook(await self.webhooks.redeliver(webhook, after)))
