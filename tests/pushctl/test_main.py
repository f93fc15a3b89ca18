"""Tests of the command line as a whole."""

import pytest
from click.testing import CliRunner

from pushd.pushctl.main import cli
from pushd.pushctl.session import Program


def _no_request(program: Program) -> None:
    raise AssertionError("sent a request")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in cli.commands)])
def test_help_needs_no_server(arguments: list[str]) -> None:
    """Help texts and the version are shown without a server."""
    assert CliRunner().invoke(cli, arguments, obj=_no_request).exit_code == 0


@pytest.mark.parametrize("name", cli.commands)
def test_each_help_has_an_example(name: str) -> None:
    """The help text of each command has an example of its use."""
    shown = CliRunner().invoke(cli, [name, "--help"], obj=_no_request).stdout
    assert f" {name}" in shown.partition("Example")[2]
