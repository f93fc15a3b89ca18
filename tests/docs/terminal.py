"""Terminals in which examples are typed, and the server that they are typed against."""

import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from attrs import define, frozen

from tests.docs.pages import ROOT

SCRIPTS = Path(sys.executable).parent

_PROMPT = "---- ready, exit code"
_STARTED = re.compile(r"HTTPFactory starting on (\d+)")
_READY = "The admin token is in"

_PROGRAMS = {
    "pushctl": "pushd.pushctl.main:main",
    "pushd-server": "pushd.console:server",
    "pushd-simulate": "pushd.console:simulate",
}
"""What ``pip install`` makes; where the tests run without it, they are missing."""


def free_port() -> str:
    """A free port."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return str(found.getsockname()[1])


@frozen(kw_only=True)
class Shown:
    """What a terminal shows after something was typed into it."""

    text: str
    code: int


@define(eq=False)
class Terminal:
    """A shell that stays open, as a reader's does: what one example sets, the next one has."""

    process: "subprocess.Popen[str]"

    def type(self, text: str) -> None:
        """Type an example; what it shows is read later, so that it may wait for another terminal."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\nprintf '\\n{_PROMPT} %s\\n' $?\n")
        self.process.stdin.flush()

    def read(self) -> Shown:
        """What the oldest example that was not read yet shows, once it is done."""
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            if line.startswith(_PROMPT):
                return Shown(text="".join(lines).removesuffix("\n"), code=int(line.rsplit(maxsplit=1)[1]))
            lines.append(line)
        raise AssertionError("the terminal was closed:\n" + "".join(lines))

    def run(self, text: str) -> Shown:
        """Type an example, and read what it shows."""
        self.type(text)
        return self.read()


@define(eq=False)
class Workspace:
    """A directory, a server started there by an example, and terminals.

    Examples use the default ports of the server; here they are replaced by free ones.
    """

    home: Path
    _processes: list["subprocess.Popen[str]"]
    _ports: Mapping[str, int]

    @classmethod
    def at(cls, home: Path) -> "Workspace":
        """A workspace where nothing runs yet."""
        bin_directory = home / "bin"
        bin_directory.mkdir()
        for name, start in _PROGRAMS.items():
            module, _, function = start.partition(":")
            program = bin_directory / name
            program.write_text(f"#!{sys.executable}\nfrom {module} import {function}\n{function}()\n")
            program.chmod(0o755)
        (home / ".curlrc").write_text("no-progress-meter\n")
        return cls(home, [], {})

    def start(self, text: str) -> None:
        """Start a server as an example says, and wait until it is ready."""
        process = self._spawn(
            "bash", "-c", f"exec {text.strip()} --devices tcp:0:interface=127.0.0.1 --admin tcp:0:interface=127.0.0.1"
        )
        assert process.stdout is not None
        ports, log = [], []
        for line in process.stdout:
            log.append(line)
            ports += [int(port) for port in _STARTED.findall(line)]
            if _READY in line:
                self._ports = dict(zip(("127.0.0.1:8080", "127.0.0.1:8081"), ports, strict=True))
                return
        raise AssertionError("the server did not start:\n" + "".join(log))

    def run_beside(self, text: str, path: str = "") -> None:
        """Start a program of devices as an example says; they poll below this path, and it runs until the end."""
        server = f"http://127.0.0.1:{self._ports['127.0.0.1:8080']}{path}"
        self._spawn("bash", "-c", f"exec {text.strip()} --server {server}")

    def terminal(self) -> Terminal:
        """Open a terminal."""
        return Terminal(self._spawn("bash", stdin=subprocess.PIPE))

    def here(self, text: str) -> str:
        """An example with the ports that the server has here."""
        for usual, port in self._ports.items():
            text = text.replace(usual, f"127.0.0.1:{port}")
        return text

    def leave(self) -> None:
        """End all that was started here."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.communicate()

    def _spawn(self, *words: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            words,
            cwd=self.home,
            env=self._environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._processes.append(process)
        return process

    def _environment(self) -> dict[str, str]:
        """A reader's, with our programs on the path, and no option of pushctl but where the server is."""
        admin = self._ports.get("127.0.0.1:8081", 0)
        return {
            "PATH": f"{self.home / 'bin'}:{SCRIPTS}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONPATH": str(ROOT),
            "PUSHD_URL": f"http://127.0.0.1:{admin}",
        }
