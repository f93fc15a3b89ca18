"""Tests of :mod:`pushd.admin.problem_details`: errors as ``application/problem+json``."""

import pytest

from pushd.http.bodies import LARGE, SMALL
from pushd.model.token import Role
from tests.connection import Response, request
from tests.in_memory_server import InMemoryServer

DEVICE = "controlid:7"
SEND = f"POST /v1/devices/{DEVICE}/commands"


@pytest.fixture
def known(server: InMemoryServer) -> InMemoryServer:
    """A server with one registered device."""
    server.register(DEVICE)
    return server


def raw(server: InMemoryServer, line: str, body: bytes) -> Response:
    """Make a call of the admin API with these bytes as its body."""
    return server.call(request(line, body, f"Authorization: Bearer {server.token_of(Role.ADMIN)}")).answer()


INVALID_JSON = {
    "nothing": b"",
    "half": b"{",
    "quotes": b"{'id': 7}",
    "nan": b'{"ttl": NaN}',
    "too-large": b'{"ttl": 1e999}',
    "too-long": b'{"ttl": %s}' % (b"9" * 5000),
    "too-deep": b"[" * SMALL,
    "bytes": b'"\xff"',
}


@pytest.mark.parametrize("kind", INVALID_JSON)
@pytest.mark.parametrize("line", ["POST /v1/devices", f"PATCH /v1/devices/{DEVICE}", SEND])
def test_not_json(known: InMemoryServer, line: str, kind: str) -> None:
    """A body that is not JSON is a bad request."""
    raw(known, line, INVALID_JSON[kind]).problem(400)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("POST /v1/devices", '{"id": "controlid:4408801109440198"}'),
        (f"PATCH /v1/devices/{DEVICE}", '{"name": "Main gate"}'),
        (SEND, '{"payload": {"endpoint": "load_objects"}}'),
        ("POST /v1/commands/x/resolve", '{"state": "succeeded"}'),
        ("POST /v1/webhooks", '{"url": "https://example.com/events"}'),
        ("PATCH /v1/webhooks/x", '{"types": ["command.failed"]}'),
    ],
)
def test_empty_body(known: InMemoryServer, line: str, expected: str) -> None:
    """A call without its body is a bad request that shows what is expected, and such a body is accepted."""
    detail = raw(known, line, b"").problem(400)["detail"]
    assert detail == f"The body is empty; it must be a JSON object such as {expected}."
    assert raw(known, line, expected.encode()).code in (200, 201, 404)


@pytest.mark.parametrize("line", ["POST /v1/devices", f"PATCH /v1/devices/{DEVICE}", SEND])
def test_content_type_does_not_matter(known: InMemoryServer, line: str) -> None:
    """A body is read as JSON whatever its Content-Type."""
    headers = (f"Authorization: Bearer {known.token_of(Role.ADMIN)}", "Content-Type: text/plain")
    assert known.call(request(line, b"\xef\xbb\xbf[]", *headers)).answer().code == 422


@pytest.mark.parametrize(
    ("line", "limit"), [("POST /v1/devices", SMALL), (f"PATCH /v1/devices/{DEVICE}", SMALL), (SEND, LARGE)]
)
def test_too_large(known: InMemoryServer, line: str, limit: int) -> None:
    """A body over its limit is refused and not kept; one at its limit is read."""
    refused = raw(known, line, b" " * (limit + 1)).problem(413)
    assert refused["detail"] == f"The body has {limit + 1} bytes; the limit is {limit}."
    assert raw(known, line, b" " * limit).problem(400)["detail"] == "The body is not JSON."


def test_large_command(known: InMemoryServer) -> None:
    """A command may be large: a photo, or a part of a firmware."""
    photo = {"contentType": "application/octet-stream", "queryString": "user_id=7", "body": "A" * 12_000_000}
    payload = {"endpoint": "user_set_image", **photo}
    command = known.put(DEVICE, payload)
    assert known.off_reactor == 1
    assert known.command(command)["payload"] == payload
    assert known.device_request(request("GET /push?deviceId=7")).answer().json == payload


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/nothing", "/v2/devices", "/v1//devices", "/v1/devices/", "/v1/devices/a/b/c"]
)
def test_unknown_path(server: InMemoryServer, path: str) -> None:
    """An unknown path is 404."""
    assert server.ask(f"GET {path}").problem(404)["detail"] == "There is nothing at this path."


def test_detail_of_a_wrong_method(server: InMemoryServer) -> None:
    """The error of a wrong method names the right ones."""
    problem = server.ask("DELETE /v1/devices").problem(405)
    assert problem["detail"] == "This method is not allowed here; allowed: GET, POST."


@pytest.mark.parametrize(
    ("line", "allow"),
    [
        ("DELETE /v1/devices", "GET, POST"),
        (f"PUT /v1/devices/{DEVICE}", "DELETE, GET, PATCH"),
        (f"GET /v1/devices/{DEVICE}/secret", "POST"),
        ("POST /v1/commands", "GET"),
        ("GET /v1/commands/x/cancel", "POST"),
        ("POST /v1/events", "GET"),
        ("POST /healthz", "GET, HEAD"),
    ],
)
def test_wrong_method(server: InMemoryServer, line: str, allow: str) -> None:
    """A wrong method is 405, and the answer has the right ones."""
    answer = server.ask(line)
    answer.problem(405)
    assert answer.headers["allow"] == allow


def test_head(server: InMemoryServer) -> None:
    """A HEAD request is answered without a body."""
    answer = server.ask("HEAD /v1/devices")
    assert (answer.code, answer.body, answer.headers["allow"]) == (405, b"", "GET, POST")


def test_wrong_fields(known: InMemoryServer) -> None:
    """Each wrong field has an error with a pointer to it and a text for people."""
    refused = known.ask(SEND, {"payload": {"endpoint": "a", "body": 1}, "ttl": 5}).problem(422)
    detail = "must be an object or a string"
    assert refused["errors"] == [{"pointer": "#/payload/body", "detail": detail}]
    assert refused["detail"] == f"#/payload/body: {detail}"


BODIES = {"POST /v1/devices": {"id": "controlid:8"}, SEND: {"payload": {"endpoint": "a"}}}


@pytest.mark.parametrize(
    "line",
    [
        "GET /v1/devices",
        "POST /v1/devices",
        f"PATCH /v1/devices/{DEVICE}",
        f"DELETE /v1/devices/{DEVICE}",
        f"POST /v1/devices/{DEVICE}/secret",
        f"GET /v1/devices/{DEVICE}/orphans",
        SEND,
        "GET /v1/commands",
        "GET /v1/commands/x",
        "GET /v1/commands/x?wait=5",
        "POST /v1/commands/x/cancel",
        "GET /v1/events",
        "GET /v1/events?after=now&wait=5",
        "GET /v1/events/stream",
    ],
)
def test_store_is_down(known: InMemoryServer, line: str) -> None:
    """While the store does not answer, every call is 503."""
    known.fail_store()
    known.ask(line, BODIES.get(line, {})).problem(503)
