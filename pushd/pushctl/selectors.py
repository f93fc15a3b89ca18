"""Options that select devices and events: those of a list, and those to which something is limited."""

from collections.abc import Callable
from typing import Any

import click

from pushd.model.device import Admission
from pushd.model.token import SELECTORS
from pushd.pushctl.completion import DEVICE, DIALECT, ENDPOINT, EVENT_TYPE, MODEL, SITE
from pushd.pushctl.connection import Json
from pushd.pushctl.options import choice, option_group
from pushd.pushctl.output import field_text

list_options: Callable[[Any], Any] = option_group(
    click.option(
        "--dialect", metavar="NAME", type=DIALECT, help="Only devices of this dialect: controlid or servereye."
    ),
    click.option("--admission", type=choice(Admission), help="Only devices in this state."),
    click.option(
        "--site", metavar="SITE", type=SITE, multiple=True, help="Only devices of this site. May be repeated."
    ),
    click.option(
        "--tag", metavar="TAG", multiple=True, help="Only devices with this tag. May be repeated: with all of them."
    ),
    click.option("--model", metavar="MODEL", type=MODEL, help="Only devices of this model."),
)
"""For lists of devices; the names of the parameters are those of the query."""


def limiting_options(of: str = "") -> Callable[[Any], Any]:
    """For what may be limited to some devices; ``of`` stands before these in the help."""
    return option_group(
        click.option(
            "--device",
            "devices",
            metavar="DEVICE",
            type=DEVICE,
            multiple=True,
            help=f"Only {of}this device. May be repeated.",
        ),
        click.option(
            "--site",
            "sites",
            metavar="SITE",
            type=SITE,
            multiple=True,
            help=f"Only {of}devices of this site. May be repeated.",
        ),
        click.option(
            "--tag",
            "tags",
            metavar="TAG",
            multiple=True,
            help=f"Only {of}devices with this tag. May be repeated: with all of them.",
        ),
    )


types_option: Callable[[Any], Any] = click.option(
    "--type",
    "types",
    metavar="TYPE",
    type=EVENT_TYPE,
    multiple=True,
    help="Only events of this type. May be repeated.",
)
"""For what is sent events."""


scope_options: Callable[[Any], Any] = option_group(
    limiting_options(),
    click.option(
        "--endpoint",
        "endpoints",
        metavar="NAME",
        type=ENDPOINT,
        multiple=True,
        help='Only commands with this endpoint or control; "open": only to open doors. May be repeated.',
    ),
)
"""For what has a scope: tokens and people."""

unlimited_option: Callable[[Any], Any] = click.option(
    "--all",
    "unlimited",
    type=click.Choice(SELECTORS),
    multiple=True,
    help="Do not limit it by these any more. May be repeated.",
)


def scope_text(limited: Json) -> str:
    """What limits a token or a person, in words."""
    words = [
        f"{singular} {', '.join(map(str, values)) or 'none'}"
        for name, singular in zip(SELECTORS, ("device", "site", "tag", "endpoint"), strict=True)
        if (values := limited.get(name)) is not None
    ]
    return field_text("; ".join(words) or "everything")
