"""``/v1/commands`` and ``/v1/devices/{device}/commands``: send commands and follow what becomes of them."""

import json
from functools import partial
from hashlib import sha256
from typing import Any

from attrs import asdict, define

from pushd.admin import json_views, request_bodies
from pushd.admin.auth import requires
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.core.commands.command_queue import CommandQueue
from pushd.core.commands.drafts import Drafts
from pushd.core.commands.operator_actions import OperatorActions
from pushd.core.credentials import Tokens
from pushd.core.devices.registry import DeviceRegistry
from pushd.http.bodies import SMALL, InThread, parse
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.command import Command, LargePayload, Payload, SendOptions
from pushd.model.errors import InvalidQuery
from pushd.model.lifecycle import ENDED, OUT, State
from pushd.model.token import Role
from pushd.store.filters import CommandFilter
from pushd.store.interface import IStore

MAX_KEY = 255
"""Characters of an Idempotency-Key."""

Parsed = tuple[Payload, SendOptions, bytes | None]
"""What a sender asks for, and the fingerprint of the body if there is an idempotency key."""


@define(eq=False)
class CommandsApp:
    """Send, list, get, wait for, explain, cancel, resolve, resend."""

    router = Router(problem)

    tokens: Tokens
    registry: DeviceRegistry
    drafts: Drafts
    command_queue: CommandQueue
    operator_actions: OperatorActions
    store: IStore
    in_thread: InThread[Any]

    @router.route("/v1/devices/<device>/commands", methods=["POST"])
    @requires(Role.OPERATOR, "wait", "queue")
    async def send(self, request: Request, query: Query, device: str) -> bytes:
        """Send a command: 201 once it is durable; with ``wait`` 200 once it has ended, or 202 if it has not."""
        device = self.registry.find(device).id
        wait, queue = query.seconds("wait"), query.flag("queue")
        key = _idempotency_key(request)
        read = partial(self._read, device, key is not None)
        payload, options, fingerprint = await parse(request.body.content(), read, self.in_thread)
        draft = self.drafts.make(
            device, payload, options, request.token.name, idempotency_key=key, fingerprint=fingerprint
        )
        command, created = await self.command_queue.put(draft, queue_signed_off=queue)
        if wait is None:
            return _accepted(request, command, 201 if created else 200)
        request.free_memory()
        name = command.id
        del payload, draft, command  # they may be large
        command = await self.command_queue.wait(name, wait)
        return _accepted(request, command, 200 if command.state in ENDED else 202)

    def _read(self, device: str, has_key: bool, content: bytes) -> Parsed:
        """Parse and check the body of a command; runs on a thread if the body is large."""
        body = request_bodies.read_object(content, '{"payload": {"endpoint": "load_objects"}}')
        payload, options = request_bodies.read_send_request(body)
        is_large = len(content) > SMALL
        payload = self.drafts.check(device, payload, options, is_large=is_large)
        fingerprint = (_large_fingerprint if is_large else _fingerprint)(body) if has_key else None
        return payload, options, fingerprint

    @router.route("/v1/commands", methods=["GET"])
    @requires(Role.VIEWER, "device", "state", "since", "limit", "cursor")
    async def list(self, _request: Request, query: Query) -> bytes:
        """Commands, newest first, without payload and result."""
        which = CommandFilter(
            device=query.text("device"), state=query.one_of("state", State), since=query.timestamp("since")
        )
        limit = query.limit()
        return json_views.commands(await self.store.commands(which, query.cursor(), limit), limit)

    @router.route("/v1/commands/<command>", methods=["GET"])
    @requires(Role.VIEWER, "wait")
    async def get(self, _request: Request, query: Query, command: str) -> bytes:
        """One command; ``wait`` delays the answer until the command has ended, or so many seconds are over."""
        wait = query.seconds("wait")
        found = await (self.command_queue.wait(command, wait) if wait else self.store.command(command))
        return json_views.command(found)

    @router.route("/v1/commands/<command>/cancel", methods=["POST"])
    @requires(Role.OPERATOR)
    async def cancel(self, request: Request, command: str) -> bytes:
        """Cancel a command; 202 if an attempt is in progress, and only further attempts are prevented."""
        found = await self.command_queue.cancel(command)
        request.setResponseCode(202 if found.state in OUT else 200)
        return json_views.command(found)

    @router.route("/v1/commands/<command>/explain", methods=["GET"])
    @requires(Role.VIEWER)
    async def explain(self, _request: Request, command: str) -> bytes:
        """Why a command has not run yet, or what is known of its outcome."""
        return json_views.json(asdict(await self.operator_actions.explain(command)))

    @router.route("/v1/commands/<command>/resolve", methods=["POST"])
    @requires(Role.OPERATOR)
    async def resolve(self, request: Request, command: str) -> bytes:
        """Set the outcome of a command whose outcome is unknown."""
        body = request_bodies.read_object(request.body.content(), '{"state": "succeeded"}')
        move, note = request_bodies.read_resolution(body)
        return json_views.command(await self.operator_actions.resolve(command, move, note, request.token.name))

    @router.route("/v1/commands/<command>/resend", methods=["POST"])
    @requires(Role.OPERATOR, "queue")
    async def resend(self, request: Request, query: Query, command: str) -> bytes:
        """Send the same payload as a new command; 200 with that command if this was done before."""
        queue = query.flag("queue")
        original = await self.store.command(command)
        body = request_bodies.read_object(request.body.content() or b"{}")
        options = request_bodies.read_resend_options(body, original)
        # in a thread, as it may be large; again, as an earlier version may have accepted what is refused now
        is_large = isinstance(original.payload, LargePayload)
        check = partial(self.drafts.check, original.device, original.payload, options, is_large=is_large)
        payload = await self.in_thread(check)
        found, created = await self.operator_actions.resend(
            original, payload, options, request.token.name, queue_signed_off=queue
        )
        return _accepted(request, found, 201 if created else 200)


def _accepted(request: Request, command: Command, code: int) -> bytes:
    """A command that was sent, with its location."""
    request.setResponseCode(code)
    request.setHeader(b"Location", f"/v1/commands/{command.id}".encode())
    return json_views.command(command)


def _idempotency_key(request: Request) -> str | None:
    headers = request.requestHeaders.get(b"Idempotency-Key")
    if headers is None:
        return None
    key = headers[-1].decode("utf-8", "surrogateescape")  # surrogates are not printable, and refused below
    if not (1 <= len(key) <= MAX_KEY and key.isprintable()):
        raise InvalidQuery(f"Idempotency-Key must be 1 to {MAX_KEY} printable characters.")
    return key


def _fingerprint(body: dict[str, Any]) -> bytes:
    """A hash of a body that does not depend on spaces, the order of keys, or whether 1 is written 1.0."""
    numbers = json.loads(json.dumps(body), parse_float=_number)
    return sha256(json.dumps(numbers, sort_keys=True).encode()).digest()


def _large_fingerprint(body: dict[str, Any]) -> bytes:
    """The same of a large body, with pauses: no other thread runs while C code reads or writes a value."""
    digest = sha256()
    for piece in json.JSONEncoder(sort_keys=True).iterencode(_with_whole_numbers(body)):
        digest.update(piece.encode())
    return digest.digest()


def _with_whole_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(item) for item in value]
    return _number(value) if isinstance(value, float) else value


def _number(text: str | float) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number
