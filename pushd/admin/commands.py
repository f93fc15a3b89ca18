"""``/v1/commands``: what was sent, and what became of it."""

from attrs import asdict, define

from pushd.admin import json_views, request_bodies
from pushd.admin.auth import authenticate, demands
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.admin.sending import accepted
from pushd.core.commands.command_queue import CommandQueue
from pushd.core.commands.operator import OperatorActions
from pushd.core.credentials import Tokens
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.lifecycle import OUT, State
from pushd.model.token import Role
from pushd.store.filters import CommandFilter
from pushd.store.interface import IStore


@define(eq=False)
class CommandsApp:
    """List, see, wait for, explain, cancel, resolve, resend."""

    router = Router(problem)

    tokens: Tokens
    command_queue: CommandQueue
    operator_actions: OperatorActions
    store: IStore

    @router.route("/v1/commands", methods=["GET"])
    @demands(Role.VIEWER)
    async def list(self, request: Request) -> bytes:
        """Commands, newest first, without payload and result."""
        query = Query.of(request, "device", "state", "since", "limit", "cursor")
        which = CommandFilter(
            device=query.text("device"), state=query.one_of("state", State), since=query.moment("since")
        )
        limit = query.limit()
        return json_views.commands(await self.store.commands(which, query.cursor(), limit), limit)

    @router.route("/v1/commands/<command>", methods=["GET"])
    @demands(Role.VIEWER)
    async def see(self, request: Request, command: str) -> bytes:
        """One command, whole; with ``wait`` once it has ended, or as it stands then."""
        wait = Query.of(request, "wait").seconds("wait")
        found = await (self.command_queue.wait(command, wait) if wait else self.store.command(command))
        return json_views.command(found)

    @router.route("/v1/commands/<command>/cancel", methods=["POST"])
    @demands(Role.OPERATOR)
    async def cancel(self, request: Request, command: str) -> bytes:
        """Take a command back; 202 if an attempt is out and only further ones are prevented."""
        Query.of(request)
        found = await self.command_queue.cancel(command)
        request.setResponseCode(202 if found.state in OUT else 200)
        return json_views.command(found)

    @router.route("/v1/commands/<command>/explain", methods=["GET"])
    @demands(Role.VIEWER)
    async def explain(self, request: Request, command: str) -> bytes:
        """Why a command has not run yet, or what is known of it."""
        Query.of(request)
        return json_views.json(asdict(await self.operator_actions.explain(command)))

    @router.route("/v1/commands/<command>/resolve", methods=["POST"])
    @demands(Role.OPERATOR)
    async def resolve(self, request: Request, command: str) -> bytes:
        """Say what became of a command of which nobody knows."""
        Query.of(request)
        move, note = request_bodies.read_resolution(request_bodies.read_object(request.body.content()))
        by = authenticate(self.tokens, request).name
        return json_views.command(await self.operator_actions.resolve(command, move, note, by))

    @router.route("/v1/commands/<command>/resend", methods=["POST"])
    @demands(Role.OPERATOR)
    async def resend(self, request: Request, command: str) -> bytes:
        """Send the same again, as a new command; 200 with that command if it was done before."""
        queue = Query.of(request, "queue").flag("queue")
        original = await self.operator_actions.original(command)
        terms = request_bodies.read_resending(request_bodies.read_object(request.body.content() or b"{}"), original)
        by = authenticate(self.tokens, request).name
        found, created = await self.operator_actions.resend(original, terms, by, queue)
        return accepted(request, found, 201 if created else 200)
