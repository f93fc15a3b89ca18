"""Tests of a database whose file was damaged while nobody looked."""

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
from tests.integration.server import HOME, Server, environment
from tests.model_based.pair import gave
from tests.store.samples import LIMIT, OTHER_READER, READER, StubResult, at, device, draft

pytestmark = pytest.mark.slow

PAGE = 4096
RUBBISH = {"rubbish": b"\xa5" * PAGE, "nothing": bytes(PAGE)}
"""What a page may hold after it was lost."""

ALL = 1000
LOAD = {"endpoint": "load_objects"}


def fill(store: SqliteStore) -> dict[str, Command]:
    """Something of everything that is kept; the commands among it."""
    store.open(at())
    for name in (READER, OTHER_READER):
        gave(store.add_device(device(name), False, at()))
    for number in range(1, 25):
        payload = LOAD | {"body": "x" * number * 100}
        gave(store.put(draft(number, (READER, OTHER_READER)[number % 2], payload), False, LIMIT, at()))
    for number in range(8):
        gave(store.claim(READER, f"u{number}", True, 1, at(1)))
    for uuid in ("u1", "u2", "foreign", "other"):
        gave(store.settle(READER, StubResult(uuid=uuid, raw=b"x" * 3000), at(2)))
    commands = {one.id: gave(store.command(one.id)) for one in gave(store.commands(CommandFilter(), None, ALL))}
    gave(store.close())
    return commands


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Command]]:
    """A sound database, and its commands."""
    path = tmp_path_factory.mktemp("sound") / "pushd.sqlite"
    return path, fill(SqliteStore(str(path)))


@pytest.fixture(params=list(RUBBISH))
def damaged(request: pytest.FixtureRequest, tmp_path: Path, sound: tuple[Path, Any]) -> Iterator[Path]:
    """Copies of the sound database, in each of which another page is lost."""
    return _damaged(sound[0], tmp_path, RUBBISH[request.param])


def _damaged(source: Path, folder: Path, lost: bytes) -> Iterator[Path]:
    for page in range(source.stat().st_size // PAGE):
        path = folder / f"page-{page}.sqlite"
        copyfile(source, path)
        with path.open("r+b") as file:
            file.seek(page * PAGE)
            file.write(lost)
        yield path


def answer(verb: Callable[[], Deferred[Any]]) -> Any:
    """What a verb gives, or None if it says that it cannot."""
    try:
        return gave(verb())
    except Unavailable:
        return None


def test_a_lost_page_is_found_out_whichever_it_is(damaged: Iterator[Path]) -> None:
    """The doubter says what is wrong, or that there is no database to be looked at."""
    for path in damaged:
        assert found_out(path), path


def found_out(path: Path) -> object:
    """What is wrong with a database, in whatever words."""
    try:
        return inspect(str(path))
    except StoreRefused as refusal:
        return str(path) in str(refusal)


def test_no_answer_is_made_up_whichever_page_is_lost(
    damaged: Iterator[Path], sound: tuple[Path, dict[str, Command]]
) -> None:
    """A damaged database is refused at the start, or else each call gives what was kept, or says that it cannot."""
    served = 0
    for path in damaged:
        store = SqliteStore(str(path))
        if not opens(store):
            continue
        served += 1
        for name, command in sound[1].items():
            assert answer(partial(store.command, name)) in (None, command)
        _use(store)
        gave(store.close())
    assert served


def opens(store: SqliteStore) -> bool:
    """Whether it is served, or refused in a word that names it."""
    try:
        store.open(at(3))
    except StoreRefused as refusal:
        return store.path not in str(refusal)
    return True


def _use(store: SqliteStore) -> None:
    """Call everything once: no call may fail in any other way than :func:`answer` knows."""
    answer(lambda: store.commands(CommandFilter(), None, ALL))
    answer(lambda: store.devices(DeviceFilter(), None, ALL))
    answer(lambda: store.events(EventFilter(), 0, ALL))
    answer(lambda: store.orphans(READER, None, ALL))
    answer(lambda: store.put(draft(99), False, LIMIT, at(4)))
    answer(lambda: store.claim(READER, "new", True, 1, at(4)))
    answer(lambda: store.settle(READER, StubResult(uuid="u5"), at(5)))
    answer(lambda: store.settle(READER, StubResult(), at(5)))
    answer(lambda: store.lapse(ALL, at(100)))
    answer(lambda: store.expire(ALL, at(1000)))
    answer(lambda: store.fsck(at(1000)))


def lose(path: Path, first: int, last: int | None = None) -> None:
    """Overwrite pages of a database, counted from 0."""
    content = bytearray(path.read_bytes())
    end = len(content) if last is None else (last + 1) * PAGE
    content[first * PAGE : end] = b"\xa5" * (end - first * PAGE)
    path.write_bytes(content)


def events_at(server: Server) -> int:
    """The page, counted from 0, where the feed begins."""
    store = SqliteStore(str(server.data_dir / "pushd.sqlite"))
    store.open(at())
    connection = store._writer.connection.connection  # type: ignore[attr-defined]
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'event'").fetchone()
    gave(store.close())
    return int(page) - 1


def doubt(path: Path) -> int:
    """The exit code of fsck."""
    words = [sys.executable, "-m", "pushd.fsck", str(path)]
    return subprocess.run(words, cwd=HOME, env=environment(), capture_output=True, check=False).returncode


@pytest.fixture
def stopped(make_server: MakeServer) -> Server:
    """A server that has stopped, and keeps one command."""
    server = make_server("--hold=controlid=1").start()
    assert server.admin.ask("POST /v1/devices", {"id": READER}).code == 201
    server.send(READER, LOAD)
    assert server.stop() == 0
    return server


@pytest.mark.parametrize(
    ("first", "words"), [(0, "file is not a database"), (1, "database disk image is malformed")], ids=["head", "rest"]
)
def test_a_server_does_not_start_over_a_database_that_is_lost(stopped: Server, first: int, words: str) -> None:
    """It ends with exit code 1 and one line that names the file, and leaves that as it is."""
    path = stopped.data_dir / "pushd.sqlite"
    lose(path, first, 0 if first == 0 else None)
    content = path.read_bytes()
    assert doubt(path) > 0
    stopped.launch()
    assert stopped.ended() == 1
    (line,) = stopped.complaints.read_text().splitlines()
    assert line.startswith(f"pushd: {path} cannot be opened: ")
    assert words in line
    assert path.read_bytes() == content


def test_a_server_serves_what_is_left_of_a_damaged_database(stopped: Server) -> None:
    """Without a readable feed nothing can be accepted: a send is a 503 and a poll ends idle; what can be read is
    read.
    """
    path = stopped.data_dir / "pushd.sqlite"
    page = events_at(stopped)
    lose(path, page, page)
    assert doubt(path) == 1
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
