"""Health: whether the process turns, whether the store answers, and whether what is stored can be."""

from attrs import asdict, define

from pushd.admin import json_views
from pushd.admin.auth import demands
from pushd.admin.problem_details import problem
from pushd.core.credentials import Tokens
from pushd.core.health import Health
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.token import Role


@define(eq=False)
class HealthApp:
    """The first two need no token."""

    router = Router(problem)

    tokens: Tokens
    health: Health

    @router.route("/healthz", methods=["GET"])
    async def liveness(self, _request: Request) -> bytes:
        """The process turns."""
        return json_views.json({"status": "ok"})

    @router.route("/readyz", methods=["GET"])
    async def readiness(self, _request: Request) -> bytes:
        """The store answers, and we are not about to stop."""
        await self.health.check_ready()
        return json_views.json({"status": "ready"})

    @router.route("/v1/fsck", methods=["GET"])
    @demands(Role.ADMIN)
    async def fsck(self, _request: Request) -> bytes:
        """What is stored and cannot be; a sound database gives an empty list."""
        flaws = [asdict(flaw) for flaw in await self.health.fsck()]
        return json_views.json({"items": flaws})
