"""
``/v1/commands``: what was sent, and what became of it.
"""

from attrs import define
from twisted.python.failure import Failure

from pushd.admin import views
from pushd.admin.access import demands
from pushd.admin.problems import problem
from pushd.admin.queries import Query
from pushd.core.outbox import Outbox
from pushd.core.tokens import Tokens
from pushd.model.lifecycle import OUT, State
from pushd.model.token import Role
from pushd.store.interface import CommandFilter, IStore
from pushd.web.answers import answer
from pushd.web.router import Router
from pushd.web.site import HouseRequest


@define(eq=False)
class CommandsApp:
    """
    List, see, wait for, cancel.
    """

    router = Router()

    tokens: Tokens
    outbox: Outbox
    store: IStore

    @router.route("/v1/commands", methods=["GET"])
    @demands(Role.VIEWER)
    async def list(self, request: HouseRequest) -> bytes:
        """
        Commands, newest first, without payload and result.
        """
        query = Query.of(request, "device", "state", "since", "limit", "cursor")
        which = CommandFilter(
            device=query.text("device"), state=query.one_of("state", State), since=query.moment("since")
        )
        limit = query.limit()
        return answer(request, views.commands(await self.store.commands(which, query.cursor(), limit), limit))

    @router.route("/v1/commands/<command>", methods=["GET"])
    @demands(Role.VIEWER)
    async def see(self, request: HouseRequest, command: str) -> bytes:
        """
        One command, whole; with ``wait`` once it has ended, or as it stands then.
        """
        wait = Query.of(request, "wait").seconds("wait")
        found = await (self.outbox.wait(command, wait) if wait else self.store.command(command))
        return answer(request, views.command(found))

    @router.route("/v1/commands/<command>/cancel", methods=["POST"])
    @demands(Role.OPERATOR)
    async def cancel(self, request: HouseRequest, command: str) -> bytes:
        """
        Take a command back; 202 if an attempt is out and only further ones are prevented.
        """
        Query.of(request)
        found = await self.outbox.cancel(command)
        request.setResponseCode(202 if found.state in OUT else 200)
        return answer(request, views.command(found))

    @router.handle_errors(Exception)
    def failed(self, request: HouseRequest, failure: Failure) -> bytes:
        """
        Errors are problems.
        """
        return problem(request, failure)
