"""``pushctl fsck``: looks for what is stored and cannot be."""

import json
import subprocess
import sys
from collections.abc import Sequence

import click

from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.exit_codes import Outcome
from pushd.pushctl.options import verbatim
from pushd.pushctl.output import draw, plain_table, styled, tell_json
from pushd.pushctl.session import Session, complain

DATABASE = "pushd.sqlite"

_COLUMNS = ("what", "device", "command", "detail")


@click.command(
    epilog=verbatim(
        "Examples, the running server, and the data directory of one that does not run:\n"
        "  pushctl fsck\n"
        "  pushctl --data-dir /var/lib/pushd fsck --offline",
        "Exit codes:\n  0  all is well\n  1  there are flaws, or nobody could look",
    )
)
@click.option("--offline", is_flag=True, help="Read the database in the data directory, without asking a server.")
@click.option("--json", "as_json", is_flag=True, help="Each flaw as a line of JSON.")
@click.pass_obj
def fsck(session: Session, /, *, offline: bool, as_json: bool) -> None:
    """Look for what is stored and cannot be: a command without its evidence, a lease without an owner, a feed that
    tells another story.

    The server also looks whether its memory knows of every command that waits.
    """

    async def work(client: AdminClient) -> Outcome:
        return _tell(await client.fsck(), as_json)

    if offline:
        raise SystemExit(_tell_offline(session, as_json))
    session.perform(work)


def _tell(flaws: Sequence[Json], as_json: bool) -> Outcome:
    if as_json:
        for flaw in flaws:
            tell_json(flaw)
    elif flaws:
        table = plain_table(*_COLUMNS)
        for flaw in flaws:
            table.add_row(*(styled(flaw.get(column)) for column in _COLUMNS))
        draw(table)
    else:
        click.echo("No flaws.")
    return Outcome.REFUSED if flaws else Outcome.SUCCEEDED


def _tell_offline(session: Session, as_json: bool) -> Outcome:
    """The store's own program looks: this one knows the server's API, and nothing of its inside."""
    database = session.data_dir / DATABASE
    looked = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "pushd.fsck", str(database)], capture_output=True, text=True, check=False
    )
    if looked.stderr:
        complain(looked.stderr.strip().splitlines()[-1])
        return Outcome.REFUSED
    return _tell([json.loads(line) for line in looked.stdout.splitlines()], as_json)
