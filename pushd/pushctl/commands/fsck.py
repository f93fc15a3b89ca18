"""``pushctl fsck``: checks the database for inconsistencies."""

import json
import subprocess
import sys
from collections.abc import Sequence

import click

from pushd.pushctl import terminal
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import print_json, styled
from pushd.pushctl.session import Session, print_error
from pushd.pushctl.terminal import Column, Fit, write_line

DATABASE = "pushd.sqlite"

_COLUMNS = (Column("what", 0, Fit.WRAP), Column("device", 1), Column("command", 2), Column("detail", 3, Fit.WRAP))


@click.command(
    epilog=verbatim(
        "Examples, for a running server and for a stopped one:\n"
        "  pushctl fsck\n"
        "  pushctl --data-dir /var/lib/pushd fsck --offline",
        "Exit codes:\n  0  no inconsistencies\n  1  there are some, or the check could not be made",
    )
)
@click.option("--offline", is_flag=True, help="Read the database in the data directory, without a server.")
@json_option("Print a JSON object with all inconsistencies.")
@click.pass_obj
def fsck(session: Session, /, *, offline: bool, as_json: bool) -> None:
    """Check the database for inconsistencies.

    A running server also checks that its memory has every command that is queued.
    """

    async def check(client: AdminClient) -> ExitCode:
        return _print(await client.fsck(), as_json)

    if offline:
        raise SystemExit(_check_offline(session, as_json))
    session.perform(check)


FOUND = 1
"""The exit code of the checker if it finds inconsistencies."""


def _print(violations: Sequence[Json], as_json: bool) -> ExitCode:
    if as_json:
        print_json({"ok": not violations, "items": violations})
    elif violations:
        rows = [[styled(violation.get(column.name)) for column in _COLUMNS] for violation in violations]
        terminal.print_table(_COLUMNS, rows)
    else:
        write_line("No inconsistencies.")
    return ExitCode.REFUSED if violations else ExitCode.SUCCEEDED


def _check_offline(session: Session, as_json: bool) -> ExitCode:
    """Run the server's own checker: ``pushctl`` does not import the store."""
    database = session.data_dir / DATABASE
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "pushd.fsck", str(database)], capture_output=True, text=True, check=False
    )
    if done.stderr or done.returncode not in (0, FOUND):
        reason = done.stderr.strip() or f"the check was ended by signal {-done.returncode}"
        print_error(reason.splitlines()[-1])
        return ExitCode.REFUSED
    violations = done.stdout.splitlines() if done.returncode == FOUND else []
    return _print([json.loads(line) for line in violations], as_json)
