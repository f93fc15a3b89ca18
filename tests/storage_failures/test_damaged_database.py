"""Tests of a database of which pages are damaged."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from pushd.fsck import inspect
from pushd.model.command import Command
from pushd.model.errors import StoreRefused, Unavailable
from pushd.store.filters import CommandFilter, DeviceFilter, EventFilter
from pushd.store.sqlite.store import SqliteStore
from tests.integration.conftest import MakeServer
from tests.integration.server import ROOT, Server, environment
from tests.results import result_of
from tests.store.clock import new_store, when
from tests.store.samples import LIMIT, OTHER_READER, READER, StubResult, at, device, draft

pytestmark = pytest.mark.slow

PAGE = 4096
DAMAGE = {"garbage": b"\xa5" * PAGE, "zeros": bytes(PAGE)}
"""The contents of a damaged page."""

ALL = 1000
LOAD = {"endpoint": "load_objects"}


def fill(store: SqliteStore) -> dict[str, Command]:
    """Store rows of each kind; returns the commands."""
    when(store, at()).open()
    for name in (READER, OTHER_READER):
        result_of(when(store, at()).add_device(device(name), False))
    for number in range(1, 25):
        payload = LOAD | {"body": "x" * number * 100}
        result_of(when(store, at()).put(draft((READER, OTHER_READER)[number % 2], payload), False, LIMIT))
    for number in range(8):
        result_of(when(store, at(1)).claim(READER, f"u{number}", True, 1))
    for uuid in ("u1", "u2", "foreign", "other"):
        result_of(when(store, at(2)).settle(READER, StubResult(uuid=uuid, raw=b"x" * 3000)))
    commands = {
        one.id: result_of(store.command(one.id)) for one in result_of(store.commands(CommandFilter(), None, ALL))
    }
    result_of(store.close())
    return commands


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Command]]:
    """An undamaged database, and its commands."""
    path = tmp_path_factory.mktemp("sound") / "pushd.sqlite"
    return path, fill(new_store(str(path)))


@pytest.fixture(params=list(DAMAGE))
def damaged(request: pytest.FixtureRequest, tmp_path: Path, sound: tuple[Path, Any]) -> Iterator[Path]:
    """Copies of the database, in each of which another page is damaged."""
    return _damaged(sound[0], tmp_path, DAMAGE[request.param])


def _damaged(source: Path, folder: Path, lost: bytes) -> Iterator[Path]:
    for page in range(source.stat().st_size // PAGE):
        path = folder / f"page-{page}.sqlite"
        copyfile(source, path)
        with path.open("r+b") as file:
            file.seek(page * PAGE)
            file.write(lost)
        yield path


def answer(operation: Callable[[], Deferred[Any]]) -> Any:
    """The result of an operation, or None if it fails with :exc:`Unavailable`."""
    try:
        return result_of(operation())
    except Unavailable:
        return None


def test_fsck_finds_any_damaged_page(damaged: Iterator[Path]) -> None:
    """Fsck reports violations, or that the file is no database."""
    for path in damaged:
        assert violations(path), path


def violations(path: Path) -> object:
    """What fsck finds, or whether its refusal names the file."""
    try:
        return inspect(str(path))
    except StoreRefused as refusal:
        return str(path) in str(refusal)


def test_no_operation_returns_wrong_data_whichever_page_is_damaged(
    damaged: Iterator[Path], sound: tuple[Path, dict[str, Command]]
) -> None:
    """A damaged database is refused at the start, or each operation returns what was stored, or :exc:`Unavailable`."""
    served = 0
    for path in damaged:
        store = new_store(str(path))
        if not opens(store):
            continue
        served += 1
        for name, command in sound[1].items():
            assert answer(partial(store.command, name)) in (None, command)
        _use(store)
        result_of(store.close())
    assert served


def opens(store: SqliteStore) -> bool:
    """Whether the store opens; if it refuses, the error names the file."""
    try:
        when(store, at(3)).open()
    except StoreRefused as refusal:
        return store.path not in str(refusal)
    return True


def _use(store: SqliteStore) -> None:
    """Call each operation once: none may fail in another way than :func:`answer` allows."""
    answer(lambda: store.commands(CommandFilter(), None, ALL))
    answer(lambda: store.devices(DeviceFilter(), None, ALL))
    answer(lambda: store.events(EventFilter(), 0, ALL))
    answer(lambda: store.orphans(READER, None, ALL))
    answer(lambda: when(store, at(4)).put(draft(), False, LIMIT))
    answer(lambda: when(store, at(4)).claim(READER, "new", True, 1))
    answer(lambda: when(store, at(5)).settle(READER, StubResult(uuid="u5")))
    answer(lambda: when(store, at(5)).settle(READER, StubResult()))
    answer(lambda: when(store, at(100)).lapse(ALL))
    answer(lambda: when(store, at(1000)).expire(ALL))
    answer(lambda: when(store, at(1000)).fsck())


def damage(path: Path, first: int, last: int | None = None) -> None:
    """Overwrite pages of a database, from ``first`` to ``last``, counted from 0; None: to the end."""
    content = bytearray(path.read_bytes())
    end = len(content) if last is None else (last + 1) * PAGE
    content[first * PAGE : end] = b"\xa5" * (end - first * PAGE)
    path.write_bytes(content)


def event_page(server: Server) -> int:
    """The page, counted from 0, where the table of events begins."""
    store = new_store(str(server.data_dir / "pushd.sqlite"))
    store.open()
    connection = store._writer.connection.connection  # type: ignore[attr-defined]
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'event'").fetchone()
    result_of(store.close())
    return int(page) - 1


def fsck(path: Path) -> int:
    """The exit code of fsck."""
    command = [sys.executable, "-m", "pushd.fsck", str(path)]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, check=False).returncode


@pytest.fixture
def stopped(make_server: MakeServer) -> Server:
    """A stopped server, with one command in its database."""
    server = make_server("--hold=controlid=1").start()
    assert server.admin.ask("POST /v1/devices", {"id": READER}).code == 201
    server.send(READER, LOAD)
    assert server.stop() == 0
    return server


@pytest.mark.parametrize(
    ("first", "reason"), [(0, "file is not a database"), (1, "database disk image is malformed")], ids=["head", "rest"]
)
def test_a_server_does_not_start_with_a_destroyed_database(stopped: Server, first: int, reason: str) -> None:
    """It ends with exit code 1 and one line that names the file, which it does not change."""
    path = stopped.data_dir / "pushd.sqlite"
    damage(path, first, 0 if first == 0 else None)
    content = path.read_bytes()
    assert fsck(path) > 0
    stopped.launch()
    assert stopped.wait_exit() == 1
    (line,) = stopped.stderr.read_text().splitlines()
    assert line.startswith(f"pushd: {path} cannot be opened: ")
    assert reason in line
    assert path.read_bytes() == content


def test_a_server_serves_the_readable_part_of_a_damaged_database(stopped: Server) -> None:
    """Without a readable event log, commands and results are answered with 503, polls idle; lists work."""
    path = stopped.data_dir / "pushd.sqlite"
    page = event_page(stopped)
    damage(path, page, page)
    assert fsck(path) == 1
    stopped.start()
    sent = stopped.admin.ask(f"POST /v1/devices/{READER}/commands", {"payload": LOAD})
    assert (sent.code, sent.headers["content-type"]) == (503, "application/problem+json")
    assert stopped.devices.ask("GET /push?deviceId=1").body == b""
    assert stopped.devices.ask("POST /result?deviceId=1", {"response": {}}).code == 503
    assert stopped.admin.ask("GET /v1/events").code == 503
    assert [item["state"] for item in stopped.admin.ask("GET /v1/commands").json["items"]] == ["queued"]
    assert stopped.admin.ask("GET /healthz").code == 200
    assert "Traceback" not in stopped.log.read_text()
    assert stopped.stop() == 0
