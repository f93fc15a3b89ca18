"""Fuzz tests of both ports: requests made of known and of arbitrary parts."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from pushd.model.token import Role
from tests.connection import Connection, request
from tests.in_memory_server import BuildServer, InMemoryServer

METHODS = st.sampled_from(["GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW", "get", "Post", "delete", "-"])
TEXTS = st.text(max_size=8) | st.sampled_from(["7", "controlid:7", "servereye:c", "c", "x", "5", "now", "", "\0"])
ODD = st.binary(max_size=6)


def spelled(known: list[str]) -> st.SearchStrategy[str]:
    """A known value or any other, percent-encoded for a path or a query."""
    other = st.one_of(TEXTS.map(lambda text: text.encode("utf-8", "replace")), ODD)
    return st.sampled_from(known) | other.map(lambda value: quote(value, safe=""))


def lines(templates: list[str], segments: list[str], names: list[str]) -> st.SearchStrategy[str]:
    """Request lines of these paths with these segments and parameters, and of any others."""
    segment = spelled(segments)
    filled = st.builds(str.format, st.sampled_from(templates), segment, segment)
    path = filled | st.lists(segment, max_size=6).map(lambda parts: "/" + "/".join(parts))
    pairs = st.lists(st.tuples(spelled(names), spelled(["7", "1", "a", "controlid:7"])).map("=".join), max_size=4)
    return st.builds("{} {}?{}".format, METHODS, path, pairs.map("&".join))


DEVICE_LINES = lines(
    ["/push", "/result", "/api/push", "/d/{}/push", "/push/{}", "/1/push/{}/ack/{}", "/push/{}/result/{}"],
    ["c", "m", "7", "push", "result", "d", "%2F"],
    ["deviceId", "uuid", "endpoint", "apiKey"],
)
ADMIN_LINES = lines(
    (
        "/v1/devices /v1/devices/{} /v1/devices/{}/commands /v1/devices/{}/orphans /v1/devices/{}/secret /v1/commands"
        " /v1/commands/{} /v1/commands/{}/cancel /v1/commands/{}/resolve /v1/commands/{}/resend /v1/events /{}"
    ).split(),
    ["controlid:7", "servereye:c", "v1", "x"],
    "limit cursor q tag device state since after wait type overlap queue presence admission dialect".split(),
)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    "id payload endpoint body ttl name tags admission hold delivery success data message response error"
    " transactions_results control allow_from muted_until transactions priority not_before state note"
).split()
OBJECTS = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4)
NESTED = st.fixed_dictionaries({"payload": OBJECTS}, optional={"ttl": JSON, "priority": JSON, "delivery": JSON})
BODIES = st.binary(max_size=20) | st.one_of(JSON, OBJECTS, NESTED).map(lambda value: json.dumps(value).encode())
HEADERS = st.lists(
    st.builds(
        "{}: {}".format,
        st.sampled_from(
            ["Content-Type", "X-Forwarded-For", "Idempotency-Key", "X-Api-Key", "Authorization", "Cookie"]
        ),
        ODD.map(lambda value: value.translate(None, b"\r\n\0").decode("latin-1")),
    ),
    max_size=2,
)
ANYTHING = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)


@pytest.fixture
def known(build_server: BuildServer) -> InMemoryServer:
    """A server with a device of each dialect, each with a command that was sent."""
    server = build_server(bases=(b"/api",))
    for device, payload in (("controlid:7", {"endpoint": "a"}), ("servereye:c", {"control": "a"})):
        server.register(device)
        server.put(device, payload, delivery="at_least_once", max_attempts=1000)
    for line in ("GET /push?deviceId=7&uuid=a", "GET /push/c"):
        server.device_request(request(line))
    return server


def answered(server: InMemoryServer, connection: Connection) -> Any:
    """The response to a request, however long it is held; it is no server error, and forbids caching."""
    server.clock.advance(60)
    (answer, *_) = connection.answers()
    connection.hang_up()
    assert answer.code < 500
    assert answer.headers["cache-control"] == "no-store"
    return answer


@ANYTHING
@given(DEVICE_LINES, BODIES, HEADERS)
def test_any_request_of_a_device(known: InMemoryServer, line: str, body: bytes, headers: list[str]) -> None:
    """Whatever a device sends, the response is a success or a client error."""
    answer = answered(known, known.device_request(request(line, body, *headers)))
    assert answer.code in (200, 400, 403, 404, 405)


@ANYTHING
@given(ADMIN_LINES, BODIES, HEADERS)
def test_any_call_of_an_operator(known: InMemoryServer, line: str, body: bytes, headers: list[str]) -> None:
    """Whatever an API client sends, the response is JSON but for the page at the root, and an error is a problem."""
    token = f"Authorization: Bearer {known.token_of(Role.ADMIN)}"
    answer = answered(known, known.call(request(line, body, *headers, token)))
    if answer.code >= 400 and answer.body:
        answer.problem(answer.code)
    elif answer.body and answer.headers["content-type"] != "text/html; charset=utf-8":
        assert answer.json is not None


LINES = st.sampled_from(
    [
        b"GET /push/c/signoff HTTP/1.1",
        b"POST /push/c/result/m HTTP/1.1",
        b"GET /healthz HTTP/1.0",
        b"POST http://a/v1/devices HTTP/1.1",
        b"Host: a",
        b"Host:",
        b"Content-Length: 2",
        b"Content-Length: " + b"9" * 5000,
        b"Content-Length: -1",
        b"Content-Length: 0x2",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"Connection: close",
        b"Connection: upgrade, \xff",
        b"Expect: 100-continue",
        b"Expect: \xff",
        b"Content-Encoding: gzip",
        b" folded",
        b"",
        b"{}",
        b"2",
        b"ffffffffffffffffff",
        b"0",
        b"2;x=" + b"y" * 2000,
        b"PRI * HTTP/2.0",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1",
    ]
)
BYTES = st.lists(LINES | st.binary(max_size=30), max_size=14).map(b"\r\n".join)


@ANYTHING
@given(BYTES, st.lists(st.integers(1, 60), max_size=5), st.sampled_from(["device", "admin"]))
def test_any_bytes(known: InMemoryServer, data: bytes, cuts: list[int], port: str) -> None:
    """Whatever bytes a client sends, in whatever pieces, nothing is logged, and each response is whole."""
    connection = known.connect() if port == "device" else known.call(b"")
    with capturedLogs() as logged:
        for cut in [*cuts, len(data)]:
            if not connection.closed_by_server:
                connection.send(data[:cut])
            data = data[cut:]
        for _ in range(2):
            if not connection.closed_by_server:
                known.clock.advance(200)
        answers = connection.answers()
        connection.hang_up()
    assert logged == []
    assert all(answer.code < 500 for answer in answers)
