"""Option types and options that several commands share, and helpers for help texts."""

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from time import time
from typing import Any, TypeVar

import click

from pushd.lib.text import parse_duration
from pushd.model.timestamps import to_rfc3339
from pushd.pushctl.connection import Query
from pushd.pushctl.output import parse_time
from pushd.pushctl.wait import FOREVER

_Command = TypeVar("_Command", bound=Callable[..., Any])

EXAMPLE_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
"""The id of a command or webhook in the examples of help texts."""

DEFAULT_LIMIT = 50
"""Items of a list that may have very many."""

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


def time_in(now: float, seconds: float) -> str:
    """A time for the API, so many seconds from ``now``, in seconds since the epoch.

    :raises click.BadParameter: if no calendar has it.
    """
    try:
        return to_rfc3339(round((now + seconds) * 1000))
    except (OverflowError, ValueError):
        raise click.BadParameter("The duration is too long.") from None


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


def choice(values: Iterable[str]) -> click.Choice[str]:
    """One of the values of an enum of the model; the value of the option is a plain text."""
    return click.Choice([*map(str, values)])


def json_option(help_text: str) -> Callable[[_Command], _Command]:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help=help_text)


def _since(text: str) -> str:
    """A time of the API: as it is given (the server checks its offset), or a duration before now."""
    try:
        duration = seconds(text)
    except click.BadParameter:
        if parse_time(text) is None:
            raise click.BadParameter(
                f"{text!r} is neither a duration before now, such as 2h, nor a time, such as 2030-01-02T03:04:05Z."
            ) from None
        return text
    return time_in(time(), -duration)


def since_option(help_text: str, *, default: str | None = None) -> Callable[[_Command], _Command]:
    """``--since``: a duration before now, or a time, which the server checks."""
    return click.option(
        "--since",
        type=_since,
        metavar="TIME",
        default=default,
        show_default=default is not None,
        help=f"{help_text}: a duration before now, such as 2h, or a time such as 2030-01-02T03:04:05Z.",
    )


def limit_option(command: _Command) -> _Command:
    """``--limit``: how many items a list has at most."""
    return click.option(
        "--limit",
        type=click.IntRange(1),
        metavar="N",
        default=DEFAULT_LIMIT,
        show_default=True,
        help="List N at most.",
    )(command)


overlap_option: Callable[[Any], Any] = click.option(
    "--overlap", metavar="DURATION", type=seconds, default="0", help="How long the old one stays valid.  [default: 0]"
)

out_option: Callable[[Any], Any] = click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it to a new file that only you can read, not to the terminal.",
)


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a body for which there was an option."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in fields.items()
        if value not in (None, ())
    }


def query_of(filters: Mapping[str, Any]) -> Query:
    """The filters of a list for which there was an option, as parameters of its query; a tuple is one that repeats."""
    values = {name: value if isinstance(value, tuple) else (value,) for name, value in filters.items()}
    return [(name, value) for name, each in values.items() for value in each if value is not None]


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
