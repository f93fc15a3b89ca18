"""``/v1/alerts``: what somebody must be told of."""

import re

from attrs import define

from pushd.admin import json_views
from pushd.admin.auth import authenticate, demands
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.core.alerts import Alerts
from pushd.core.credentials import Tokens
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.errors import UnknownAlert
from pushd.model.token import Role

_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


@define(eq=False)
class AlertsApp:
    """List and acknowledge."""

    router = Router(problem)

    tokens: Tokens
    alerts: Alerts

    @router.route("/v1/alerts", methods=["GET"])
    @demands(Role.VIEWER)
    async def list(self, request: Request) -> bytes:
        """Alerts, newest first; ``open`` leaves out those that are cleared, or those that are not."""
        query = Query.of(request, "open", "limit", "cursor")
        limit = query.limit()
        found = await self.alerts.list_alerts(query.either("open"), query.numeric_cursor(), limit)
        return json_views.alerts(found, limit)

    @router.route("/v1/alerts/<alert>/acknowledge", methods=["POST"])
    @demands(Role.OPERATOR)
    async def acknowledge(self, request: Request, alert: str) -> bytes:
        """Say that somebody takes care of an alert."""
        Query.of(request)
        if not _ID.fullmatch(alert):
            raise UnknownAlert(f"{alert} is no alert's id.")
        by = authenticate(self.tokens, request).name
        return json_views.json(json_views.alert(await self.alerts.acknowledge(int(alert), by)))
