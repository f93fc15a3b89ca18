"""``pushctl migrate``: moves a fleet between SQLite and PostgreSQL."""

import json
import subprocess
import sys
from collections.abc import Callable

import click

from pushd.pushctl.connection import Json
from pushd.pushctl.exit_codes import ExitCode
from pushd.pushctl.options import json_option, verbatim
from pushd.pushctl.output import print_json
from pushd.pushctl.progress import row_progress
from pushd.pushctl.session import print_error
from pushd.pushctl.terminal import echo

_CODES = (ExitCode.SUCCEEDED, ExitCode.REFUSED, ExitCode.MISUSED, ExitCode.FAILED)
"""Of the program that moves."""

_AGAIN = "The move is not complete; servers refuse the target. The same call goes on where it was."


@click.command(
    epilog=verbatim(
        "Examples:\n"
        "  pushctl migrate --from sqlite:/var/lib/pushd/pushd.sqlite \\\n"
        "      --to postgresql://pushd@db.example.org/pushd\n"
        "  pushctl migrate --from postgresql://pushd@db.example.org/pushd \\\n"
        "      --to sqlite:/var/lib/pushd/pushd.sqlite",
        "Exit codes:\n"
        "  0    the fleet has moved\n"
        "  1    it cannot be moved, and nothing was changed\n"
        "  2    wrong arguments or options\n"
        "  3    the move stopped on its way; the same call goes on where it was\n"
        "  130  Ctrl-C stopped it; the same call goes on where it was",
    )
)
@click.option("--from", "source", required=True, metavar="DATABASE", help="Where the fleet is: sqlite:PATH, or a URL.")
@click.option("--to", "target", required=True, metavar="DATABASE", help="Where it is to be; an empty database.")
@click.option("--force", is_flag=True, help="Move a fleet once more that was moved to another database before.")
@json_option("Print a JSON object with the number of rows of each table.")
def migrate(*, source: str, target: str, force: bool, as_json: bool) -> None:
    """Move a fleet from a file of SQLite to a database on PostgreSQL, or back.

    Stop all servers before. Numbers of events, ids, cursors of webhooks, idempotency keys, tokens and secrets stay
    what they are. When both databases have the same rows, and the same checks pass, servers refuse the old one, and
    may use the new one.
    """
    arguments = [source, target, *(["--force"] if force else [])]
    # the server's own program: pushctl does not import the store
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "pushd.migrate", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            moved = _follow(program)
        except KeyboardInterrupt:  # the program gets the signal, too
            program.wait()
            print_error(_AGAIN)
            raise SystemExit(ExitCode.INTERRUPTED) from None
        _, errors = program.communicate()
    code = _CODES[program.returncode] if 0 <= program.returncode < len(_CODES) else ExitCode.FAILED
    if moved is None:
        print_error(errors.strip().splitlines()[0] if errors.strip() else "The move has ended unexpectedly.")
        if code is ExitCode.FAILED:
            print_error(_AGAIN)
        raise SystemExit(code)
    _print(moved, target, as_json=as_json)


def _follow(program: "subprocess.Popen[str]") -> Json | None:
    """Show the progress of the program; what it has moved."""
    moved: Json | None = None
    assert program.stdout is not None, "it is a pipe"
    with row_progress() as show:
        for line in program.stdout:
            message = json.loads(line)
            if "progress" in message:
                _show(message["progress"], show)
            moved = message.get("moved", moved)
    return moved


def _show(progress: Json, show: Callable[[str, int, int], None]) -> None:
    what = "comparing" if progress["is_check"] else "moving"
    show(f"{what} {progress['table']}", progress["rows"], progress["total"])


def _print(moved: Json, target: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, **moved})
        return
    count = sum(moved["rows"].values())
    echo(f"Moved {count} rows of {len(moved['rows'])} tables. Servers refuse the old database from now on.")
    if moved["violations"]:
        echo(f"Both databases have {moved['violations']} inconsistencies: pushctl fsck lists them.")
    if target.startswith("postgres"):
        echo("Start servers with --store and the URL of the new one.")
