"""Tests of the admin token, and of what must never be in the log."""

from stat import S_IMODE

import pytest

from tests.integration.server import Server

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
    assert server.stop() == 0
    output = server.log.read_text() + server.stderr.read_text()
    assert "admin.token" in output
    for secret in (server.token, path.rpartition("/")[2], key, "body-of"):
        assert secret not in output
