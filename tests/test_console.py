"""Tests of the console scripts: ``twistd`` in the foreground with one of our plugins."""

import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from pushd import __version__
from pushd.demo.layout import HOST, free_ports

ENV = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": ""}
SCRIPTS = {"pushd-server": "server", "pushd-simulate": "simulate"}


def _words(script: str, *arguments: str) -> list[str]:
    start = f"import sys; sys.argv[0] = {script!r}; from pushd.console import {SCRIPTS[script]} as run; run()"
    return [sys.executable, "-c", start, *arguments]


def _run(script: str, cwd: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        _words(script, *arguments), cwd=cwd, env=ENV, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_version(script: str, tmp_path: Path) -> None:
    """Both programs show the version of pushd, without the name of a plugin."""
    done = _run(script, tmp_path, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"pushd {__version__}, Twisted ")


@pytest.mark.parametrize("script", SCRIPTS)
def test_usage_names_the_script(script: str, tmp_path: Path) -> None:
    """The help begins with the name under which the program is called."""
    assert _run(script, tmp_path, "--help").stdout.startswith(f"Usage: {script} [options]")


@pytest.mark.parametrize("script", SCRIPTS)
def test_wrong_option_is_one_line(script: str, tmp_path: Path) -> None:
    """A wrong option ends either program with exit code 1 and one line."""
    done = _run(script, tmp_path, "--nonsense")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "--nonsense" in done.stderr


@pytest.mark.slow(seconds=5)
def test_server_stays_in_the_foreground(tmp_path: Path) -> None:
    """The server logs to stdout, writes no file but its data directory, and ends with 0 at SIGTERM."""
    devices, admin = free_ports(0, 0)
    words = _words(
        "pushd-server", f"--devices=tcp:{devices}:interface={HOST}", f"--admin=tcp:{admin}:interface={HOST}"
    )
    with subprocess.Popen(words, cwd=tmp_path, env=ENV, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            assert any("polls can be held at once" in line for line in server.stdout)
            with urlopen(f"http://{HOST}:{admin}/healthz", timeout=30) as response:
                assert response.status == 200
        finally:
            server.terminate()
            server.stdout.read()
    assert server.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["pushd-data"]
