"""Sending: a request to send becomes a command."""

import json
from functools import partial
from hashlib import sha256
from typing import Any

from attrs import define

from pushd.admin import json_views, request_bodies
from pushd.admin.query_params import Query
from pushd.core.commands.command_queue import CommandQueue
from pushd.core.commands.drafts import Drafts
from pushd.http.bodies import InThread, parse
from pushd.http.request import Request
from pushd.model.command import Command
from pushd.model.errors import InvalidQuery
from pushd.model.lifecycle import ENDED
from pushd.model.token import Token

MAX_KEY = 255
"""Characters of an Idempotency-Key."""


Asked = tuple[request_bodies.Sending, bytes | None]
"""What a sender asks for, and, where it comes with a key, what tells it from anything else."""


@define(eq=False)
class Sender:
    """Reads a command from a request, puts it, and waits for its end if asked to."""

    drafts: Drafts
    command_queue: CommandQueue
    in_thread: InThread[Asked]

    async def send(self, request: Request, device: str, token: Token) -> bytes:
        """201 once it is durable; with ``wait`` 200 when it has ended, 202 when not yet."""
        query = Query.of(request, "wait", "queue")
        wait, queue = query.seconds("wait"), query.flag("queue")
        key = _idempotency_key(request)
        read = partial(self._read, device, key is not None)
        sending, fingerprint = await parse(request.body.content(), read, self.in_thread)
        draft = self.drafts.make(
            device, sending.payload, sending.terms, token.name, idempotency_key=key, fingerprint=fingerprint
        )
        command, created = await self.command_queue.put(draft, queue)
        if wait is None:
            return accepted(request, command, 201 if created else 200)
        command = await self.command_queue.wait(command.id, wait)
        return accepted(request, command, 200 if command.state in ENDED else 202)

    def _read(self, device: str, has_key: bool, content: bytes) -> Asked:
        body = request_bodies.read_object(content)
        sending = request_bodies.read_sending(body)
        self.drafts.check(device, sending.payload, sending.terms)
        return sending, _fingerprint(body) if has_key else None


def accepted(request: Request, command: Command, code: int) -> bytes:
    """The command that was asked for, and where it is."""
    request.setResponseCode(code)
    request.setHeader(b"Location", f"/v1/commands/{command.id}".encode())
    return json_views.command(command)


def _idempotency_key(request: Request) -> str | None:
    header = request.getHeader(b"Idempotency-Key")
    if header is None:
        return None
    key = header.decode("utf-8", "surrogateescape")  # and what that escapes is not printable
    if not (1 <= len(key) <= MAX_KEY and key.isprintable()):
        raise InvalidQuery(f"An Idempotency-Key has 1 to {MAX_KEY} printable characters.")
    return key


def _fingerprint(body: dict[str, Any]) -> bytes:
    """What tells one body from another, compared as parsed JSON, where 1.0 and 1 are one number."""
    numbers = json.loads(json.dumps(body), parse_float=_number)
    return sha256(json.dumps(numbers, sort_keys=True).encode()).digest()


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number
