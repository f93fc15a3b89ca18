"""Health checks and the consistency check: ``/healthz``, ``/readyz`` and ``/v1/fsck``."""

from attrs import asdict, define

from pushd.admin import json_views
from pushd.admin.auth import Authenticator, requires
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.view_schemas.server import FSCK, LIVE, READY
from pushd.core.health import Health
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.token import Role


@define(eq=False)
class HealthApp:
    """Liveness and readiness, which need no token, and the consistency check."""

    router = Router(problem)

    auth: Authenticator
    health: Health

    @router.route("/healthz", methods=["GET", "HEAD"])
    @answers({200: Answer("It runs.", LIVE)})
    async def liveness(self, _request: Request) -> bytes:
        """The reactor runs."""
        return json_views.json({"status": "ok"})

    @router.route("/readyz", methods=["GET", "HEAD"])
    @answers({200: Answer("It is ready.", READY)})
    async def readiness(self, _request: Request) -> bytes:
        """The store commits, webhooks are delivered, and the server is not about to stop."""
        await self.health.check_ready()
        return json_views.json({"status": "ready"})

    @router.route("/v1/fsck", methods=["GET"])
    @requires(Role.ADMIN)
    @answers({200: Answer("What is inconsistent.", FSCK)})
    async def fsck(self, _request: Request) -> bytes:
        """Inconsistencies in the database; an empty list if there are none."""
        return json_views.json({"items": [asdict(violation) for violation in await self.health.fsck()]})
