"""The same for each of several things."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import click
from twisted.internet.defer import Deferred

from pushd.lib.text import printable
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.errors import Refused
from pushd.pushctl.exit_codes import Outcome
from pushd.pushctl.output import tell_json
from pushd.pushctl.session import Session, complain

Ask = Callable[[AdminClient, str], Coroutine[Deferred[Any], Any, Json]]
"""Asks for one thing by its id, and gives it as it is then."""


def perform_each(session: Session, ids: Sequence[str], ask: Ask, say: Callable[[Json], str], *, as_json: bool) -> None:
    """Ask for each of them, tell what became of it, and go on where the server refuses; the worst outcome counts."""

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
