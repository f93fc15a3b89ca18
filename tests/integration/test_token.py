"""Tests of the admin token, and of what must never be in the log."""

from stat import S_IMODE

import pytest

from tests.integration.calls import Port
from tests.integration.server import Server, ports_in

pytestmark = pytest.mark.slow


def test_token_is_private(shared: Server) -> None:
    """Only the owner of the token file can read it, and without the token the API answers 401."""
    assert S_IMODE((shared.data_dir / "admin.token").stat().st_mode) == 0o600
    assert S_IMODE(shared.data_dir.stat().st_mode) == 0o700
    assert shared.admin.ask("GET /v1/devices").code == 200
    assert shared.admin.ask("GET /v1/devices", None, Authorization="Bearer wrong").code == 401


def test_deleted_token_is_revoked(server: Server) -> None:
    """After the token file is deleted, the next start makes a new token and revokes the old one."""
    old = server.token
    server.stop()
    (server.data_dir / "admin.token").unlink()
    server.start()
    assert server.token != old
    assert server.admin.ask("GET /v1/devices").code == 200
    assert server.admin.ask("GET /v1/devices", None, Authorization=f"Bearer {old}").code == 401
    server.stop()
    server.start()
    assert server.admin.ask("GET /v1/devices", None, Authorization=f"Bearer {old}").code == 401


def tokens(server: Server) -> dict[str, str]:
    """The ids of the tokens, by their names."""
    return {each["name"]: each["id"] for each in server.admin.ask("GET /v1/tokens").json["items"]}


def test_a_rotated_token_is_in_its_file(server: Server) -> None:
    """Rotating the token of the file rewrites the file, private as before, and the next start takes it."""
    old, path = server.token, server.data_dir / "admin.token"
    rotated = server.admin.ask(f"POST /v1/tokens/{tokens(server)['admin']}/rotate")
    assert path.read_text() == f"{rotated.json['token']}\n"
    assert S_IMODE(path.stat().st_mode) == 0o600
    server.kill()
    server.start()
    assert server.token != old
    assert server.admin.ask("GET /v1/devices").code == 200


def test_a_file_that_was_deleted_with_its_token(server: Server) -> None:
    """Revoking the token of the file deletes the file; while another admin has a token, no start makes a new one."""
    made = server.admin.ask("POST /v1/tokens", {"name": "ana", "role": "admin"}).json["token"]
    assert server.admin.ask(f"DELETE /v1/tokens/{tokens(server)['admin']}").code == 204
    assert not (server.data_dir / "admin.token").exists()
    server.stop()
    server.start()
    assert not (server.data_dir / "admin.token").exists()
    listed = Port(ports_in(server.log)[-1], made).ask("GET /v1/tokens").json["items"]
    assert [each["name"] for each in listed] == ["ana"]
    server.stop()
    server.options = (*server.options, "--new-token")
    server.start()
    assert tokens(server).keys() == {"admin", "ana"}


def test_uses_and_scopes_survive_a_restart(server: Server) -> None:
    """A token has its scope after a restart, and when it was last used is known."""
    fields = {"name": "lobby", "role": "viewer", "sites": ["Lobby"]}
    made = server.admin.ask("POST /v1/tokens", fields).json
    for device, site in (("controlid:1", "Lobby"), ("controlid:2", "Yard")):
        server.admin.ask("POST /v1/devices", {"id": device, "site": site})
    lobby = f"Bearer {made['token']}"
    server.admin.ask("GET /v1/devices", None, Authorization=lobby)
    used = server.admin.ask(f"GET /v1/tokens/{made['id']}").json["last_used_at"]
    assert used is not None
    server.stop()
    server.start()
    assert server.admin.ask(f"GET /v1/tokens/{made['id']}").json["last_used_at"] == used
    listed = server.admin.ask("GET /v1/devices", None, Authorization=lobby).json["items"]
    assert [each["id"] for each in listed] == ["controlid:1"]


def test_nothing_secret_is_logged(server: Server) -> None:
    """No token, secret, key, command body or result is in the log."""
    for device in ("controlid:1", "servereye:one"):
        server.admin.ask("POST /v1/devices", {"id": device, "hold": 0})
    path = server.admin.ask("POST /v1/devices/controlid:1/secret").json["path"]
    key = server.admin.ask("POST /v1/devices/servereye:one/api-key").json["key"]
    server.send("controlid:1", {"endpoint": "message_to_screen", "body": {"message": "body-of-a-command"}})
    assert server.devices.ask(f"GET {path}/push?deviceId=1&uuid=u").json["endpoint"] == "message_to_screen"
    assert server.devices.ask(f"POST {path}/result?deviceId=1&uuid=u", {"error": "body-of-a-result"}).code == 200
    assert server.devices.ask(f"GET {path}/nothing-here").code == 404
    assert server.devices.ask(f"DELETE {path}/push?deviceId=1").code == 405
    assert server.devices.ask(f"GET /push/one?apiKey={key}").json["success"] is False
    assert server.admin.ask("GET /v1/devices/none").code == 404
    made = server.admin.ask("POST /v1/tokens", {"name": "lobby", "role": "viewer"}).json
    rotated = server.admin.ask(f"POST /v1/tokens/{made['id']}/rotate?overlap=60").json
    assert server.stop() == 0
    output = server.log.read_text() + server.stderr.read_text()
    assert "admin.token" in output
    for secret in (server.token, made["token"], rotated["token"], path.rpartition("/")[2], key, "body-of"):
        assert secret not in output
