"""Tests of ``pushctl`` and the demo against the real server and simulated devices, over real sockets."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from pushd.demo.layout import HOST, free_ports
from pushd.demo.processes import twistd

HOME = Path(__file__).parents[2]
READER = "controlid:4408801109440198"
CONTAINER = "servereye:6f1c2d3e"

_PUSHCTL = [sys.executable, "-c", "from pushd.pushctl.main import main; main()"]
_PATIENCE = 20.0
"""Seconds in which a call of these tests should be over."""

_LOOKS = 100
_PAUSE = 0.1
"""How often, and after how many seconds, to look again at what takes its time."""


@frozen
class World:
    """A running server with two devices that wait for approval."""

    server: "subprocess.Popen[Any]"
    url: str
    data_dir: Path

    @property
    def environment(self) -> dict[str, str]:
        """What tells ``pushctl`` where the server is."""
        return {**_environment(), "PUSHD_URL": self.url, "PUSHD_DATA_DIR": str(self.data_dir)}

    def pushctl(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Call the program as an operator does."""
        return subprocess.run(
            [*_PUSHCTL, *words],
            env=self.environment,
            cwd=self.data_dir,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )

    def until(self, seen: Callable[[], bool]) -> None:
        """Look again and again until something is seen; fail if it does not come, or the server ends."""
        for _ in range(_LOOKS):
            if seen():
                return
            try:
                self.server.wait(_PAUSE)
            except subprocess.TimeoutExpired:
                continue
            break
        raise AssertionError((self.data_dir / "server.log").read_text())


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HOME)}


@contextmanager
def _ending(process: "subprocess.Popen[Any]") -> Iterator["subprocess.Popen[Any]"]:
    with process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def _running(log: Path, words: Sequence[str]) -> Iterator["subprocess.Popen[Any]"]:
    command = [twistd(), "--nodaemon", "--pidfile=", *words]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=_environment(), cwd=log.parent, stdout=output, stderr=output)
        with _ending(process):
            yield process


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server on ports of its own, and one device of each dialect."""
    place = tmp_path_factory.mktemp("world")
    devices, admin = free_ports(0, 0)
    ports = [f"--devices=tcp:{devices}:interface={HOST}", f"--admin=tcp:{admin}:interface={HOST}"]
    ids = [word for device in (READER, CONTAINER) for word in ("--id", device.replace(":", "="))]
    with ExitStack() as running:
        server = running.enter_context(_running(place / "server.log", ["pushd", f"--data-dir={place}", *ports]))
        world = World(server, f"http://{HOST}:{admin}", place)
        world.until(lambda: world.pushctl("devices").returncode == 0)
        simulate = ["pushd-simulate", f"--server=http://{HOST}:{devices}", *ids]
        running.enter_context(_running(place / "simulator.log", simulate))
        world.until(lambda: _ids(world.pushctl("devices", "--json").stdout) == {READER, CONTAINER})
        assert world.pushctl("approve", READER, CONTAINER).returncode == 0
        yield world


@contextmanager
def _watching(world: World, *words: str) -> Iterator["subprocess.Popen[Any]"]:
    watch = subprocess.Popen(
        [*_PUSHCTL, "watch", "--after", "0", *words],
        env=world.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with _ending(watch):
        yield watch


def _ids(text: str) -> set[str]:
    return {device["id"] for device in json.loads(text or "[]")}


def _sent(result: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    command: dict[str, Any] = json.loads(result.stdout)
    return command


def test_devices_are_listed(world: World) -> None:
    """The devices that have polled are there, and marked as proving nothing."""
    result = world.pushctl("devices", "--admission", "approved")
    assert (result.returncode, len(result.stdout.splitlines())) == (0, 3)
    assert result.stdout.count("no proof") == 2
    assert world.pushctl("devices", "--dialect", "servereye", "--json").stdout.startswith(f'[{{"id":"{CONTAINER}"')


def test_reader_does_as_it_is_told(world: World) -> None:
    """A user that is created on a reader is there afterwards."""
    user = '{"object": "users", "values": [{"id": 9007199254740993, "name": "Zoë"}]}'
    assert world.pushctl("send", READER, "create_objects", user, "--wait", "10").returncode == 0
    result = world.pushctl("send", READER, "load_objects", '{"object": "users"}', "--json", "--wait", "10")
    assert result.returncode == 0
    assert _sent(result)["result"]["response"]["users"][0]["id"] == 9007199254740993


def test_container_does_as_it_is_told(world: World) -> None:
    """Data reaches a container unchanged, and what it says comes back."""
    words = ["send", CONTAINER, "REMOTE_ACTION", '{"action": "echo", "n": 1}', "--json", "--wait", "10"]
    result = world.pushctl(*words)
    assert result.returncode == 0
    assert _sent(result)["result"]["data"] == {"action": "echo", "n": 1}


def test_failure_has_its_exit_code(world: World) -> None:
    """A device that reports failure makes the exit code 3, and its words are shown."""
    result = world.pushctl("send", CONTAINER, "REMOTE_ACTION", "--data", '{"fail": "no paper"}', "--wait", "10")
    assert result.returncode == 3
    assert "no paper" in result.stdout


def test_command_that_waits_can_be_cancelled(world: World) -> None:
    """A command that is not due is still open when the wait ends; cancelled, it has another exit code."""
    later = ["--not-before", "2100-01-01T00:00:00Z"]
    result = world.pushctl("send", READER, "load_objects", *later, "--wait", "0.5", "--json")
    assert result.returncode == 7
    command = _sent(result)["id"]
    assert world.pushctl("cancel", command).returncode == 0
    assert world.pushctl("show", command, "--wait").returncode == 6


def test_refusals_are_one_line(world: World) -> None:
    """What the server refuses is one line that points at the field, or names what is not there."""
    result = world.pushctl("send", READER, "load_objects.fcgi")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("pushctl: refused (422): #/payload/endpoint ")
    result = world.pushctl("send", "controlid:1", "load_objects")
    assert result.stderr.startswith("pushctl: refused (404): ")


def test_alerts_are_asked_for(world: World) -> None:
    """Where nobody is silent there are no alerts, and none can be acknowledged."""
    assert world.pushctl("alerts", "--all", "--json").stdout == "[]\n"
    result = world.pushctl("acknowledge", "1")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("pushctl: 1: refused (404): No alert 1 is known")


def test_same_key_sends_once(world: World) -> None:
    """The same call with the same key gives the command that there is already."""
    words = ["send", READER, "get_configuration", "--idempotency-key", "once", "--json"]
    first, second = _sent(world.pushctl(*words)), _sent(world.pushctl(*words))
    assert first["id"] == second["id"]


def test_watch_shows_what_happens_and_ends_cleanly(world: World) -> None:
    """Whoever watches sees what is sent meanwhile; a signal such as that of Ctrl-C ends it with exit code 0."""
    with _watching(world, "--json", "--device", READER) as watch:
        events = map(json.loads, watch.stdout or ())
        assert next(events)["device"] == READER
        command = _sent(world.pushctl("send", READER, "load_objects", '{"object": "users"}', "--json"))["id"]
        seen = [event["type"] for event in _until_success(events, command)]
        watch.send_signal(signal.SIGTERM)  # SIGINT is ignored where the tests run in the background
        assert watch.wait(_PATIENCE) == 0
    assert seen == ["command.queued", "command.sent", "command.succeeded"]


def test_watch_ends_when_nobody_reads_it(world: World) -> None:
    """In a pipe whose reader has seen enough, the watch ends without a complaint."""
    with _watching(world) as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        assert "device.pending" in watch.stdout.readline()
        watch.stdout.close()
        assert world.pushctl("send", READER, "load_objects", '{"object": "users"}', "--wait", "10").returncode == 0
        assert watch.wait(_PATIENCE) == 1
        assert watch.stderr.read() == ""


def _until_success(events: Iterator[dict[str, Any]], command: str) -> Iterator[dict[str, Any]]:
    for event in events:
        if event["command"] == command:
            yield event
            if event["type"] == "command.succeeded":
                return


def test_demo_goes_well_twice(tmp_path: Path) -> None:
    """The demo ends with exit code 0, and so does a second one in the same directory, which has forgotten nothing."""
    words = "--once --controlid 1 --servereye 0 --devices-port 0 --admin-port 0".split()
    command = [sys.executable, "-m", "pushd.demo", *words, "--data-dir", str(tmp_path / "demo")]
    for _ in range(2):
        demo = subprocess.run(
            command, env=_environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert "8 commands: 7 succeeded, 1 failed; 8 as expected, 0 not" in demo.stdout
