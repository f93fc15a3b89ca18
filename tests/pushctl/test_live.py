"""Tests of ``pushctl`` as a process, with the real server and simulated devices."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from pushd.demo.layout import HOST, free_ports
from pushd.demo.processes import twistd
from tests.programs import needs_program

pytestmark = pytest.mark.slow

HOME = Path(__file__).parents[2]
READER = "controlid:4408801109440198"
CONTAINER = "servereye:6f1c2d3e"

_PUSHCTL = [sys.executable, "-c", "from pushd.pushctl.main import main; main()"]
_TIMEOUT = 60.0
"""Seconds that a call of these tests may take."""

_TRIES = 600
_INTERVAL = 0.1
"""How often, and after how many seconds, a condition is checked again."""


@frozen
class Setup:
    """A running server with two approved devices."""

    server: "subprocess.Popen[Any]"
    url: str
    devices: int
    """The number of the device port."""
    data_dir: Path

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with the server's address."""
        return {**_environment(), "PUSHD_URL": self.url, "PUSHD_DATA_DIR": str(self.data_dir)}

    def pushctl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Call the program as an operator does."""
        return subprocess.run(
            [*_PUSHCTL, *arguments],
            env=self.environment,
            cwd=self.data_dir,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )

    def terminal(self, width: int, *arguments: str, code: int = 0) -> str:
        """Call the program in a terminal of this width; returns what the terminal shows."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        environment = {**self.environment, "TERM": "xterm"}
        environment.pop("COLUMNS", None)
        with subprocess.Popen(
            [*_PUSHCTL, *arguments], env=environment, cwd=self.data_dir, stdin=theirs, stdout=theirs, stderr=theirs
        ) as process:
            os.close(theirs)
            shown = b"".join(iter(lambda: _read_terminal(ours), b""))
            os.close(ours)
            assert process.wait(_TIMEOUT) == code
        return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Check a condition until it is true; fail if it does not become true, or the server ends."""
        for _ in range(_TRIES):
            if condition():
                return
            try:
                self.server.wait(_INTERVAL)
            except subprocess.TimeoutExpired:
                continue
            break
        raise AssertionError((self.data_dir / "server.log").read_text())


def _read_terminal(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # Linux: the other side was closed
        return b""


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HOME)}


@contextmanager
def _terminating(process: "subprocess.Popen[Any]") -> Iterator["subprocess.Popen[Any]"]:
    with process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def _running(log: Path, arguments: Sequence[str]) -> Iterator["subprocess.Popen[Any]"]:
    command = [twistd(), "--nodaemon", "--pidfile=", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=_environment(), cwd=log.parent, stdout=output, stderr=output)
        with _terminating(process):
            yield process


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """A server on free ports, and one device of each dialect."""
    directory = tmp_path_factory.mktemp("setup")
    devices, admin = free_ports(0, 0)
    ports = [f"--devices=tcp:{devices}:interface={HOST}", f"--admin=tcp:{admin}:interface={HOST}"]
    ids = [argument for device in (READER, CONTAINER) for argument in ("--id", device.replace(":", "="))]
    with ExitStack() as running:
        server = running.enter_context(
            _running(directory / "server.log", ["pushd", f"--data-dir={directory}", *ports])
        )
        setup = Setup(server, f"http://{HOST}:{admin}", devices, directory)
        setup.wait_until(lambda: setup.pushctl("devices").returncode == 0)
        simulate = ["pushd-simulate", f"--server=http://{HOST}:{devices}", *ids]
        running.enter_context(_running(directory / "simulator.log", simulate))
        setup.wait_until(lambda: _ids(setup.pushctl("devices", "--json").stdout) == {READER, CONTAINER})
        assert setup.pushctl("approve", READER, CONTAINER).returncode == 0
        yield setup


@contextmanager
def _watching(setup: Setup, *options: str) -> Iterator["subprocess.Popen[Any]"]:
    watch = subprocess.Popen(
        [*_PUSHCTL, "watch", "--after", "0", *options],
        env=setup.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with _terminating(watch):
        yield watch


def _ids(text: str) -> set[str]:
    return {device["id"] for device in json.loads(text or "[]")}


def _sent(result: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    command: dict[str, Any] = json.loads(result.stdout)
    return command


@pytest.mark.parametrize(("typed", "code"), [(b"n\n", 130), (b"\x03", 130), (b"y\n", 1)])
def test_questions(setup: Setup, typed: bytes, code: int) -> None:
    """In a terminal a device is deleted only after "y"; Ctrl-C ends the question at once."""
    ours, theirs = pty.openpty()
    command = [*_PUSHCTL, "devices", "forget", "servereye:none"]
    with subprocess.Popen(
        command,
        env={**setup.environment, "TERM": "xterm"},
        cwd=setup.data_dir,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C is a signal
    ) as process:
        os.close(theirs)
        said = b""
        while b"[y/N]:" not in said:
            said += _read_terminal(ours)
        os.write(ours, typed)
        said += b"".join(iter(lambda: _read_terminal(ours), b""))
        os.close(ours)
        assert process.wait(_TIMEOUT) == code
    assert (b"servereye:none is unknown" in said) == (code == 1)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_terminal_has_whole_lines(setup: Setup, width: int) -> None:
    """In a terminal of any width no line is too long and no id is broken, and a wide one shows all columns."""
    lines = setup.terminal(width, "devices").splitlines()
    assert max(map(len, lines)) <= width
    assert READER in lines[1].split()
    assert ("authentication" in lines[0]) == (width == 200)


@pytest.mark.parametrize("command", [["doctor"], ["rejections"]])
def test_diagnosis_fits_80_columns(setup: Setup, command: list[str]) -> None:
    """In a terminal of 80 columns no line of what was found, or refused, is too long."""
    with closing(HTTPConnection(HOST, setup.devices, timeout=_TIMEOUT)) as connection:
        connection.request("GET", "/a/long/prefix/that/is/not/served/push")
        assert connection.getresponse().status == 404
    lines = setup.terminal(80, *command, code=8 if command == ["doctor"] else 0).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("wrong_base" in line for line in lines)


def test_devices_are_listed(setup: Setup) -> None:
    """The devices that have polled are listed, and marked as unauthenticated."""
    result = setup.pushctl("devices", "--admission", "approved")
    assert (result.returncode, len(result.stdout.splitlines())) == (0, 3)
    assert result.stdout.count("unauthenticated") == 2
    assert setup.pushctl("devices", "--dialect", "servereye", "--json").stdout.startswith(f'[{{"id":"{CONTAINER}"')


def test_command_for_controlid(setup: Setup) -> None:
    """A user that is created on a reader is in its list of users afterwards."""
    user = '{"object": "users", "values": [{"id": 9007199254740993, "name": "Zoë"}]}'
    assert setup.pushctl("send", READER, "create_objects", user, "--wait", "10").returncode == 0
    result = setup.pushctl("send", READER, "load_objects", '{"object": "users"}', "--json", "--wait", "10")
    assert result.returncode == 0
    assert json.loads(_sent(result)["result"]["response"])["users"][0]["id"] == 9007199254740993


ACTION = ["--message", "test|run|{}"]


def test_command_for_servereye(setup: Setup) -> None:
    """Data reaches a container unchanged, and its result comes back."""
    echo = '{"action": "echo", "n": 1}'
    result = setup.pushctl("send", CONTAINER, "REMOTE_ACTION", echo, *ACTION, "--json", "--wait", "10")
    assert result.returncode == 0
    assert _sent(result)["result"]["data"] == {"action": "echo", "n": 1}


def test_failed_command(setup: Setup) -> None:
    """If the device reports a failure, the exit code is 3, and its message is shown."""
    action = ["--message", 'test|run|{"fail": "no paper"}']
    result = setup.pushctl("send", CONTAINER, "REMOTE_ACTION", *action, "--wait", "10")
    assert result.returncode == 3
    assert "no paper" in result.stdout


def test_queued_command_can_be_cancelled(setup: Setup) -> None:
    """A command that is not due yet is open when the wait ends: exit code 7; once cancelled: exit code 6."""
    later = ["--not-before", "2100-01-01T00:00:00Z"]
    result = setup.pushctl("send", READER, "load_objects", *later, "--wait", "0.5", "--json")
    assert result.returncode == 7
    command = _sent(result)["id"]
    assert setup.pushctl("cancel", command).returncode == 0
    assert setup.pushctl("show", command, "--wait").returncode == 6


def test_errors_are_one_line(setup: Setup) -> None:
    """An error of the server is one line that names the invalid field, or what does not exist."""
    result = setup.pushctl("send", READER, "/.fcgi")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("pushctl: refused (422): #/payload/endpoint ")
    result = setup.pushctl("send", "controlid:1", "load_objects")
    assert result.stderr.startswith("pushctl: refused (404): ")


def test_no_alerts(setup: Setup) -> None:
    """While all devices are online there are no alerts, and none can be acknowledged."""
    assert setup.pushctl("alerts", "--all", "--json").stdout == "[]\n"
    result = setup.pushctl("acknowledge", "1")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("pushctl: 1: refused (404): No alert 1 is known")


def test_idempotency_key(setup: Setup) -> None:
    """The same call with the same key returns the first command."""
    call = ["send", READER, "get_configuration", "--idempotency-key", "once", "--json"]
    first, second = _sent(setup.pushctl(*call)), _sent(setup.pushctl(*call))
    assert first["id"] == second["id"]


def test_watch_shows_events_until_a_signal(setup: Setup) -> None:
    """Events are shown as they happen; a signal ends the program with exit code 0."""
    with _watching(setup, "--json", "--device", READER) as watch:
        events = map(json.loads, watch.stdout or ())
        assert next(events)["device"] == READER
        command = _sent(setup.pushctl("send", READER, "load_objects", '{"object": "users"}', "--json"))["id"]
        seen = [event["type"] for event in _until_success(events, command)]
        watch.send_signal(signal.SIGTERM)  # SIGINT is ignored where the tests run in the background
        assert watch.wait(_TIMEOUT) == 0
    assert seen == ["command.queued", "command.sent", "command.succeeded"]


def test_watch_in_a_closed_pipe(setup: Setup) -> None:
    """When the reader of its output exits, watch ends without an error message."""
    with _watching(setup) as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        assert "device.pending" in watch.stdout.readline()
        watch.stdout.close()
        assert setup.pushctl("send", READER, "load_objects", '{"object": "users"}', "--wait", "10").returncode == 0
        assert watch.wait(_TIMEOUT) == 0
        assert watch.stderr.read() == ""


def _until_success(events: Iterator[dict[str, Any]], command: str) -> Iterator[dict[str, Any]]:
    for event in events:
        if event["command"] == command:
            yield event
            if event["type"] == "command.succeeded":
                return


def test_webhooks(setup: Setup) -> None:
    """A webhook is added, shown without its secret parts, tested through the SSRF guard, changed and deleted."""
    url = "http://localhost:9/services/T0/B0/Xy9z"
    added = setup.pushctl("webhooks", "add", url, "--type", "webhook.failed")
    webhook = added.stdout.split()[0]
    (listed,) = json.loads(setup.pushctl("webhooks", "--json").stdout)
    assert (listed["id"], listed["url"]) == (webhook, "http://localhost:9/***Xy9z")
    tested = setup.pushctl("webhooks", "test", webhook)
    assert tested.returncode == 1
    assert "--webhook-allow can permit it" in tested.stdout
    assert setup.pushctl("webhooks", "set", webhook, "--format", "ntfy", "--all", "types").returncode == 0
    changed = json.loads(setup.pushctl("webhooks", "show", webhook, "--json").stdout)
    assert (changed["url"], changed["format"], changed["types"]) == (url, "ntfy", [])
    assert setup.pushctl("webhooks", "redeliver", webhook).returncode == 0
    assert setup.pushctl("webhooks", "deliveries", webhook, "--json").returncode == 0
    assert setup.pushctl("webhooks", "secret", webhook).stdout.startswith("secret whsec_")
    assert setup.pushctl("webhooks", "delete", webhook).stdout == f"{webhook} deleted\n"
    assert "No mails are configured" in setup.pushctl("mail", "test").stderr


_BASH = """
source <(pushctl completion bash)
COMP_LINE='pushctl approve controlid:' COMP_WORDBREAKS=' :'
COMP_POINT=${#COMP_LINE}
_pushctl_completion pushctl
echo "controlid:${COMPREPLY[*]}"
"""

_ZSH = """
compdef() { : }
compadd() { print -rl -- $completions }
_describe() { print -rl -- $completions_with_descriptions }
eval "$(pushctl completion zsh)"
words=(pushctl approve c) CURRENT=3
_pushctl_completion
"""

_FISH = """
pushctl completion fish | source
complete --do-complete 'pushctl approve c'
"""


@pytest.mark.parametrize(
    ("shell", "script", "shown"),
    [
        ("bash", _BASH, READER),
        ("zsh", _ZSH, READER.replace(":", "\\:") + ":online"),
        ("fish", _FISH, f"{READER}\tonline"),
    ],
)
def test_completion(setup: Setup, tmp_path: Path, shell: str, script: str, shown: str) -> None:
    """Each shell completes the id of a device with the script that pushctl prints for it."""
    needs_program(shell)
    program = tmp_path / "pushctl"
    program.write_text(f"#!{sys.executable}\nfrom pushd.pushctl.main import main\nmain()\n")
    program.chmod(0o755)
    environment = {**setup.environment, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        [shell, "-c", script], env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (shown, "")


def test_login_shows_no_token(setup: Setup, tmp_path: Path) -> None:
    """The token that is typed at the prompt is not shown; afterwards no option and no variable is needed."""
    token = (setup.data_dir / "admin.token").read_text().strip()
    environment = {name: value for name, value in _environment().items() if not name.startswith("PUSHD_")}
    environment |= {"XDG_CONFIG_HOME": str(tmp_path), "TERM": "dumb"}
    ours, theirs = pty.openpty()
    login = subprocess.Popen(
        [*_PUSHCTL, "login", setup.url], env=environment, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while b"Token for" not in shown:
        shown += _read_terminal(ours)
    os.write(ours, f"{token}\n".encode())
    shown += b"".join(iter(lambda: _read_terminal(ours), b""))
    os.close(ours)
    assert login.wait(_TIMEOUT) == 0, shown
    assert token.encode() not in shown
    assert b"is saved as profile default" in shown
    listed = subprocess.run(
        [*_PUSHCTL, "devices", "--json"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert _ids(listed.stdout) == {READER, CONTAINER}, listed.stderr


@pytest.mark.parametrize("width", [60, 80, 200])
def test_commands_fit(setup: Setup, width: int) -> None:
    """In a terminal of any width the list of commands has their ids and endpoints, and no line is too long."""
    command = _sent(setup.pushctl("send", READER, "load_objects", '{"object": "users"}', "--json"))["id"]
    lines = setup.terminal(width, "commands", "--device", READER).splitlines()
    assert max(map(len, lines)) <= width
    assert any(command in line for line in lines)
    assert any("load_objects" in line for line in lines)


def test_status(setup: Setup) -> None:
    """The state of a real server is one screen; the simulated devices are online."""
    shown = json.loads(setup.pushctl("status", "--json").stdout)
    assert (shown["ready"], shown["offline"], shown["pending"]) == (True, [], [])
    assert shown["info"]["counts"]["online"] == 2
    result = setup.pushctl("status")
    assert result.returncode in (0, 8)
    assert "2 of 2 devices online" in result.stdout
