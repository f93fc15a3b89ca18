"""Every command of ``pushctl``, when the server cannot answer it."""

import re
import shlex
from pathlib import Path

import pytest

from pushd.pushctl.exit_codes import ExitCode
from tests.pushctl.fake_server import Answer, FakeServer, Pushctl
from tests.pushctl.walk import all_commands

LOCAL = {"after-restore", "completion", "logout", "migrate", "profiles"}
"""Commands that ask no server."""

DIAGNOSING = {"doctor"}
"""Commands whose result is what is wrong; they have tests of their own."""

ASKING = sorted({name for name, _ in all_commands()} - LOCAL - DIAGNOSING)

FILES = {"devices.csv": "id,name\ncontrolid:1,Front door\n"}
"""The files that examples name."""

UNAUTHENTICATED = {"title": "Unauthorized", "detail": "A valid token is required."}


def _example(name: str) -> list[str]:
    """The first example in the help of a command, as arguments: a call that must be right."""
    epilog = str(dict(all_commands())[name].epilog).replace("\\\n", " ")
    line = re.search(rf"^  pushctl ({name}\b.*)", epilog, re.MULTILINE)
    assert line is not None, "no example"
    words = shlex.split(line[1])
    ends = [index for index, word in enumerate(words) if word in _SHELL]
    return words[: min(ends, default=len(words))]


_SHELL = ("<", ">", "|", "||", "&&", ";")
"""What follows one of these is not an argument."""


def _fail(server: FakeServer, pushctl: Pushctl, name: str, answer: Answer) -> str:
    """Call a command that the server answers so; returns what it says on stderr."""
    server.otherwise = answer
    pushctl.interrupt_after = 600
    result = pushctl(*_example(name), stdin="a-token\n")
    assert server.received, "asked no server"
    assert result.exit_code in set(ExitCode) - {ExitCode.SUCCEEDED, ExitCode.MISUSED}, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stdout == ""
    return result.stderr


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No profiles of the user who runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)


@pytest.mark.parametrize("name", ASKING)
def test_unreachable_server(server: FakeServer, pushctl: Pushctl, name: str) -> None:
    """A server that closes the connection is named."""
    assert re.search(r"[\w.]+:\d+ closed the connection", _fail(server, pushctl, name, Answer(cut=True)))


@pytest.mark.parametrize("name", ASKING)
def test_wrong_token(server: FakeServer, pushctl: Pushctl, name: str) -> None:
    """A refused token is said to be one."""
    said = _fail(server, pushctl, name, Answer(status=401, body=UNAUTHENTICATED))
    assert "refused (401): A valid token is required." in said


@pytest.mark.parametrize("name", ASKING)
def test_device_port(server: FakeServer, pushctl: Pushctl, name: str) -> None:
    """The device port, which answers 404 to everything that is not of a device, is recognised."""
    said = _fail(server, pushctl, name, Answer(status=404, body=b""))
    assert "is not the admin port of pushd" in said
    assert "--url" in said
