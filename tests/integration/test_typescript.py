"""Types for TypeScript that are made of the OpenAPI document fit a program, and the program fits the server."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness.environment import free_ports
from tests.integration.calls import HOST
from tests.integration.conftest import MakeServer
from tests.integration.server import ANY_PORT, ROOT, Server
from tests.programs import npm_install

pytestmark = [pytest.mark.slow(seconds=30), pytest.mark.timeout(300)]

EXAMPLE = ROOT / "docs" / "examples" / "typescript"
DEVICE = "controlid:4408801109440198"
SECONDS = 120


def _run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'node_modules' / '.bin'}:{os.environ['PATH']}"
    return subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The programs, with what they need to be compiled."""
    folder = shutil.copytree(EXAMPLE, tmp_path / "typescript")
    npm_install(folder)
    return Path(folder)


def _compile(folder: Path, api: str) -> dict[str, str]:
    """Make the types and compile the programs; the scripts that did it."""
    script: dict[str, str] = json.loads((folder / "package.json").read_text())["scripts"]
    types = _run(folder, *script["types"].replace("http://127.0.0.1:8081", api).split())
    assert types.returncode == 0, types.stderr
    built = _run(folder, *script["build"].split())
    assert built.returncode == 0, built.stdout
    return script


def test_follower(make_server: MakeServer, folder: Path) -> None:
    """The program that follows the events prints each once, also when the server was restarted meanwhile."""
    (number,) = free_ports(1)
    server = make_server(f"--admin=tcp:{number}:interface={HOST}", usual=(f"--devices={ANY_PORT}",)).start()
    api = f"http://{HOST}:{number}"
    _compile(folder, api)
    server.admin.ask("POST /v1/devices", {"id": "controlid:1"})
    program = subprocess.Popen(
        ["node", "build/follow.js"],
        cwd=folder,
        env={**os.environ, "API": api, "TOKEN": server.token, "AFTER": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with program:
        assert program.stdout is not None
        assert program.stdout.readline() == "device.registered controlid:1\n"
        server.kill()
        server.start()
        server.admin.ask("POST /v1/devices", {"id": "controlid:2"})
        assert program.stdout.readline() == "device.registered controlid:2\n"
        program.kill()


def test_a_typed_program(server: Server, folder: Path) -> None:
    """A program that sends, waits and reads events compiles with the types, does its work, and a wrong one does not
    compile.
    """
    api = f"http://{HOST}:{server.admin.number}"
    script = _compile(folder, api)
    assert server.admin.ask("POST /v1/devices", {"id": DEVICE}).code == 201
    ran = _run(folder, "node", "build/send.js", API=api, TOKEN=server.token, DEVICE=DEVICE)
    assert ran.returncode == 0, ran.stderr
    *events, outcome = ran.stdout.splitlines()
    assert (events, outcome.split()[-1]) == (["command.queued"], "queued")

    program = folder / "send.ts"
    right = program.read_text()
    for name, other in (("ttl", "time_to_live"), ("attempt", "takeovers")):
        program.write_text(re.sub(rf"\b{name}(?=[:}}])", other, right))
        wrong = _run(folder, *script["build"].split())
        assert wrong.returncode != 0
        assert other in wrong.stdout
