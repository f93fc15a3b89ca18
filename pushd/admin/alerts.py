"""``/v1/alerts``: list and acknowledge alerts."""

from attrs import define

from pushd.admin import json_views, parameters
from pushd.admin.auth import Authenticator, actor, requires_in_scope
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.admin.view_schemas.alerts import ALERT, ALERTS
from pushd.core.alerts import Alerts
from pushd.core.scoped_view import ScopedView
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.alert import AlertKind
from pushd.model.token import Role
from pushd.store.filters import AlertFilter
from pushd.store.interface import IStore


@define(eq=False)
class AlertsApp:
    """List, get and acknowledge."""

    router = Router(problem)

    auth: Authenticator
    alerts: Alerts
    store: IStore

    @router.route("/v1/alerts", methods=["GET"])
    @requires_in_scope(Role.VIEWER, *parameters.ALERTS)
    @answers({200: Answer("Alerts.", ALERTS)})
    async def list(self, _request: Request, query: Query, view: ScopedView | None) -> bytes:
        """Alerts, newest first; ``open`` 1 or 0 selects those that are not cleared, or are, and so on."""
        limit = query.limit()
        which = AlertFilter(
            is_open=query.optional_flag("open"),
            kinds=query.each_of("kind", AlertKind),
            is_acknowledged=query.optional_flag("acknowledged"),
            since=query.timestamp("since"),
        )
        covers = None if view is None else view.covers
        found = await self.store.alerts(which, query.numeric_cursor(), limit, covers)
        return json_views.alerts(found, limit)

    @router.route("/v1/alerts/<alert>", methods=["GET"])
    @requires_in_scope(Role.VIEWER)
    @answers({200: Answer("The alert.", ALERT)})
    async def get(self, _request: Request, alert: str, view: ScopedView | None) -> bytes:
        """One alert."""
        return json_views.json(json_views.alert(await self.alerts.get(alert, view)))

    @router.route("/v1/alerts/<alert>/acknowledge", methods=["POST"])
    @requires_in_scope(Role.OPERATOR)
    @answers({200: Answer("The alert.", ALERT)})
    async def acknowledge(self, request: Request, alert: str, view: ScopedView | None) -> bytes:
        """Acknowledge an alert, which ends its reminders."""
        if view is not None:
            view.check_all_endpoints()
        return json_views.json(json_views.alert(await self.alerts.acknowledge(alert, actor(request), view)))
