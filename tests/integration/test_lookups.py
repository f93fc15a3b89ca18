"""Tests of a server process whose name server does not answer."""

from pathlib import Path

import pytest

from pushd.lib.resolver import MAX_THREADS
from tests.integration import server as server_module
from tests.integration.conftest import MakeServer
from tests.integration.server import environment, until

pytestmark = pytest.mark.slow

HANGS = 3600
"""Seconds for which a look-up hangs: far longer than a test waits for anything, so that what waits for one fails."""

RECEIVERS = 12
"""More than the threads of the reactor, and than those for look-ups."""

LARGE = 200_000
"""Bytes of a result that is parsed in a thread."""

SITECUSTOMIZE = f"""
import os, socket, time
found = socket.getaddrinfo
def getaddrinfo(host, *args, **options):
    if str(host).endswith(".hangs.test"):
        os.write(2, f"hangs: {{host}}\\n".encode())
        time.sleep({HANGS})
    return found(host, *args, **options)
socket.getaddrinfo = getaddrinfo
"""


@pytest.fixture
def hanging_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let look-ups of names below ``hangs.test`` hang in servers that are started."""
    folder = tmp_path / "python"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)

    def with_folder() -> dict[str, str]:
        before = environment()
        return before | {"PYTHONPATH": f"{folder}:{before['PYTHONPATH']}"}

    monkeypatch.setattr(server_module, "environment", with_folder)


@pytest.mark.usefixtures("hanging_names")
def test_name_server_that_does_not_answer(make_server: MakeServer) -> None:
    """While all names hang that the server looks up, a large result is taken; the end waits for none of them."""
    server = make_server(
        "--mail-to=ops@example.org",
        "--mail-from=pushd@example.org",
        "--smtp=smtp.hangs.test:587",
        "--heartbeat-url=http://monitor.hangs.test/ping",
    ).start()
    for number in range(RECEIVERS):
        created = server.admin.ask("POST /v1/webhooks", {"url": f"http://{number}.hangs.test/hook"})
        assert created.code == 201, created.body
    assert server.admin.ask("POST /v1/devices", {"id": "controlid:1"}).code == 201
    until(lambda: server.stderr.read_text().count("hangs:") >= MAX_THREADS, "the look-ups hang")
    command = server.send("controlid:1", {"endpoint": "load_objects"})
    assert server.devices.ask("GET /push?deviceId=1&uuid=u").code == 200
    assert server.devices.ask("POST /result?deviceId=1&uuid=u", {"response": "x" * LARGE}).code == 200
    assert server.command(command)["state"] == "succeeded"
    assert server.stop() == 0
