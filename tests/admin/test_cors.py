"""Tests of :mod:`pushd.admin.cors`: web pages of other origins that call the API."""

import pytest

from tests.connection import Response, request
from tests.in_memory_server import BuildServer, InMemoryServer

PAGE = "https://app.example.org"
PREFLIGHT = ("Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type")


@pytest.fixture
def server(build_server: BuildServer) -> InMemoryServer:
    """A server whose API the pages of two origins may call."""
    return build_server(cors_origins=(PAGE, "http://localhost:3000"))


def cors_headers(answer: Response) -> dict[str, str]:
    """The headers that concern pages."""
    return {
        name: value for name, value in answer.headers.items() if name.startswith("access-control") or name == "vary"
    }


def test_preflight_request_needs_no_token(server: InMemoryServer) -> None:
    """A browser asks, without the token, what a page may send."""
    answer = server.call(request("OPTIONS /v1/devices/controlid:7/open", b"", f"Origin: {PAGE}", *PREFLIGHT)).answer()
    assert (answer.code, answer.body) == (204, b"")
    assert "content-type" not in answer.headers
    assert cors_headers(answer) == {
        "vary": "Origin",
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "GET, POST, PATCH, DELETE",
        "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, Last-Event-ID",
        "access-control-max-age": "600",
    }


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
def test_page_reads_responses_and_errors(server: InMemoryServer, origin: str) -> None:
    """A page whose origin is allowed may read any response, also an error."""
    expected = {"vary": "Origin", "access-control-allow-origin": origin}
    answer = server.ask("GET /v1/devices", None, f"Origin: {origin}")
    assert (answer.code, cors_headers(answer)) == (200, expected)
    answer = server.call(request("GET /v1/devices", b"", f"Origin: {origin}")).answer()
    assert (answer.code, cors_headers(answer)) == (401, expected)
    answer = server.ask("GET /v1/devices/controlid:7", None, f"Origin: {origin}")
    assert (answer.code, cors_headers(answer)) == (404, expected)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{PAGE}.evil.example", "http://app.example.org"])
def test_pages_of_other_origins_read_nothing(server: InMemoryServer, origin: str) -> None:
    """A page of any other origin gets no permission, and no preflight response."""
    answer = server.ask("GET /v1/devices", None, f"Origin: {origin}")
    assert (answer.code, cors_headers(answer)) == (200, {"vary": "Origin"})
    answer = server.call(request("OPTIONS /v1/devices", b"", f"Origin: {origin}", *PREFLIGHT)).answer()
    assert (answer.code, cors_headers(answer)) == (405, {"vary": "Origin"})


def test_requests_without_a_page(server: InMemoryServer) -> None:
    """What no page sends is answered as ever; caches are warned that the response depends on the origin."""
    assert cors_headers(server.ask("GET /v1/devices")) == {"vary": "Origin"}
    answer = server.call(request("OPTIONS /v1/devices", b"", f"Origin: {PAGE}")).answer()
    assert answer.code == 405


def test_only_the_api_is_for_pages(server: InMemoryServer) -> None:
    """Health checks and other paths have no such headers."""
    for line in ("GET /healthz", "GET /v2/devices", "OPTIONS /healthz"):
        assert cors_headers(server.call(request(line, b"", f"Origin: {PAGE}", *PREFLIGHT)).answer()) == {}


def test_event_stream(server: InMemoryServer) -> None:
    """A page may read the event stream."""
    stream = server.begin("GET /v1/events/stream", None, f"Origin: {PAGE}")
    assert f"Access-Control-Allow-Origin: {PAGE}\r\n".encode() in stream.transport.value()


def test_off_by_default(build_server: BuildServer) -> None:
    """Without the option there are no such headers, and OPTIONS is no method of any path."""
    server = build_server()
    assert cors_headers(server.ask("GET /v1/devices", None, f"Origin: {PAGE}")) == {}
    answer = server.call(request("OPTIONS /v1/devices", b"", f"Origin: {PAGE}", *PREFLIGHT)).answer()
    assert (answer.code, cors_headers(answer)) == (405, {})
