"""``pushctl after-restore``: what is done once after a database on PostgreSQL was restored."""

import json
import subprocess
import sys

import click

from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import print_json
from pushd.pushctl.session import print_error
from pushd.pushctl.terminal import echo

_CODES = (ExitCode.SUCCEEDED, ExitCode.REFUSED, ExitCode.MISUSED)
"""Of the program that does it."""


@click.command(
    "after-restore",
    epilog=verbatim(
        "Example:\n  pushctl after-restore --store postgresql://pushd@db.example.org/pushd",
        "Exit codes:\n"
        "  0  what was open has ended, and servers may send again\n"
        "  1  nothing was changed: servers use the database and miss nothing, or\n"
        "     it cannot be reached\n"
        "  2  wrong arguments or options",
    ),
)
@click.option(
    "--store", required=True, envvar="PUSHD_STORE", metavar="URL", help="The database, as servers have it in --store."
)
@click.option("--requeue", is_flag=True, help="Keep what is queued in it queued, though it may have run since.")
@json_option("Print a JSON object with the number of commands that are unknown now.")
def after_restore(*, store: str, requeue: bool, as_json: bool) -> None:
    """End what was open in a restored database on PostgreSQL.

    After a restore from a backup, or when a standby took over without the last commits, the database lacks what
    happened later: commands that are open in it may have run since. Servers notice, and send nothing until this was
    called. It makes those commands unknown, and begins another history; running servers end then, to be started again.
    """
    # the server's own program: pushctl does not import the store
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "pushd.after_restore", store, *(["--requeue"] if requeue else [])],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print_error(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "It has ended unexpectedly.")
        raise SystemExit(_CODES[done.returncode] if done.returncode in range(len(_CODES)) else ExitCode.REFUSED)
    result = json.loads(done.stdout)
    if as_json:
        print_json({"ok": True, **result})
    else:
        echo(f"Another history has begun. Commands that are unknown now: {result['unknown']}.")
