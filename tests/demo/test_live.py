"""Tests of the demo as a process, with the real server and simulated devices."""

import json
import os
import pty
import re
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO, Any
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

from pushd.demo.layout import FORGETFUL, NEW
from pushd.demo.showcase import SITES

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, "-m", "pushd.demo", "--controlid", "1", "--servereye", "0", "--port", "0"]

_AS_FROM_A_SHELL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
if os.isatty(0):
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Runs a command that does not ignore SIGINT, with the terminal on its stdin, if it has one, as its own."""

_TIMEOUT = 60.0
"""Seconds that a demo may take to end."""


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "TERM": "xterm"}


@contextmanager
def _demo(directory: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """A demo of one device, in a process group of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", _AS_FROM_A_SHELL, *DEMO, "--data-dir", "demo", *options],
        env=_environment(),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as demo:
        try:
            yield demo
        finally:
            demo.terminate()


def _read_until(output: IO[str] | None, text: str) -> str:
    assert output is not None
    lines: list[str] = []
    for line in output:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def test_demo_succeeds_twice(tmp_path: Path) -> None:
    """With --once the exit code is 0, also for a second start in the same directory."""
    for _ in range(2):
        demo = subprocess.run(
            [*DEMO, "--once", "--data-dir", "demo"],
            env=_environment(),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert "8 commands: 7 succeeded, 1 failed; 8 as expected, 0 not" in demo.stdout


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        ("Starting the server", "No commands were sent."),
        ("Sending commands", " commands"),
        ("until Ctrl-C", ""),
    ],
)
def test_ctrl_c_ends_the_demo(tmp_path: Path, moment: str, shown: str) -> None:
    """Ctrl-C at any moment ends the demo with exit code 0 and a summary, and no program is left behind."""
    with _demo(tmp_path) as demo:
        _read_until(demo.stdout, moment)
        os.killpg(demo.pid, signal.SIGINT)
        rest, _ = demo.communicate(timeout=_TIMEOUT)
        assert demo.returncode == 0, rest
        assert shown in rest
        assert "Traceback" not in rest
        with pytest.raises(ProcessLookupError):
            os.killpg(demo.pid, 0)


def test_fleet_is_worth_looking_at(tmp_path: Path) -> None:
    """The link that is shown logs in to the dashboard, where one device waits for approval, one opening is unknown and
    one has failed.
    """
    with _demo(tmp_path, "--controlid", "2") as demo:
        shown = _read_until(demo.stdout, "Worth a look")
        ((url, invitation),) = re.findall(r"(http://\S+)/login#invite=(\S+)", shown)
        cookies = build_opener(HTTPCookieProcessor())

        def call(path: str, body: object = None) -> Any:
            data = None if body is None else json.dumps(body).encode()
            headers = {"Content-Type": "application/json"}
            with cookies.open(Request(f"{url}/v1/{path}", data, headers), timeout=_TIMEOUT) as answer:
                return json.load(answer)

        assert call("session", {"invite": invitation})["role"] == "admin"
        sites = {device["site"] for device in call("devices")["items"]}
        assert sites >= set(SITES)
        assert [device["id"] for device in call("devices?admission=pending")["items"]] == [NEW]
        assert [command["device"] for command in call("commands?state=unknown")["items"]] == [FORGETFUL]
        assert any(command["endpoint"] == "execute_actions" for command in call("commands?state=failed")["items"])


def test_ctrl_c_with_once_is_no_success(tmp_path: Path) -> None:
    """With --once, Ctrl-C before the end makes the exit code 130: the outcomes are not known."""
    with _demo(tmp_path, "--once") as demo:
        _read_until(demo.stdout, "Starting the server")
        os.killpg(demo.pid, signal.SIGINT)
        demo.communicate(timeout=_TIMEOUT)
        assert demo.returncode == 130


def test_ctrl_c_while_modules_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the first moments, while Python still loads the modules of the demo, is no error either."""

    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "pushd.demo.run", Interrupted("pushd.demo.run"))
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("pushd.demo", run_name="__main__")
    assert ended.value.code == 0


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_ctrl_c_in_a_terminal_is_no_error_of_make(tmp_path: Path) -> None:
    """In a terminal, Ctrl-C ends ``make demo`` with its table and exit code 0."""
    (tmp_path / "Makefile").write_text(f"demo:\n\t@{' '.join(DEMO)} --data-dir demo\n")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", _AS_FROM_A_SHELL, "make", "demo"]
    with subprocess.Popen(
        command,
        env=_environment(),
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as make:
        os.close(theirs)
        shown = b""
        try:
            while b"until Ctrl-C" not in shown:
                shown += os.read(ours, 4096)
            os.write(ours, b"\x03")
            assert make.wait(_TIMEOUT) == 0
        finally:
            os.close(ours)
    assert b"make_coffee" in shown
    assert b"8 as expected, 0 not" in shown
