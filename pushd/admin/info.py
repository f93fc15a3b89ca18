"""``/v1/info``: the server and its options, and how many devices and commands it has."""

from attrs import define

from pushd.admin import json_views
from pushd.admin.auth import Authenticator, requires_in_scope
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.view_schemas.server import INFO
from pushd.core.info import Info
from pushd.core.scoped_view import ScopedView
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.token import Role


@define(eq=False)
class InfoApp:
    """Describes the server."""

    router = Router(problem)

    auth: Authenticator
    info: Info

    @router.route("/v1/info", methods=["GET"])
    @requires_in_scope(Role.VIEWER)
    @answers({200: Answer("The server.", INFO)})
    async def get(self, _request: Request, view: ScopedView | None) -> bytes:
        """Version, schema, start, options without secrets, and counts; with a scope, the counts of what is in it."""
        if view is None:
            offset = self.info.membership.clock_offset()
            return json_views.info(self.info.server, offset, await self.info.counts())
        return json_views.info_in_scope(self.info.server, await self.info.counts(view.covers))
