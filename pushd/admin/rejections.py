"""``/v1/rejections``: what device ports have refused lately."""

from attrs import define

from pushd.admin import json_views, parameters
from pushd.admin.auth import Authenticator, requires
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.admin.view_schemas.devices import REJECTIONS
from pushd.core.devices.rejections import MAX_REJECTIONS, SharedRejections
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.token import Role


@define(eq=False)
class RejectionsApp:
    """Lists them."""

    router = Router(problem)

    auth: Authenticator
    rejections: SharedRejections

    @router.route("/v1/rejections", methods=["GET"])
    @requires(Role.OPERATOR, *parameters.REJECTIONS)
    @answers({200: Answer("Rejections.", REJECTIONS)})
    async def list(self, _request: Request, query: Query) -> bytes:
        """The newest rejections of all servers that share the database, each with what to do about it; there are no
        further pages.
        """
        limit = query.limit(MAX_REJECTIONS)
        return json_views.rejections((await self.rejections.newest())[:limit])
