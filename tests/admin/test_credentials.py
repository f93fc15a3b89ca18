"""Tests of :mod:`pushd.admin.devices`: secrets and API keys."""

import pytest

from tests.connection import request
from tests.in_memory_server import InMemoryServer

READER = "controlid:7"
CONTAINER = "servereye:c"


@pytest.fixture
def known(server: InMemoryServer) -> InMemoryServer:
    """A server with a device of each dialect; their hold is set, so polls that disconnect do not change it."""
    server.register(READER, hold=20)
    server.register(CONTAINER, hold=20)
    return server


def served(server: InMemoryServer, path: str) -> bool:
    """Whether a poll of this path is held like that of an authenticated device."""
    poll = server.device_request(request(f"GET {path}"))
    server.clock.advance(5)
    held = poll.answers() == []
    poll.hang_up()
    return held


def test_secret(known: InMemoryServer) -> None:
    """A secret is shown once, with the path that goes before the path of the device."""
    answer = known.ask(f"POST /v1/devices/{READER}/secret")
    assert answer.code == 201
    secret = answer.json["secret"]
    assert answer.json == {"secret": secret, "path": f"/d/{secret}"}
    assert len(secret) == 32
    assert known.device(READER)["proof"] == ["secret"]
    assert secret.encode() not in known.ask(f"GET /v1/devices/{READER}").body
    assert secret.encode() not in known.ask("GET /v1/events").body
    assert known.events(READER)[-1] == "device.changed"


def test_key(known: InMemoryServer) -> None:
    """An API key is shown once."""
    answer = known.ask(f"POST /v1/devices/{CONTAINER}/api-key")
    assert (answer.code, list(answer.json)) == (201, ["key"])
    assert known.device(CONTAINER)["proof"] == ["api_key"]
    assert served(known, f"/push/c?apiKey={answer.json['key']}")
    assert not served(known, "/push/c")


def test_both(known: InMemoryServer) -> None:
    """A device that has a secret and an API key must use both."""
    path = known.ask(f"POST /v1/devices/{CONTAINER}/secret").json["path"]
    key = known.ask(f"POST /v1/devices/{CONTAINER}/api-key").json["key"]
    assert known.device(CONTAINER)["proof"] == ["api_key", "secret"]
    assert served(known, f"{path}/push/c?apiKey={key}")
    assert not served(known, f"{path}/push/c")
    assert not served(known, f"/push/c?apiKey={key}")


def test_key_for_a_device_that_cannot_send_it(known: InMemoryServer) -> None:
    """A Control iD device cannot send an API key, so none is issued."""
    refused = known.ask(f"POST /v1/devices/{READER}/api-key").problem(409)
    assert refused["type"] == "no-api-key"
    assert "issue a secret path instead" in refused["detail"]
    assert known.device(READER)["proof"] == []


def test_new_secret(known: InMemoryServer) -> None:
    """A new secret ends the old one at once."""
    old, new = (known.ask(f"POST /v1/devices/{READER}/secret").json["path"] for _ in range(2))
    assert old != new
    assert not served(known, f"{old}/push?deviceId=7")
    assert served(known, f"{new}/push?deviceId=7")


@pytest.mark.parametrize("kind", ["secret", "api-key"])
def test_overlap(known: InMemoryServer, kind: str) -> None:
    """With an overlap, the old credential stays valid for that time, beside the new one."""
    shown = [known.ask(f"POST /v1/devices/{CONTAINER}/{kind}?overlap=20").json for _ in range(2)]
    forms = {"secret": "{path}/push/c", "api-key": "/push/c?apiKey={key}"}
    old, new = (forms[kind].format(**item) for item in shown)
    assert served(known, old)
    assert served(known, new)
    known.clock.advance(10)
    assert not served(known, old)
    assert served(known, new)


def test_third_secret(known: InMemoryServer) -> None:
    """Each old secret has its own overlap."""
    paths = [known.ask(f"POST /v1/devices/{READER}/secret?overlap={overlap}").json["path"] for overlap in (0, 60, 30)]
    assert [served(known, f"{path}/push?deviceId=7") for path in paths] == [True, True, True]
    known.clock.advance(30)
    assert [served(known, f"{path}/push?deviceId=7") for path in paths] == [True, False, True]


@pytest.mark.parametrize("overlap", ["-1", "x", "", "1e9", "nan", "inf", "2592001", "1_0", "%D9%A5"])
def test_invalid_overlap(known: InMemoryServer, overlap: str) -> None:
    """An invalid overlap is refused, and no secret is issued."""
    answer = known.ask(f"POST /v1/devices/{READER}/secret?overlap={overlap}")
    assert answer.code == 400
    assert known.device(READER)["proof"] == []
