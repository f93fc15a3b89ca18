"""All commands of ``pushctl``, those within groups included."""

from collections.abc import Iterator

import click

from pushd.pushctl.main import cli

WITHOUT_JSON = ("completion",)
"""Commands that print a script."""


def all_commands(group: click.Group = cli, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Each command with its name as it is typed, such as ``devices add``; groups only if they are commands too."""
    for name, command in group.commands.items():
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield f"{prefix}{name}", command
        if isinstance(command, click.Group):
            yield from all_commands(command, f"{prefix}{name} ")
