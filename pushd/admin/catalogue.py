"""``/v1/catalogue``: the endpoints (controls) that the devices of a dialect are known to have."""

from collections.abc import Mapping

from attrs import define

from pushd.admin import json_views
from pushd.admin.auth import Authenticator, requires_in_scope
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.view_schemas.catalogue import CATALOGUE
from pushd.core.scoped_view import ScopedView
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.dialect import Dialect
from pushd.model.errors import UnknownDialect
from pushd.model.token import Role


@define(eq=False)
class CatalogueApp:
    """The catalogue of each dialect."""

    router = Router(problem)

    auth: Authenticator
    dialects: Mapping[str, Dialect]

    @router.route("/v1/catalogue/<dialect>", methods=["GET"])
    @requires_in_scope(Role.VIEWER)
    @answers({200: Answer("The catalogue.", CATALOGUE)})
    async def get(self, _request: Request, dialect: str, view: ScopedView | None) -> bytes:
        """The whole catalogue of a dialect; for a token with endpoints, what it has of these."""
        found = self.dialects.get(dialect)
        if found is None:
            raise UnknownDialect(f"There is no dialect {dialect}; the dialects are {', '.join(self.dialects)}.")
        known = found.catalogue.endpoints.values()
        return json_views.catalogue(
            dialect, [each for each in known if view is None or view.scope.allows((each.name,))]
        )
