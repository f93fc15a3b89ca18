"""Option types and options that several commands share, and helpers for help texts."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeVar

import click

from pushd.lib.text import parse_duration
from pushd.pushctl.wait import FOREVER

_Command = TypeVar("_Command", bound=Callable[..., Any])

EXAMPLE_COMMAND = "01890a5d-ac96-774b-bcce-b302099a8057"
"""The command id in the examples of help texts."""

_UNTIL_ENDED = "until it ends"


def seconds(text: str) -> float:
    """A duration, as seconds or with units; whole seconds stay integers."""
    try:
        number = parse_duration(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a duration, such as 90, 5m or 24h.") from None
    if not (math.isfinite(number) and number >= 0):
        raise click.BadParameter(f"{text!r} is not a duration.")
    return int(number) if number.is_integer() else number


def _wait(text: str) -> float:
    return FOREVER if text == _UNTIL_ENDED else seconds(text)


class CommandWithWait(click.Command):
    """A command with ``--wait``, whose value may be left out wherever it stands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; a ``--wait`` that no number follows has no value."""
        return super().parse_args(ctx, [_whole_wait(arg, following) for arg, following in pairwise([*args, ""])])


def _whole_wait(arg: str, following: str) -> str:
    return f"--wait={_UNTIL_ENDED}" if arg == "--wait" and not following[:1].isdigit() else arg


def wait_option(command: _Command) -> _Command:
    """``--wait`` with or without a duration; for a :class:`CommandWithWait`."""
    return click.option(
        "--wait",
        type=_wait,
        metavar="[DURATION]",
        is_flag=False,
        flag_value=_UNTIL_ENDED,
        help="Wait until the command ends, at most DURATION if given: seconds, or such as 5m.",
    )(command)


def json_option(help_text: str) -> Callable[[_Command], _Command]:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help=help_text)


def verbatim(*paragraphs: str) -> str:
    """Paragraphs of a help text whose lines are not wrapped."""
    return "\n\n".join(f"\b\n{paragraph}" for paragraph in paragraphs)


def option_group(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """One decorator of several options; the help text lists them in this order."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
