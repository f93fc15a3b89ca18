"""Tests of a server that may open few files, over real sockets."""

import re
import resource
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from socket import create_server, socket
from time import monotonic

import pytest

from tests.connection import request
from tests.integration.calls import HOST, TIMEOUT
from tests.integration.conftest import MakeServer
from tests.integration.server import Server, until

pytestmark = pytest.mark.slow

FILES = 256
REFUSED = 32
REFUSAL_SECONDS = 5


def _limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


@pytest.fixture
def few_files(make_server: MakeServer) -> Server:
    """A server that may open 256 files."""
    return make_server("--webhook-allow=127.0.0.0/8", preexec=_limit_files).start()


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """What is closed at the end."""
    with ExitStack() as stack:
        yield stack


def promised(server: Server) -> int:
    """How many polls can be held at once, as the log says."""
    found = re.search(r"Up to (\d+) polls can be held at once", server.log.read_text())
    assert found is not None
    return int(found[1])


def register(server: Server, count: int) -> None:
    """Register the containers that poll: unknown ones may not hold all polls."""
    for number in range(count):
        assert server.admin.ask("POST /v1/devices", {"id": f"servereye:c{number}"}).code == 201


def poll(server: Server, number: int, opened: ExitStack) -> socket:
    """Send a poll over a connection of its own."""
    connection = opened.enter_context(server.devices.connect())
    connection.sendall(request(f"GET /push/c{number}"))
    return connection


def is_closed_at_once(server: Server) -> bool:
    """Whether the server closes a new connection without a response."""
    try:
        with server.devices.connect() as connection:
            return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_polls_leave_files_for_others(few_files: Server, opened: ExitStack) -> None:
    """The promised number of polls is held; 32 more are refused slowly, any more are closed; all else goes on."""
    polls = promised(few_files)
    register(few_files, polls)
    for number in range(polls):
        poll(few_files, number, opened)
    until(lambda: few_files.polling() == polls, "all promised polls are held")
    started = monotonic()
    refused = [poll(few_files, polls + number, opened) for number in range(REFUSED)]
    assert all(is_closed_at_once(few_files) for _ in range(FILES))
    assert monotonic() - started < TIMEOUT

    receiver = opened.enter_context(create_server((HOST, 0)))
    receiver.settimeout(TIMEOUT)
    calls = [few_files.admin.begin("GET /v1/events?wait=30&after=now") for _ in range(20)]
    few_files.admin.ask("POST /v1/webhooks", {"url": f"http://{HOST}:{receiver.getsockname()[1]}/"})
    few_files.admin.ask("POST /v1/devices", {"id": "servereye:new"})
    delivery, _ = receiver.accept()
    assert opened.enter_context(delivery).recv(4) == b"POST"
    for call in calls:
        call.hang_up()

    for connection in refused:
        assert connection.recv(100).startswith(b"HTTP/1.1 503")
    assert monotonic() - started >= REFUSAL_SECONDS
    command = few_files.send("servereye:c0", {"control": "a"})
    assert few_files.command(command)["state"] == "sent"
    assert "Could not accept" not in few_files.log.read_text()


def test_idle_connections_take_no_place(few_files: Server, opened: ExitStack) -> None:
    """Connections that send nothing do not keep devices from polling for longer than a few seconds."""
    polls = promised(few_files)
    register(few_files, polls)
    for _ in range(FILES):
        with suppress(ConnectionError):
            opened.enter_context(few_files.devices.connect())

    def holds_all() -> bool:
        for number in range(polls):
            if not few_files.holds(f"servereye:c{number}"):
                with suppress(ConnectionError):
                    poll(few_files, number, opened)
        return few_files.polling() == polls

    until(holds_all, "all promised polls are held")
