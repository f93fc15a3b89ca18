"""``pushctl``: the commands under one name."""

import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any

import click
from click.shell_completion import add_completion_class

from pushd import __version__
from pushd.pushctl.commands.after_restore import after_restore
from pushd.pushctl.commands.alerts import acknowledge, alerts
from pushd.pushctl.commands.audit import audit
from pushd.pushctl.commands.commands import commands
from pushd.pushctl.commands.completion import completion
from pushd.pushctl.commands.device_changes import add, block, forget, mute, set_fields
from pushd.pushctl.commands.device_credentials import api_key, secret
from pushd.pushctl.commands.devices import approve, devices, orphans
from pushd.pushctl.commands.doctor import doctor
from pushd.pushctl.commands.events import events
from pushd.pushctl.commands.fsck import fsck
from pushd.pushctl.commands.import_export import export, import_devices
from pushd.pushctl.commands.info import info
from pushd.pushctl.commands.login import login, logout, profiles
from pushd.pushctl.commands.mail import mail
from pushd.pushctl.commands.migrate import migrate
from pushd.pushctl.commands.opening import open_device
from pushd.pushctl.commands.people import invite, people
from pushd.pushctl.commands.provision import provision
from pushd.pushctl.commands.rejections import rejections
from pushd.pushctl.commands.resolve import explain, resend, resolve
from pushd.pushctl.commands.send import send
from pushd.pushctl.commands.sessions import sessions
from pushd.pushctl.commands.show import cancel, show
from pushd.pushctl.commands.status import status
from pushd.pushctl.commands.tokens import tokens
from pushd.pushctl.commands.watch import watch
from pushd.pushctl.commands.webhook_listener import listen
from pushd.pushctl.commands.webhooks import webhooks
from pushd.pushctl.completion import PROFILE
from pushd.pushctl.options import verbatim
from pushd.pushctl.server_address import DEFAULT_DATA_DIR, DEFAULT_URL, TOKEN_VARIABLE
from pushd.pushctl.session import Session
from pushd.pushctl.shells import COMPLETE_VARIABLE, Bash

_EXAMPLES = """\
Examples, for a server that was started in this directory:
  pushctl status
  pushctl devices
  pushctl send controlid:4408801109440198 load_objects \\
      '{"object": "users"}' --wait
  pushctl open controlid:4408801109440198
  pushctl watch"""


SECTIONS: Mapping[str, Sequence[click.Command]] = {
    "Devices": (
        devices,
        provision,
        approve,
        mute,
        import_devices,
        export,
    ),
    "Commands": (
        open_device,
        send,
        commands,
        show,
        explain,
        cancel,
        resolve,
        resend,
    ),
    "Alerts and events": (
        alerts,
        acknowledge,
        events,
        watch,
    ),
    "Notifications": (
        webhooks,
        mail,
    ),
    "Server": (
        status,
        info,
        doctor,
        rejections,
        login,
        logout,
        profiles,
        tokens,
        people,
        invite,
        sessions,
        audit,
        completion,
        fsck,
        migrate,
        after_restore,
    ),
}
"""All commands; ``pushctl --help`` lists them like this."""


class _Sections(click.Group):
    """A group whose help lists its commands in sections."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the sections; the column of the names is equally wide in all of them."""
        width = max(map(len, self.commands))
        limit = formatter.width - width - 6
        for title, listed in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(str(command.name).ljust(width), command.get_short_help_str(limit)) for command in listed]
                )


@click.group(cls=_Sections, context_settings={"help_option_names": ["-h", "--help"]}, epilog=verbatim(_EXAMPLES))
@click.option("--url", envvar="PUSHD_URL", help=f"URL of the admin API.  [default: {DEFAULT_URL}]")
@click.option(
    "--token",
    envvar=TOKEN_VARIABLE,
    help="API token. Other users can see command lines: prefer pushctl login, PUSHD_TOKEN or --data-dir.",
)
@click.option(
    "--data-dir",
    envvar="PUSHD_DATA_DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Data directory of a server on this machine, whose admin.token is used.  [default: {DEFAULT_DATA_DIR}]",
)
@click.option(
    "--profile",
    envvar="PUSHCTL_PROFILE",
    type=PROFILE,
    metavar="NAME",
    help="A server that pushctl login has saved, instead of the options above.",
)
@click.version_option(__version__, prog_name="pushctl")
@click.pass_context
def cli(context: click.Context, /, **_options: Any) -> None:
    """Watch and change the devices of a pushd server, and send them commands.

    The server is the first of these that there is: that of the options below; that of the environment variable
    PUSHCTL_PROFILE; that of PUSHD_URL, PUSHD_TOKEN and PUSHD_DATA_DIR; one that was started in this directory; that of
    the default profile, which is the latest "pushctl login" ("pushctl profiles --default NAME" chooses another).
    """
    context.obj = Session.of(context)


for _command in (add, set_fields, block, mute, forget, secret, api_key, orphans):
    devices.add_command(_command)
webhooks.add_command(listen)
for _command in chain.from_iterable(SECTIONS.values()):
    cli.add_command(_command)


def main() -> None:
    """The entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # of a terminal that is not UTF-8: better a replacement than a traceback
            stream.reconfigure(errors="replace")
    add_completion_class(Bash)
    cli(prog_name="pushctl", complete_var=COMPLETE_VARIABLE)
