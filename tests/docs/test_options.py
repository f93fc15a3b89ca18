"""The pages about the programs describe each of their options, and no others."""

from twisted.python import usage

from pushd import tap
from pushd.config import OPTIONS, Config, read_config
from pushd.pushctl.main import cli
from pushd.simulator import tap as simulator
from tests.docs.pages import EXAMPLES, options, page
from tests.pushctl.walk import all_commands

_COMMANDS = dict(all_commands())

_OF_TWISTED = {"help", "version"}

_FOR_ONE_START = {"check", "new", "new-token", "restored", "requeue"}
"""Flags that belong on a command line, and would do harm in a file."""


def _names(given: usage.Options) -> set[str]:
    return {option.removesuffix("=") for option in given.longOpt} - _OF_TWISTED


def test_server() -> None:
    """The page about operating pushd lists the options of ``pushd-server``; Sphinx makes the list from their table."""
    assert "\n.. server-options::\n" in page("operating")
    assert _names(tap.Options()) == OPTIONS.keys()


def test_simulator() -> None:
    """The page about the simulator describes the options of ``pushd-simulate``."""
    assert options(page("simulator")) == _names(simulator.Options())


def _pushctl() -> set[str]:
    words = [word for command in [cli, *_COMMANDS.values()] for param in command.params for word in param.opts]
    return {word.removeprefix("--") for word in words if word.startswith("--")} - _OF_TWISTED


def test_pushctl() -> None:
    """The page about pushctl describes its commands and their options."""
    text = page("pushctl")
    assert options(text) == _pushctl()
    assert all(f"\npushctl {name}\n" in text for name in _COMMANDS)


def test_configuration_file() -> None:
    """The example of a configuration file can be read, and has each option that can be given there."""
    path = EXAMPLES / "pushd.toml"
    config = read_config({"config": str(path)}, {})
    assert config != Config()
    named = {line.partition(" =")[0] for line in path.read_text("utf-8").splitlines()}
    assert named == _names(tap.Options()) - {"config", "store"} - _FOR_ONE_START
