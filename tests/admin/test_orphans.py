"""Tests of :mod:`pushd.admin.devices`: orphan results."""

from base64 import b64decode, urlsafe_b64encode

import pytest

from tests.connection import request
from tests.in_memory_server import InMemoryServer

DEVICE = "controlid:7"


@pytest.fixture
def reported(server: InMemoryServer) -> InMemoryServer:
    """A server to which a device has posted five results that match no command."""
    server.register(DEVICE)
    for number in range(5):
        server.device_request(request(f"POST /result?deviceId=7&uuid=u{number}", b'{"response":%d}' % number))
    return server


def test_orphan(reported: InMemoryServer) -> None:
    """An orphan result is shown as it was posted, with the time, the reason and its reference; newest first."""
    newest = reported.orphans(DEVICE)[0]
    assert newest == {
        "id": newest["id"],
        "device": DEVICE,
        "at": "2027-01-15T08:00:00.000Z",
        "reason": "it matches no command of this device",
        "reference": "u4",
        "size": 14,
        "raw": newest["raw"],
    }
    assert b64decode(newest["raw"]) == b'{"response":4}'


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_paging(reported: InMemoryServer, limit: int) -> None:
    """All pages together are all orphan results, each once."""
    found, query = [], f"?limit={limit}"
    for _ in range(6):
        page = reported.ask(f"GET /v1/devices/{DEVICE}/orphans{query}").json
        found += [item["reference"] for item in page["items"]]
        if page["next"] is None:
            break
        query = f"?limit={limit}&cursor={page['next']}"
    assert found == ["u4", "u3", "u2", "u1", "u0"]


@pytest.mark.parametrize("text", [b"", b"x", b"-1", b"1.0", b"9" * 30, b"9" * 5000, "٣".encode(), b"\xff"])
def test_made_up_cursor(reported: InMemoryServer, text: bytes) -> None:
    """A cursor that no list gave is refused."""
    cursor = urlsafe_b64encode(text).decode()
    assert reported.ask(f"GET /v1/devices/{DEVICE}/orphans?cursor={cursor}").code == 400


def test_the_newest_hundred_are_kept(server: InMemoryServer) -> None:
    """The newest hundred orphan results of each device are kept."""
    server.register(DEVICE)
    server.register("controlid:8")
    server.device_request(request("POST /result?deviceId=8", b'{"response":0}'))
    connection = server.connect()
    for number in range(103):
        connection.send(request(f"POST /result?deviceId=7&uuid=u{number}", b'{"response":0}'))
    items = server.ask(f"GET /v1/devices/{DEVICE}/orphans?limit=500").json["items"]
    assert [item["reference"] for item in items] == [f"u{number}" for number in range(102, 2, -1)]
    assert len(server.orphans("controlid:8")) == 1
