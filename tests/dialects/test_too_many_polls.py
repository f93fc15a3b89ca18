"""Tests of polls beyond the number that the limit of open files allows, in both dialects."""

import pytest

from pushd.core.devices.admission import AdmissionMode
from pushd.core.devices.device_service import MAX_REFUSALS, REFUSAL_DELAY
from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer

REFUSED = {
    "GET /push?deviceId=7": (200, b""),
    "GET /push/c": (503, b'{"success":false,"message":"Too many polls are held; try again."}'),
}


@pytest.fixture
def full(build_server: BuildServer) -> InMemoryServer:
    """A server that holds as many polls as it can, one of each dialect."""
    server = build_server()
    server.core.poll_registry.limit = 2
    for device in ("controlid:1", "servereye:one", "controlid:7", "servereye:c"):
        server.register(device)
    for line in ("GET /push?deviceId=1", "GET /push/one"):
        server.device_request(request(line))
    return server


@pytest.mark.parametrize("line", REFUSED)
def test_poll_is_refused_slowly(full: InMemoryServer, line: str) -> None:
    """A poll too many is refused after five seconds, since clients poll again at once; later it is held."""
    connection = full.device_request(request(line))
    full.clock.advance(REFUSAL_DELAY - 1)
    assert connection.answers() == []
    full.clock.advance(1)
    answer = connection.answer()
    assert (answer.code, answer.body) == REFUSED[line]
    assert connection.closed_by_server  # another device may need its place
    full.clock.advance(60)  # the polls that were held have ended
    connection = full.device_request(request(line))
    full.clock.advance(REFUSAL_DELAY)
    assert connection.answers() == []


def test_device_that_is_polling_polls_again(full: InMemoryServer) -> None:
    """A device whose poll is held can replace it by a newer one, and gets its command."""
    newer = full.device_request(request("GET /push/one"))
    full.clock.advance(REFUSAL_DELAY)
    assert newer.answers() == []
    full.put("servereye:one", {"control": "a"})
    assert newer.answer().json["success"] is True


@pytest.mark.parametrize("admission", [AdmissionMode.OPEN, AdmissionMode.APPROVE])
@pytest.mark.parametrize("proofs", [False, True], ids=["", "require-proof"])
def test_unknown_devices_leave_places_for_known_ones(
    build_server: BuildServer, admission: AdmissionMode, proofs: bool
) -> None:
    """However many unknown and pending devices poll, half of the places is left for devices that are approved."""
    server = build_server(admission=admission, require_proof=proofs, max_pending=3)
    server.core.poll_registry.limit = 12
    known = [f"controlid:{number}" for number in range(6)]
    for device in known:
        server.register(device, allow_from=["0.0.0.0/0"])
    unknown = [server.device_request(request(f"GET /push?deviceId={number}")) for number in range(100, 200)]
    assert [connection.answers() == [] for connection in unknown[:6]] == [True] * 6
    for number in range(6):
        server.device_request(request(f"GET /push?deviceId={number}"))
    server.clock.advance(REFUSAL_DELAY)
    assert [server.device(device)["polling"] for device in known] == [True] * 6
    assert [connection.answers() == [] for connection in unknown] == [True] * 6 + [False] * 94


def test_polls_of_unknown_devices_are_refused_at_once_when_many_are(full: InMemoryServer) -> None:
    """Some wait five seconds for their refusal; each keeps a file open, so the others are refused at once."""
    refused = [full.device_request(request(f"GET /push/new{number}")) for number in range(MAX_REFUSALS + 8)]
    assert [connection.closed_by_server for connection in refused] == [False] * MAX_REFUSALS + [True] * 8
    refused[0].hang_up()
    assert full.device_request(request("GET /push/another")).answers() == []
    full.clock.advance(REFUSAL_DELAY)
    assert all(connection.answer().code == 503 for connection in refused[1:])


def test_results_are_taken(full: InMemoryServer) -> None:
    """Results and sign-offs of any device are taken, however many polls are held."""
    assert full.device_request(request("POST /push/one/result/m", b'{"success":true}')).answer().code == 200
    assert full.device_request(request("GET /push/other/signoff")).answer().code == 200
