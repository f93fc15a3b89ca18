"""
Sending: a request to send becomes a command.
"""

import json
from functools import partial
from hashlib import sha256
from typing import Any

from attrs import define

from pushd.admin import forms, views
from pushd.admin.queries import Query
from pushd.core.outbox import Outbox
from pushd.model.command import Command
from pushd.model.errors import InvalidQuery
from pushd.model.lifecycle import ENDED
from pushd.model.token import Token
from pushd.web.answers import answer
from pushd.web.bodies import InThread, parse
from pushd.web.site import HouseRequest

MAX_KEY = 255
"""Characters of an Idempotency-Key."""


@define(eq=False)
class Sender:
    """
    Reads a command from a request, puts it, and waits for its end if asked to.
    """

    outbox: Outbox
    in_thread: InThread[dict[str, Any]]

    async def send(self, request: HouseRequest, device: str, token: Token) -> bytes:
        """
        201 once it is durable; with ``wait`` 200 when it has ended, 202 when not yet.
        """
        query = Query.of(request, "wait", "queue")
        wait, queue = query.seconds("wait"), query.flag("queue")
        body = await parse(request.body.content(), forms.read_object, self.in_thread)
        sending = forms.read_sending(body)
        put = partial(self.outbox.put, device, sending.payload, sending.terms, token.name, queue)
        command, created = await put(_idempotency_key(request), _fingerprint(body))
        if wait is None:
            return _accepted(request, command, 201 if created else 200)
        command = await self.outbox.wait(command.id, wait)
        return _accepted(request, command, 200 if command.state in ENDED else 202)


def _accepted(request: HouseRequest, command: Command, code: int) -> bytes:
    request.setResponseCode(code)
    request.setHeader(b"location", f"/v1/commands/{command.id}".encode())
    return answer(request, views.command(command))


def _idempotency_key(request: HouseRequest) -> str | None:
    key: str | None = request.getHeader("idempotency-key")
    if key is not None and not (1 <= len(key) <= MAX_KEY and key.isprintable()):
        raise InvalidQuery(f"An Idempotency-Key has 1 to {MAX_KEY} printable characters.")
    return key


def _fingerprint(body: dict[str, Any]) -> bytes:
    """
    What tells one body from another, compared as parsed JSON.
    """
    return sha256(json.dumps(body, sort_keys=True).encode()).digest()
