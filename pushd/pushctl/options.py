"""Kinds of words that options of several commands take."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from pushd.pushctl.wait import FOREVER

_Command = TypeVar("_Command", bound=Callable[..., Any])

_UNTIL_ENDED = "until it ends"


def seconds(text: str) -> float:
    """A duration as the operator wrote it; whole seconds stay whole."""
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
        help="Wait so long for the command to end; without a number, until it ends. Put it last.",
    )(command)


def verbatim(*paragraphs: str) -> str:
    """Paragraphs of a help text whose lines stay as they are."""
    return "\n\n".join(f"\b\n{paragraph}" for paragraph in paragraphs)


def several(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Some options under one name; they are listed in this order."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
