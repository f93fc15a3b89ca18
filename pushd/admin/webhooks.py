"""
``/v1/webhooks``: who is told of what happens.
"""

from attrs import define
from twisted.python.failure import Failure

from pushd.admin import forms, views, webhook_forms
from pushd.admin.access import demands
from pushd.admin.devices import MAX_OVERLAP
from pushd.admin.problems import problem
from pushd.admin.queries import Query
from pushd.core.tokens import Tokens
from pushd.core.webhooks import Webhooks
from pushd.model.token import Role
from pushd.store.interface import IStore
from pushd.web.answers import answer
from pushd.web.request import HouseRequest
from pushd.web.router import Router


@define(eq=False)
class WebhooksApp:
    """
    List, subscribe, see, change, delete; secrets; the log; deliver again.
    """

    router = Router()

    tokens: Tokens
    webhooks: Webhooks
    store: IStore

    @router.route("/v1/webhooks", methods=["GET"])
    @demands(Role.VIEWER)
    async def list(self, request: HouseRequest) -> bytes:
        """
        Webhooks, by id.
        """
        query = Query.of(request, "limit", "cursor")
        limit = query.limit()
        return answer(request, views.webhooks(await self.store.webhooks(query.cursor(), limit), limit))

    @router.route("/v1/webhooks", methods=["POST"])
    @demands(Role.ADMIN)
    async def add(self, request: HouseRequest) -> bytes:
        """
        Subscribe; the secret is shown once.
        """
        Query.of(request)
        fields = webhook_forms.read_subscription(forms.read_object(request.body.content()))
        webhook, secret = await self.webhooks.add(self.webhooks.drafted(**fields))
        request.setResponseCode(201)
        request.setHeader(b"Location", f"/v1/webhooks/{webhook.id}".encode())
        return answer(request, views.json(views.webhook(webhook) | {"secret": secret}))

    @router.route("/v1/webhooks/<webhook>", methods=["GET"])
    @demands(Role.VIEWER)
    async def see(self, request: HouseRequest, webhook: str) -> bytes:
        """
        One webhook.
        """
        Query.of(request)
        return answer(request, views.json(views.webhook(await self.store.webhook(webhook))))

    @router.route("/v1/webhooks/<webhook>", methods=["PATCH"])
    @demands(Role.ADMIN)
    async def change(self, request: HouseRequest, webhook: str) -> bytes:
        """
        Change fields of a webhook.
        """
        Query.of(request)
        changes = webhook_forms.read_changes(forms.read_object(request.body.content()))
        return answer(request, views.json(views.webhook(await self.webhooks.change(webhook, changes))))

    @router.route("/v1/webhooks/<webhook>", methods=["DELETE"])
    @demands(Role.ADMIN)
    async def delete(self, request: HouseRequest, webhook: str) -> bytes:
        """
        Tell it no more.
        """
        Query.of(request)
        await self.webhooks.delete(webhook)
        request.setResponseCode(204)
        return answer(request, b"")

    @router.route("/v1/webhooks/<webhook>/secret", methods=["POST"])
    @demands(Role.ADMIN)
    async def rotate(self, request: HouseRequest, webhook: str) -> bytes:
        """
        A new secret, shown once.
        """
        overlap = Query.of(request, "overlap").seconds("overlap", MAX_OVERLAP) or 0
        secret = await self.webhooks.rotate(webhook, overlap)
        request.setResponseCode(201)
        return answer(request, views.json({"secret": secret}))

    @router.route("/v1/webhooks/<webhook>/deliveries", methods=["GET"])
    @demands(Role.VIEWER)
    async def deliveries(self, request: HouseRequest, webhook: str) -> bytes:
        """
        What became of each attempt, newest first.
        """
        query = Query.of(request, "limit", "cursor")
        limit = query.limit()
        found = await self.store.deliveries(webhook, query.numeric_cursor(), limit)
        return answer(request, views.deliveries(found, limit))

    @router.route("/v1/webhooks/<webhook>/redeliver", methods=["POST"])
    @demands(Role.ADMIN)
    async def redeliver(self, request: HouseRequest, webhook: str) -> bytes:
        """
        Begin again after an event, or go on where it stopped.
        """
        Query.of(request)
        after = webhook_forms.read_redelivery(forms.read_object(request.body.content() or b"{}"))
        return answer(request, views.json(views.webhook(await self.webhooks.redeliver(webhook, after))))

    @router.handle_errors(Exception)
    def failed(self, request: HouseRequest, failure: Failure) -> bytes:
        """
        Errors are problems.
        """
        return problem(request, failure)
