"""``pushctl``: the commands under one name."""

import sys
from io import TextIOWrapper
from pathlib import Path

import click

from pushd import __version__
from pushd.pushctl.commands.alerts import acknowledge, alerts
from pushd.pushctl.commands.devices import approve, devices
from pushd.pushctl.commands.fsck import fsck
from pushd.pushctl.commands.resolve import explain, resend, resolve
from pushd.pushctl.commands.send import send
from pushd.pushctl.commands.show import cancel, show
from pushd.pushctl.commands.watch import watch
from pushd.pushctl.options import verbatim
from pushd.pushctl.server_address import DEFAULT_DATA_DIR, DEFAULT_URL
from pushd.pushctl.session import Session, run_on_reactor

_EXAMPLES = """\
Examples, for a server that was started in this directory:
  pushctl devices
  pushctl send controlid:4408801109440198 load_objects '{"object": "users"}' --wait
  pushctl watch"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=verbatim(_EXAMPLES))
@click.option("--url", envvar="PUSHD_URL", default=DEFAULT_URL, show_default=True, help="URL of the admin API.")
@click.option(
    "--token",
    envvar="PUSHD_TOKEN",
    help="API token. Other users can see command lines: prefer PUSHD_TOKEN or --data-dir.",
)
@click.option(
    "--data-dir",
    envvar="PUSHD_DATA_DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DATA_DIR,
    show_default=True,
    help="Data directory of a server on this machine; without a token, its admin.token is used.",
)
@click.version_option(__version__, prog_name="pushctl")
@click.pass_context
def cli(context: click.Context, url: str, token: str | None, data_dir: Path) -> None:
    """List and approve the devices of a pushd server, and send them commands.

    The environment variables PUSHD_URL, PUSHD_TOKEN and PUSHD_DATA_DIR set the options below.
    """
    run = context.obj or run_on_reactor
    context.obj = Session(url=url, token=token, data_dir=data_dir, run=run)


for _command in (devices, approve, send, show, explain, cancel, resolve, resend, alerts, acknowledge, watch, fsck):
    cli.add_command(_command)


def main() -> None:
    """The entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # of a terminal that is not UTF-8: better a replacement than a traceback
            stream.reconfigure(errors="replace")
    cli()
