"""Tests of the command line as a whole."""

import sys
from io import BytesIO, TextIOWrapper

import pytest
from click.testing import CliRunner

from pushd.pushctl import main as program
from pushd.pushctl.main import cli
from pushd.pushctl.session import Program
from pushd.pushctl.terminal import console, echo
from tests.pushctl.walk import WITHOUT_JSON, all_commands


def _no_request(program: Program) -> None:
    raise AssertionError("sent a request")


COMMANDS = dict(all_commands())


def _help(name: str) -> str:
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(cli, [*name.split(), "--help"], obj=_no_request)
    assert shown.exit_code == 0
    return shown.stdout


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_needs_no_server(option: str) -> None:
    """The help text and the version are shown without a server."""
    assert CliRunner().invoke(cli, [option], obj=_no_request).exit_code == 0


def test_each_command_is_in_a_section_of_the_help() -> None:
    """The help lists every command once, with what it does on the same line."""
    lines = [line.split() for line in _help("").partition("Options:")[2].splitlines()]
    for name in cli.commands:
        assert [len(line) > 2 for line in lines if line[:1] == [name]] == [True], name


@pytest.mark.parametrize("name", COMMANDS)
def test_each_help_has_an_example(name: str) -> None:
    """The help text of each command has an example of its use."""
    assert f" {name}" in _help(name).partition("Example")[2]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_each_help_fits_80_columns(name: str) -> None:
    """A terminal of 80 columns shows each help text without breaking a line, examples included."""
    assert max(map(len, _help(name).splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_json(name: str) -> None:
    """Each command can print JSON for programs."""
    assert any("--json" in param.opts for param in COMMANDS[name].params) or name in WITHOUT_JSON


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", b"PORT?O ?\n"), ("latin-1", b"PORT\xc3O ?\n"), ("utf-8", "PORTÃO …\n".encode())]
)
def test_any_terminal_shows_what_it_can(encoding: str, shown: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the terminal cannot show is shown with replacements; the rest of the list is not lost."""

    def command(**_: object) -> None:
        echo("PORTÃO …")
        console().print("PORTÃO …")

    stdout = TextIOWrapper(BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(program, "cli", command)
    program.main()
    stdout.flush()
    assert stdout.buffer.getvalue() == 2 * shown
