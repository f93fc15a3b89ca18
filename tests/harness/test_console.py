"""Tests of the options of the harness programs."""

import shutil
from argparse import Namespace
from collections.abc import Callable
from importlib import import_module

import pytest

from tests.harness.config import HarnessConfig

HARNESSES = {"alerting": "--offline", "crash": "--kills", "soak": "--minutes"}
"""Each harness, and an option that only it has."""

Parse = Callable[[list[str]], Namespace]


def program(harness: str) -> tuple[Parse, Callable[[Namespace], HarnessConfig]]:
    """What parses the options of a harness, and what makes a configuration of them."""
    module = import_module(f"tests.{harness}.__main__")
    return module.parse_options, module.make_config


@pytest.mark.parametrize(("harness", "option"), HARNESSES.items())
def test_help(harness: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The help names the program, its exit status, its own options, and those that every harness has."""
    parse, _ = program(harness)
    with pytest.raises(SystemExit, match="0"):
        parse(["--help"])
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: python -m tests.{harness} ")
    assert "promise" in shown
    own, common = shown.partition("\noptions:")[2].split("\noptions of every harness:")
    assert option in own
    assert all(each in common for each in ("--devices", "--seed", "--plant", "--keep-dir"))


@pytest.mark.parametrize("harness", HARNESSES)
def test_config(harness: str) -> None:
    """Each run has the options that were given, a new directory, and ports of its own."""
    parse, make_config = program(harness)
    config = make_config(parse(["--devices=20", "--seed=7"]))
    try:
        assert (config.devices, config.seed, config.plant) == (20, 7, None)
        assert config.directory.name.startswith(f"pushd-{harness}-")
        assert len({config.devices_port, config.admin_port, config.smtp_port}) == 3
    finally:
        shutil.rmtree(config.directory)


@pytest.mark.parametrize("harness", HARNESSES)
@pytest.mark.parametrize(("value", "problem"), [("1", "must be at least 2"), ("many", "invalid int value: 'many'")])
def test_bad_number(harness: str, value: str, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A number that is too small, or none, is refused with the reason."""
    parse, _ = program(harness)
    with pytest.raises(SystemExit):
        parse([f"--devices={value}"])
    assert f"argument --devices: {problem}" in capsys.readouterr().err
