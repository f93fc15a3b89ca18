"""
The same for each of several things.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import click
from twisted.internet.defer import Deferred

from pushd.client.api import AdminClient
from pushd.client.connection import Json
from pushd.client.errors import Refused
from pushd.client.outcome import Outcome
from pushd.client.screen import tell_json
from pushd.client.session import Session, complain
from pushd.client.text import printable

Ask = Callable[[AdminClient, str], Coroutine[Deferred[Any], Any, Json]]
"""Asks for one thing by its id, and gives it as it is then."""


def perform_each(session: Session, ids: Sequence[str], ask: Ask, say: Callable[[Json], str], *, as_json: bool) -> None:
    """
    Ask for each of them, tell what became of it, and go on where the server refuses; the worst outcome counts.
    """

    async def one(client: AdminClient, ident: str) -> Outcome:
        try:
            found = await ask(client, ident)
        except Refused as error:
            complain(f"{printable(ident)}: {error}")
            return Outcome.REFUSED
        if as_json:
            tell_json(found)
        else:
            click.echo(f"{printable(ident)} {say(found)}")
        return Outcome.SUCCEEDED

    async def work(client: AdminClient) -> Outcome:
        return max([await one(client, ident) for ident in ids])

    session.perform(work)
