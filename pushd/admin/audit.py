"""``/v1/audit``: what people and programs have changed."""

from attrs import define

from pushd.admin import json_views, parameters
from pushd.admin.auth import Authenticator, requires
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.admin.view_schemas.audit import AUDIT
from pushd.core.audit import AuditLog
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.admin_api import START
from pushd.model.token import Role
from pushd.store.filters import AuditFilter


@define(eq=False)
class AuditApp:
    """List."""

    router = Router(problem)

    auth: Authenticator
    audit_log: AuditLog

    @router.route("/v1/audit", methods=["GET"])
    @requires(Role.ADMIN, *parameters.AUDIT)
    @answers({200: Answer("Entries.", AUDIT)}, errors=("events-purged",))
    async def list(self, _request: Request, query: Query) -> bytes:
        """Entries, oldest first, from the oldest that is kept, or from behind the one with the id ``after`` on."""
        given = query.text("after")
        after = START if given is None else given
        which = AuditFilter(by=query.text("by"), object=query.text("object"))
        return json_views.audit(await self.audit_log.read(which, after, query.limit()), after)
