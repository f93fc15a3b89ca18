"""``/v1/alerts``: list and acknowledge alerts."""

from attrs import define

from pushd.admin import json_views
from pushd.admin.auth import requires
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.core.alerts import Alerts
from pushd.core.credentials import Tokens
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.token import Role
from pushd.store.interface import IStore


@define(eq=False)
class AlertsApp:
    """List and acknowledge."""

    router = Router(problem)

    tokens: Tokens
    alerts: Alerts
    store: IStore

    @router.route("/v1/alerts", methods=["GET"])
    @requires(Role.VIEWER, "open", "limit", "cursor")
    async def list(self, _request: Request, query: Query) -> bytes:
        """Alerts, newest first; ``open`` 1 or 0 selects those that are not cleared, or are."""
        limit = query.limit()
        found = await self.store.alerts(query.optional_flag("open"), query.numeric_cursor(), limit)
        return json_views.alerts(found, limit)

    @router.route("/v1/alerts/<alert>/acknowledge", methods=["POST"])
    @requires(Role.OPERATOR)
    async def acknowledge(self, request: Request, alert: str) -> bytes:
        """Acknowledge an alert, which ends its reminders."""
        return json_views.json(json_views.alert(await self.alerts.acknowledge(alert, request.token.name)))
