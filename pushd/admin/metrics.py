"""``/metrics``: the metrics of the server for Prometheus."""

from attrs import define

from pushd.admin.auth import Authenticator, requires
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.metrics.metrics import CONTENT_TYPE, Metrics
from pushd.model.token import Role


@define(eq=False)
class MetricsApp:
    """Shows the metrics."""

    router = Router(problem)

    auth: Authenticator
    metrics: Metrics

    @router.route("/metrics", methods=["GET"])
    @requires(Role.VIEWER)
    @answers({200: Answer("The metrics, in the text format of Prometheus.", media_type=CONTENT_TYPE)})
    async def scrape(self, request: Request) -> bytes:
        """Devices, polls and commands as they are now, and what was counted since the start."""
        request.content_type = CONTENT_TYPE.encode("ascii")
        return await self.metrics.render()
