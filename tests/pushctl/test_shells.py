"""Tests of completion in bash, in the form in which the shell asks for it."""

from collections.abc import Callable

import pytest

from pushd.pushctl.main import cli
from pushd.pushctl.shells import Bash
from tests.pushctl.fake_server import DEVICE, Answer, FakeServer, Pushctl

Complete = Callable[..., list[str]]

_BREAKS = " \t\n\"'><=;|&(:"
"""Where bash breaks words, unless the user has changed that."""


@pytest.fixture
def complete(server: FakeServer, pushctl: Pushctl, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """Completes a line in bash; gives what the shell puts after its last break."""
    server.on("GET /v1/devices", Answer(body={"items": [DEVICE, {**DEVICE, "id": "servereye:4"}], "next": None}))
    monkeypatch.setenv("PUSHD_TOKEN", "mine")

    def complete(line: str, breaks: str = _BREAKS) -> list[str]:
        monkeypatch.setenv("COMP_LINE", line)
        monkeypatch.setenv("COMP_WORDBREAKS", breaks)
        shell = Bash(cli, {"obj": pushctl.run}, "pushctl", "_PUSHCTL_COMPLETE")
        return shell.complete().splitlines()

    return complete


def test_id_with_a_colon(complete: Complete) -> None:
    """Behind a colon, bash keeps what stands before it: only the rest is a candidate."""
    assert complete("pushctl approve controlid:44") == ["plain,4408801109440198"]
    assert complete("pushctl watch --device=controlid:44") == ["plain,4408801109440198"]
    assert complete("pushctl approve servereye:") == ["plain,4"]


def test_id_before_a_colon(complete: Complete) -> None:
    """Without a colon in the word, the whole id is a candidate."""
    assert complete("pushctl approve ") == ["plain,controlid:4408801109440198", "plain,servereye:4"]
    assert complete("pushctl approve c") == ["plain,controlid:4408801109440198"]


def test_shell_that_does_not_break_at_colons(complete: Complete) -> None:
    """Where the user has taken the colon out of the breaks, the whole id is a candidate."""
    assert complete("pushctl approve controlid:44", " \t\n") == ["plain,controlid:4408801109440198"]


def test_commands(complete: Complete) -> None:
    """Commands are completed before their last letter and without any."""
    assert complete("pushctl app") == ["plain,approve"]
    assert "plain,status" in complete("pushctl ")


def test_open_quote(complete: Complete) -> None:
    """A quote that is still open does not disturb."""
    assert complete("pushctl approve 'c") == ["plain,controlid:4408801109440198"]
