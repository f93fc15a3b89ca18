"""``/v1/sites``: the sites of all devices."""

from attrs import define

from pushd.admin import json_views
from pushd.admin.auth import Authenticator, requires_in_scope
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.view_schemas.devices import SITES
from pushd.core.scoped_view import ScopedView
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.token import Role
from pushd.store.filters import DeviceFilter
from pushd.store.interface import IStore


@define(eq=False)
class SitesApp:
    """List."""

    router = Router(problem)

    auth: Authenticator
    store: IStore

    @router.route("/v1/sites", methods=["GET"])
    @requires_in_scope(Role.VIEWER)
    @answers({200: Answer("Sites.", SITES)})
    async def list(self, _request: Request, view: ScopedView | None) -> bytes:
        """All sites, by name, each with the number of its devices and of open alerts about them."""
        return json_views.sites(await self.store.sites(DeviceFilter(scope=None if view is None else view.scope)))
