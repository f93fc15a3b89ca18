"""The attacks of hostile clients; the time limits are those of the server for each part of a request."""

import ssl
from functools import cache
from typing import Any

from tests.connection import request
from tests.hostile_server import HEADERS
from tests.soak.hostile_clients import Attack, HostileClient, Port

HEAD_SECONDS = 20.0
IDLE_SECONDS = 80.0
BODY_SECONDS = 62.0
"""For a body of which less than two KiB arrive."""

ANSWER_SECONDS = 15.0
"""A hold of two seconds, a refusal that is delayed by five, or the time to read a large body."""

PENDING_DEVICES = 20
"""How many ids pending devices have; unknown ones have a new id each time."""

MAX_LARGE_RESULTS = 6
"""Each is stored, so that more would fill the disk."""

_MIB = 1024 * 1024
_LARGE = 16 * _MIB
_CHUNK = 4096


async def half_sent_head(client: HostileClient) -> None:
    """Send a part of a head, and no more."""
    head = request(f"GET /push?deviceId={client.number}")
    client.send(head[: client.chance.randrange(1, len(head) - 4)])
    await client.wait_closed(HEAD_SECONDS)


async def half_sent_body(client: HostileClient) -> None:
    """Send a part of a body, and no more."""
    body = request(f"POST /result?deviceId={client.number}", b"x" * 1500)
    client.send(body[: client.chance.randrange(len(body) - 1500, len(body))])
    await client.wait_closed(BODY_SECONDS)


async def slow_bytes(client: HostileClient) -> None:
    """Send a head byte by byte, some of them too slowly."""
    pause = client.chance.uniform(0.01, 0.6)
    for byte in request(f"GET /push?deviceId={client.number}"):
        client.send(bytes([byte]))
        await client.pause(pause, pause)
        if client.connection.is_closed:
            return
    await client.wait_answer(ANSWER_SECONDS)


async def endless_headers(client: HostileClient) -> None:
    """Send headers until the server closes the connection."""
    client.send(b"GET /push HTTP/1.1\r\n")
    for _ in range(1000):
        if client.connection.is_closed:
            return
        client.send(HEADERS)
        await client.pause(0, 0.02)


async def lower_case_method(client: HostileClient) -> None:
    """Send a method that does not exist."""
    client.send(request(f"get /push?deviceId={client.number}"))
    await client.wait_answer(ANSWER_SECONDS)


async def garbage(client: HostileClient) -> None:
    """Send random bytes, of which the first line ends."""
    client.send(client.chance.randbytes(client.chance.randrange(1, _CHUNK)) + b"\r\n\r\n")
    await client.wait_closed(IDLE_SECONDS)


async def tls_on_plain_port(client: HostileClient) -> None:
    """Begin TLS, as a client with an https URL does."""
    client.send(client_hello())
    await client.wait_closed(IDLE_SECONDS)


async def unexpected_large_result(client: HostileClient) -> None:
    """Send a result of 16 MiB that belongs to no command."""
    client.send(request(f"POST /result?deviceId={client.number}", nested_json(client.number % 3)))
    await client.wait_answer(BODY_SECONDS)


async def large_command(client: HostileClient) -> None:
    """Send a command of 16 MiB of nested JSON, with a valid token."""
    await _register(client)
    line = f"POST /v1/devices/controlid:{client.number}/commands"
    client.send(_authorized(client, line, nested_json(client.number % 3)))
    await client.wait_answer(BODY_SECONDS)


async def large_result(client: HostileClient) -> None:
    """Answer a command with 16 MiB of nested JSON."""
    await _register(client)
    command = {"payload": {"endpoint": "a"}}
    await client.api.post("devices", f"controlid:{client.number}", "commands", body=command)
    client.send(request(f"GET /push?deviceId={client.number}&uuid=1"))
    await client.wait_answer(ANSWER_SECONDS)
    client.send(request(f"POST /result?deviceId={client.number}&uuid=1", nested_json(client.number % 3)))
    await client.wait_answer(BODY_SECONDS)


async def pipelined_rubbish(client: HostileClient) -> None:
    """Send rubbish behind a poll that is held."""
    client.send(request(f"GET /push?deviceId={client.number}"))
    for _ in range(client.chance.randrange(1, 60)):
        client.send(client.chance.randbytes(_CHUNK))
        await client.pause(0, 0.05)
    await client.wait_closed(IDLE_SECONDS)


async def left_open(client: HostileClient) -> None:
    """Connect, perhaps send a request, and leave the connection open."""
    if client.chance.random() < 0.5:
        client.send(request("GET /nothing"))
        await client.wait_answer(ANSWER_SECONDS)
    await client.wait_closed(IDLE_SECONDS)


async def unknown_device(client: HostileClient) -> None:
    """Poll as a device that does not exist."""
    path = f"/push?deviceId={client.number}" if client.chance.random() < 0.5 else f"/push/unknown{client.number}"
    client.send(request(f"GET {path}"))
    await client.wait_answer(ANSWER_SECONDS)


async def pending_device(client: HostileClient) -> None:
    """Poll, or report, as a device that was not approved; several do so at once."""
    number = client.chance.randrange(PENDING_DEVICES)
    lines = (
        f"GET /push?deviceId={number}",
        f"GET /push/pending{number}",
        f"POST /result?deviceId={number}&uuid={client.number}",
        f"POST /push/pending{number}/result/{client.number}",
        f"GET /push/pending{number}/signoff",
    )
    line = client.chance.choice(lines)
    client.send(request(line, b'{"response": "{}"}' if line.startswith("POST") else b""))
    await client.wait_answer(ANSWER_SECONDS)


async def wrong_token(client: HostileClient) -> None:
    """Ask the admin API with a token that it does not know."""
    path = client.chance.choice(("devices", "commands", "events/stream", "webhooks", "nothing"))
    client.send(request(f"GET /v1/{path}", b"", f"Authorization: Bearer {client.chance.randbytes(16).hex()}"))
    await client.wait_answer(ANSWER_SECONDS)


async def wrong_secret(client: HostileClient) -> None:
    """Poll below a secret path that does not exist."""
    client.send(request(f"GET /d/{client.chance.randbytes(16).hex()}/push?deviceId={client.number}"))
    await client.wait_answer(ANSWER_SECONDS)


async def oversize_query(client: HostileClient) -> None:
    """Send a query that is longer than any that a device sends."""
    client.send(request(f"GET /push?deviceId={client.number}&x=" + "x" * client.chance.randrange(1000, 100_000)))
    await client.wait_answer(ANSWER_SECONDS)


async def unread_stream(client: HostileClient) -> None:
    """Open the event stream from its beginning, with a valid token, and read nothing of it."""
    client.send(_authorized(client, "GET /v1/events/stream?after=0"))
    transport: Any = client.connection.transport
    transport.pauseProducing()
    await client.pause(1, 60)


async def _register(client: HostileClient) -> None:
    """Register a device that need not report for a day."""
    await client.api.post("devices", body={"id": f"controlid:{client.number}", "heartbeat_timeout": 86400})


def _authorized(client: HostileClient, line: str, body: bytes = b"") -> bytes:
    return request(line, body, f"Authorization: Bearer {client.api.token}")


@cache
def client_hello() -> bytes:
    """The first bytes of TLS."""
    context = ssl.create_default_context()
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(received, sent, server_hostname="pushd.example")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()
    raise AssertionError("the handshake cannot end without a server")


@cache
def nested_json(kind: int) -> bytes:
    """16 MiB of JSON: deep arrays, deep objects, or many arrays."""
    part, end = ((b"[", b"]"), (b'{"a":', b"}"), (b"[],", b""))[kind]
    depth = (_LARGE - 64) // len(part + end)
    nested = b"[" + part * depth + b"0" + b"]" if not end else part * depth + b"0" + end * depth
    return b'{"response":' + nested + b"}"


_REFUSED = frozenset({400})

LARGE_RESULT = Attack(
    "large result", large_result, frozenset({200}), Port.DEVICES, weight=0.1, at_most=MAX_LARGE_RESULTS
)

ATTACKS = (
    Attack("half-sent head", half_sent_head),
    Attack("half-sent body", half_sent_body),
    Attack("slow bytes", slow_bytes, statuses=frozenset({200, 404})),
    Attack("endless headers", endless_headers, statuses=_REFUSED),
    Attack("lower-case method", lower_case_method, statuses=frozenset({400, 404, 405})),
    Attack("garbage", garbage, statuses=_REFUSED),
    Attack("TLS on the plain port", tls_on_plain_port, statuses=_REFUSED),
    Attack("rubbish behind a poll", pipelined_rubbish, statuses=frozenset({200, 400}), port=Port.DEVICES),
    Attack("left open", left_open, statuses=frozenset({404})),
    Attack("unknown device", unknown_device, statuses=frozenset({200}), port=Port.DEVICES),
    Attack("pending device", pending_device, statuses=frozenset({200, 403}), port=Port.DEVICES),
    Attack("wrong token", wrong_token, statuses=frozenset({401, 404}), port=Port.ADMIN),
    Attack("wrong secret path", wrong_secret, statuses=frozenset({404}), port=Port.DEVICES),
    Attack("oversize query", oversize_query, statuses=frozenset({200, 400, 404})),
    Attack("unread stream", unread_stream, statuses=frozenset({200}), port=Port.ADMIN),
    Attack("unexpected large result", unexpected_large_result, frozenset({200, 413}), Port.DEVICES, weight=0.1),
    Attack("large command", large_command, frozenset({400, 413, 422}), Port.ADMIN, weight=0.1),
    LARGE_RESULT,
)
"""All attacks, with the answers that the server may give."""
