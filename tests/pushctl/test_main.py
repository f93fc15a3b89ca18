"""Tests of the command line as a whole."""

import sys
from io import BytesIO, TextIOWrapper

import pytest
from click.testing import CliRunner

from pushd.pushctl import main as program
from pushd.pushctl.main import cli
from pushd.pushctl.session import Program
from pushd.pushctl.terminal import console, echo


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


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", b"PORT?O ?\n"), ("latin-1", b"PORT\xc3O ?\n"), ("utf-8", "PORTÃO …\n".encode())]
)
def test_any_terminal_shows_what_it_can(encoding: str, shown: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the terminal cannot show is shown with replacements; the rest of the list is not lost."""

    def command() -> None:
        echo("PORTÃO …")
        console().print("PORTÃO …")

    stdout = TextIOWrapper(BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(program, "cli", command)
    program.main()
    stdout.flush()
    assert stdout.buffer.getvalue() == 2 * shown
