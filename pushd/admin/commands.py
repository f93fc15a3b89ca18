"""``/v1/commands`` and ``/v1/devices/{device}/commands``: send commands and follow what becomes of them."""

from functools import partial
from typing import Any

from attrs import asdict, define

from pushd.admin import json_views, parameters, request_bodies
from pushd.admin.auth import Authenticator, actor, requires_in_scope
from pushd.admin.idempotency import fingerprint, idempotency_key, large_fingerprint
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.query_params import NO_QUERY, Query
from pushd.admin.view_schemas.commands import COMMAND, COMMANDS, EXPLANATION
from pushd.core.commands.command_queue import CommandQueue, already_stored
from pushd.core.commands.drafts import Drafts
from pushd.core.commands.operator_actions import OperatorActions
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.scoped_view import ScopedView
from pushd.http.bodies import SMALL, InThread, parse
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.command import Command, LargePayload, Payload, SendOptions
from pushd.model.errors import InvalidQuery, UnknownCommand
from pushd.model.lifecycle import ENDED, OUT, State
from pushd.model.token import Role
from pushd.store.filters import CommandFilter
from pushd.store.interface import IStore

Parsed = tuple[Payload, SendOptions, bytes | None]
"""What a sender asks for, and the fingerprint of the body if there is an idempotency key."""


@define(eq=False)
class CommandsApp:
    """Send, list, get, wait for, explain, cancel, resolve, resend."""

    router = Router(problem)

    auth: Authenticator
    registry: DeviceRegistry
    drafts: Drafts
    command_queue: CommandQueue
    operator_actions: OperatorActions
    store: IStore
    in_thread: InThread[Any]

    @router.route("/v1/devices/<device>/commands", methods=["POST"])
    @requires_in_scope(Role.OPERATOR, *parameters.SEND)
    @answers(
        {
            200: Answer(
                "It has ended; or, without ``wait``, it was sent before with the same key.",
                COMMAND,
                has_location=True,
            ),
            201: Answer("It is durable.", COMMAND, has_location=True),
            202: Answer("It is durable, and has not ended after ``wait``.", COMMAND, has_location=True),
        },
        body=request_bodies.SEND,
        headers=(parameters.IDEMPOTENCY_KEY,),
        errors=(
            "device-blocked",
            "device-signed-off",
            "queue-full",
            "idempotency-conflict",
            "outcome-in-doubt",
        ),
    )
    async def send(self, request: Request, query: Query, device: str, view: ScopedView | None) -> bytes:
        """Send a command: 201 once it is durable; with ``wait`` 200 once it has ended, or 202 if it has not."""
        device, client = self.registry.find(device).id, request.client
        wait, queue, unchecked, cancels = _read_query(query)
        key = idempotency_key(request)
        read = partial(self._read, device, key is not None, unchecked)
        payload, options, hashed = await parse(request.body.content(), read, self.in_thread)
        client.check()  # a large body takes a while
        put = partial(self._put, request, device, payload, options, key, hashed, queue)
        command, created = await self.auth.act(request, Role.OPERATOR, view, put)
        if wait is None:
            return _accepted(request, command, 201 if created else 200)
        request.free_memory()
        name, client = command.id, request.client
        del payload, put, command  # they may be large
        with already_stored(name):
            if cancels:
                command = await self.command_queue.wait_or_cancel(name, wait, actor(request), client.waits)
            else:
                command = await self.command_queue.wait(name, wait, client.waits)
            client.check()
        return _accepted(request, command, 200 if command.state in ENDED else 202)

    async def _put(
        self,
        request: Request,
        device: str,
        payload: Payload,
        options: SendOptions,
        key: str | None,
        hashed: bytes | None,
        queue: bool,
        view: ScopedView | None,
    ) -> tuple[Command, bool]:
        client = request.client
        draft = self.drafts.make(
            device, payload, options, client.name, idempotency_key=key, fingerprint=hashed, token=client.token
        )
        if view is not None:
            view.check_device(device)
            view.check_endpoints(draft.endpoints)
        return await self.command_queue.put(draft, queue_signed_off=queue)

    def _read(self, device: str, has_key: bool, unchecked: bool, content: bytes) -> Parsed:
        """Parse and check the body of a command; runs on a thread if the body is large."""
        body = request_bodies.read_object(content, '{"payload": {"endpoint": "load_objects"}}')
        payload, given = request_bodies.read_send_request(body)
        is_large = len(content) > SMALL
        payload, options = self.drafts.check(device, payload, given, is_large=is_large, unchecked=unchecked)
        hashed = (large_fingerprint if is_large else fingerprint)(body) if has_key else None
        return payload, options, hashed

    @router.route("/v1/commands", methods=["GET"])
    @requires_in_scope(Role.VIEWER, *parameters.COMMANDS)
    @answers({200: Answer("Commands.", COMMANDS)})
    async def list(self, _request: Request, query: Query, view: ScopedView | None) -> bytes:
        """Commands, newest first, without payload and result."""
        which = CommandFilter(
            device=query.text("device") or (None if view is None else view.only_device),
            state=query.one_of("state", State),
            since=query.timestamp("since"),
            endpoint=query.text("endpoint"),
            by=query.text("by"),
            trace=query.text("trace"),
            q=query.text("q"),
            view=view,
        )
        limit = query.limit()
        return json_views.commands(await self.store.commands(which, query.cursor(), limit), limit)

    @router.route("/v1/commands/<command>", methods=["GET"])
    @requires_in_scope(Role.VIEWER, *parameters.COMMAND)
    @answers({200: Answer("The command.", COMMAND)})
    async def get(self, request: Request, query: Query, command: str, view: ScopedView | None) -> bytes:
        """One command; ``wait`` delays the answer until the command has ended, or so many seconds are over."""
        wait = query.seconds("wait")
        if not wait:
            return json_views.command(await self._find(command, view))
        await self._check(command, view)
        with request.client.waiting() as waits:
            found = await self.command_queue.wait(command, wait, waits)
        return json_views.command(_in_view(found, view))

    @router.route("/v1/commands/<command>/cancel", methods=["POST"])
    @requires_in_scope(Role.OPERATOR)
    @answers(
        {
            200: Answer("The command.", COMMAND),
            202: Answer("An attempt is in progress; there will be no other.", COMMAND),
        },
        errors=("illegal-move",),
    )
    async def cancel(self, request: Request, command: str, view: ScopedView | None) -> bytes:
        """Cancel a command; 202 if an attempt is in progress, and only further attempts are prevented."""
        await self._check_change(command, view)
        found = await self.command_queue.cancel(command, actor(request))
        request.setResponseCode(202 if found.state in OUT else 200)
        return json_views.command(found)

    @router.route("/v1/commands/<command>/explain", methods=["GET"])
    @requires_in_scope(Role.VIEWER)
    @answers({200: Answer("The explanation.", EXPLANATION)})
    async def explain(self, _request: Request, command: str, view: ScopedView | None) -> bytes:
        """Why a command has not run yet, or what is known of its outcome."""
        await self._check(command, view)
        return json_views.json(asdict(await self.operator_actions.explain(command)))

    @router.route("/v1/commands/<command>/resolve", methods=["POST"])
    @requires_in_scope(Role.OPERATOR)
    @answers({200: Answer("The command.", COMMAND)}, body=request_bodies.RESOLUTION, errors=("illegal-move",))
    async def resolve(self, request: Request, command: str, view: ScopedView | None) -> bytes:
        """Set the outcome of a command whose outcome is unknown."""
        await self._check_change(command, view)
        body = request_bodies.read_object(request.body.content(), '{"state": "succeeded"}')
        move, note = request_bodies.read_resolution(body)
        return json_views.command(await self.operator_actions.resolve(command, move, note, actor(request)))

    @router.route("/v1/commands/<command>/resend", methods=["POST"])
    @requires_in_scope(Role.OPERATOR, *parameters.RESEND)
    @answers(
        {
            200: Answer("It was sent again before.", COMMAND, has_location=True),
            201: Answer("The new command.", COMMAND, has_location=True),
        },
        body=request_bodies.RESEND,
        errors=(
            "illegal-move",
            "device-blocked",
            "device-signed-off",
            "queue-full",
        ),
    )
    async def resend(self, request: Request, query: Query, command: str, view: ScopedView | None) -> bytes:
        """Send the same payload as a new command; 200 with that command if this was done before."""
        queue, unchecked = query.flag("queue"), query.flag("unchecked")
        original = await self._find(command, view)
        if view is not None:
            view.check_change(original)
        body = request_bodies.read_object(request.body.content() or b"{}")
        given = request_bodies.read_resend_options(body, original)
        # in a thread, as it may be large; again, as an earlier version may have accepted what is refused now
        is_large = type(original.payload) is LargePayload
        check = partial(
            self.drafts.check, original.device, original.payload, given, is_large=is_large, unchecked=unchecked
        )
        payload, options = await self.in_thread(check)
        request.client.check()  # a large payload takes a while

        async def put(view: ScopedView | None) -> tuple[Command, bool]:
            if view is not None:
                view.check_change(_in_view(original, view))
            return await self.operator_actions.resend(
                original, payload, options, actor(request), queue_signed_off=queue
            )

        found, created = await self.auth.act(request, Role.OPERATOR, view, put)
        return _accepted(request, found, 201 if created else 200)

    async def _find(self, command: str, view: ScopedView | None) -> Command:
        """A command that is in view.

        :raises UnknownCommand: if there is none.
        """
        return _in_view(await self.store.command(command), view)

    async def _check(self, command: str, view: ScopedView | None) -> None:
        """Check that a command is in view, if that is not everything.

        :raises UnknownCommand: if it is not, as if there were no such command.
        """
        if view is not None:
            await self._find(command, view)

    async def _check_change(self, command: str, view: ScopedView | None) -> None:
        """Check that a command may be changed.

        :raises UnknownCommand: if it is not in view.
        :raises NotPermitted: if it may only be seen.
        """
        if view is not None:
            view.check_change(await self._find(command, view))


def _read_query(query: Query) -> tuple[float | None, bool, bool, bool]:
    """For how many seconds the sender waits, whether a device that signed off is sent the command, whether the payload
    is not checked, and whether a command is cancelled that has not ended when the wait for it has.
    """
    if query is NO_QUERY:
        return None, False, False, False
    wait, cancels = query.seconds("wait"), query.one_of("then", ("cancel",)) is not None
    if cancels and not wait:
        raise InvalidQuery("then=cancel needs a wait of more than 0 seconds, such as wait=10.")
    return wait, query.flag("queue"), query.flag("unchecked"), cancels


def _in_view(command: Command, view: ScopedView | None) -> Command:
    """:raises UnknownCommand: if the command is not in view, as if there were no such command."""
    if view is not None and not view.shows(command):
        raise UnknownCommand(f"No command {command.id} is known.")
    return command


def _accepted(request: Request, command: Command, code: int) -> bytes:
    """A command that was sent, with its location."""
    request.setResponseCode(code)
    request.setHeader(b"Location", f"/v1/commands/{command.id}".encode())
    return json_views.command(command)
