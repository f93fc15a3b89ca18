"""Tests of ``pushctl import`` and ``pushctl export``."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

READER, OTHER, CONTAINER = "controlid:3206485144263533", "controlid:7", "servereye:4f1c2d"
ADD = "POST /v1/devices"
HEADER = "id,serial,name,site,tags,model\n"


def shown(device: str, **fields: Any) -> dict[str, Any]:
    """A device as the server shows it."""
    blank: dict[str, Any] = {"name": "", "site": None, "tags": [], "admission": "approved", "proof": [], "facts": {}}
    return {"id": device, **blank, **fields}


FLEET = [
    shown(READER, name="=Gate", site="Lobby", tags=["b", "a"], facts={"serial": "0G020?/005B6D", "model": "iDFlex"}),
    shown(OTHER, name="Door", admission="pending", facts={"serial": "00000?/000007"}),
    shown(CONTAINER, proof=["secret"]),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file to import."""
    return tmp_path / "devices.csv"


@pytest.fixture(autouse=True)
def _fleet(server: FakeServer) -> None:
    """The server knows three devices."""
    server.on("GET /v1/devices", Answer(body={"items": FLEET, "next": None}))
    server.on("GET /v1/info", Answer(body={"options": {"device-url": None}}))
    for device in FLEET:
        server.on(f"PATCH /v1/devices/{device['id']}", Answer(body=device))
        server.on(f"POST /v1/devices/{device['id']}/secret", Answer(status=201, body={"path": f"/d/{device['id']}"}))
    server.on(ADD, Answer(status=201, body=shown("servereye:new", name="New")))
    server.on("POST /v1/devices/servereye:new/secret", Answer(status=201, body={"path": "/d/-x"}))


def writes(server: FakeServer) -> list[tuple[str, Any]]:
    """The calls that changed something, with their bodies."""
    return [(call, request.body) for call, request in server.received if not call.startswith("GET")]


def test_import(server: FakeServer, pushctl: Pushctl, path: Path) -> None:
    """New devices are registered, of known ones only what differs is changed, and pending ones are approved."""
    path.write_text(
        HEADER
        + "servereye:new,,New,Lobby,a;b,\n"
        + ",0G0200/005B6D,'=Gate,Yard,a;b,iDFlex\n"
        + "controlid:7,,,,,iDFace\n"
        + f"{CONTAINER},,,,,\n"
    )
    result = pushctl("import", str(path))
    assert (result.exit_code, result.output) == (0, "1 added, 2 changed, 1 unchanged\n")
    assert writes(server) == [
        (ADD, {"id": "servereye:new", "name": "New", "site": "Lobby", "tags": ["a", "b"]}),
        (f"PATCH /v1/devices/{READER}", {"site": "Yard"}),
        (f"PATCH /v1/devices/{OTHER}", {"facts": {"model": "iDFace"}, "admission": "approved"}),
    ]


def test_second_import(server: FakeServer, pushctl: Pushctl, path: Path) -> None:
    """What an export has written changes nothing, but for what waits for approval."""
    assert pushctl("export", str(path)).stdout == f"3 devices are in {path}\n"
    server.on("GET /v1/devices", Answer(body={"items": [{**each, "admission": "approved"} for each in FLEET]}))
    assert pushctl("import", str(path)).stdout == "0 added, 0 changed, 3 unchanged\n"
    assert writes(server) == []


def test_all_rows_are_checked_first(server: FakeServer, pushctl: Pushctl, path: Path) -> None:
    """If a row is wrong, each wrong one is named with its line, and no device is changed."""
    path.write_text(f"{HEADER}servereye:new,,,,,\nx,,,,,\n,0G0200/5B6D,,,,\n")
    result = pushctl("import", str(path))
    lines = result.stderr.splitlines()
    assert result.exit_code == 1
    assert [line.split(": ")[1] for line in lines] == [f"{path}:3", f"{path}:4", lines[-1].split(": ")[1]]
    assert lines[-1] == f"pushctl: {path} was not imported: correct it first"
    assert server.received == []


def test_refused_rows(server: FakeServer, pushctl: Pushctl, path: Path) -> None:
    """If the server refuses a device, the others are imported nevertheless, and the exit code is 1."""
    path.write_text("id,name\nservereye:new,x\ncontrolid:7,Other\n")
    server.on(ADD, Answer(status=409, body={"detail": "It is registered already."}))
    result = pushctl("import", str(path))
    assert (result.exit_code, result.stdout) == (1, "0 added, 1 changed, 0 unchanged\n")
    assert f"{path}:2: servereye:new: refused (409): It is registered already." in result.stderr
    as_json = json.loads(pushctl("import", str(path), "--json").stdout)
    assert as_json["refused"] == [
        {"line": 2, "id": "servereye:new", "error": "refused (409): It is registered already."}
    ]


def test_secrets(server: FakeServer, pushctl: Pushctl, path: Path, tmp_path: Path) -> None:
    """Each device without a secret gets one, which is only in a new file that only its owner can read."""
    path.write_text(f"{HEADER}servereye:new,,New,,,\n{READER},,,,,\n{CONTAINER},,,,,\n")
    secrets = tmp_path / "secrets.csv"
    result = pushctl("import", str(path), "--secrets", str(secrets), "--device-url", "https://push.example.org")
    assert result.output == (
        f"1 added, 0 changed, 2 unchanged\n2 secrets are in {secrets}, and are shown nowhere else\n"
    )
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert list(csv.reader(secrets.read_text().splitlines())) == [
        ["id", "serial", "name", "path", "address"],
        ["servereye:new", "", "New", "/d/-x", "https://push.example.org/d/-x"],
        [READER, "0G020?/005B6D", "'=Gate", f"/d/{READER}", f"https://push.example.org/d/{READER}"],
    ]
    assert f"POST /v1/devices/{CONTAINER}/secret" not in dict(writes(server))
    server.received.clear()
    again = pushctl("import", str(path), "--secrets", str(secrets))
    assert (again.exit_code, "choose another name" in again.stderr, server.received) == (1, True, [])


def test_no_file_without_secrets(pushctl: Pushctl, path: Path, tmp_path: Path) -> None:
    """If all devices have secrets, no file of secrets is made."""
    path.write_text(f"id\n{CONTAINER}\n")
    secrets = tmp_path / "secrets.csv"
    assert pushctl("import", str(path), "--secrets", str(secrets)).stdout == "0 added, 0 changed, 1 unchanged\n"
    assert not secrets.exists()


def test_secrets_survive_an_error(server: FakeServer, pushctl: Pushctl, path: Path, tmp_path: Path) -> None:
    """If the server goes away in between, the secrets that were made are in the file."""
    path.write_text(f"id\n{READER}\n{OTHER}\n")
    server.on(f"POST /v1/devices/{OTHER}/secret", Answer(cut=True))
    secrets = tmp_path / "secrets.csv"
    assert pushctl("import", str(path), "--secrets", str(secrets)).exit_code == 1
    assert [row["id"] for row in csv.DictReader(secrets.read_text().splitlines())] == [READER]


def test_dry_run(server: FakeServer, pushctl: Pushctl, path: Path, tmp_path: Path) -> None:
    """A dry run says what would be done, and does nothing."""
    path.write_text("id,name\nservereye:new,x\ncontrolid:7,Door\n")
    secrets = tmp_path / "secrets.csv"
    result = pushctl("import", str(path), "--dry-run", "--secrets", str(secrets))
    assert result.stdout == f"dry run: 1 added, 1 changed, 0 unchanged\n2 secrets would be written to {secrets}\n"
    assert (writes(server), secrets.exists()) == ([], False)
    assert json.loads(pushctl("import", str(path), "--dry-run", "--json").stdout) == {
        "added": 1,
        "changed": 1,
        "unchanged": 0,
        "secrets": 0,
        "refused": [],
    }


def test_standard_input(server: FakeServer, pushctl: Pushctl) -> None:
    """The file may come from standard input, with a byte order mark."""
    result = pushctl("import", "-", stdin="\ufeffid,name\ncontrolid:7,Other\n".encode())
    assert (result.exit_code, writes(server)[0][1]["name"]) == (0, "Other")


@pytest.mark.parametrize(("content", "reason"), [(None, "cannot read"), (b"id\n\xff\n", "is not UTF-8")])
def test_unreadable_file(server: FakeServer, pushctl: Pushctl, path: Path, content: bytes | None, reason: str) -> None:
    """A file that cannot be read is an error that says why."""
    if content is not None:
        path.write_bytes(content)
    result = pushctl("import", str(path))
    assert (result.exit_code, reason in result.stderr, server.received) == (1, True, [])


def test_export(server: FakeServer, pushctl: Pushctl) -> None:
    """Devices are printed as CSV, as far as they match, without formulas."""
    result = pushctl("export", "--site", "Lobby", "--tag", "a", "--model", "iDFlex", "--admission", "approved")
    assert result.stdout == (
        f"{HEADER}{READER},0G020?/005B6D,'=Gate,Lobby,b;a,iDFlex\n{OTHER},00000?/000007,Door,,,\n{CONTAINER},,,,,\n"
    )
    query = {"site": ["Lobby"], "tag": ["a"], "model": ["iDFlex"], "admission": ["approved"], "limit": ["500"]}
    assert server.calls("GET /v1/devices")[0].query == query
    rows = json.loads(pushctl("export", "--json").stdout)
    assert rows[0] == {
        "id": READER,
        "serial": "0G020?/005B6D",
        "name": "=Gate",
        "site": "Lobby",
        "tags": "b;a",
        "model": "iDFlex",
    }


def test_export_to_a_directory_that_is_not_there(pushctl: Pushctl, tmp_path: Path) -> None:
    """A file that cannot be written is an error."""
    result = pushctl("export", str(tmp_path / "no" / "devices.csv"))
    assert (result.exit_code, "cannot write" in result.stderr) == (1, True)
