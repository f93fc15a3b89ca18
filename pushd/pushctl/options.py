"""Option types and options that several commands share, and helpers for help texts."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from pushd.pushctl.wait import FOREVER

_Command = TypeVar("_Command", bound=Callable[..., Any])

EXAMPLE_COMMAND = "01890a5d-ac96-774b-bcce-b302099a8057"
"""The command id in the examples of help texts."""

_UNTIL_ENDED = "until it ends"


def seconds(text: str) -> float:
    """A duration in seconds; whole seconds stay integers."""
    try:
        number = float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number of seconds.") from None
    if not (math.isfinite(number) and number >= 0):
        raise click.BadParameter(f"{text!r} is not a duration.")
    return int(number) if number.is_integer() else number


def _wait(text: str) -> float:
    return FOREVER if text == _UNTIL_ENDED else seconds(text)


def wait_option(command: _Command) -> _Command:
    """``--wait`` with or without a number of seconds."""
    return click.option(
        "--wait",
        type=_wait,
        metavar="[SECONDS]",
        is_flag=False,
        flag_value=_UNTIL_ENDED,
        help="Wait until the command ends, at most SECONDS if given. Put this option last.",
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
