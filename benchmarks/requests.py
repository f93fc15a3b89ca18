"""The requests that the load generator sends, as templates with ``{i}`` for a device's number, ``{m}`` for a command's
id and ``{u}`` for a poll's unique name.

All other servers implement the Server-Eye paths and the paths of the admin API, as far as they are measured; Redis has
its own protocol.
"""

from collections.abc import Mapping

from attrs import evolve, frozen

DEVICE = "bench{i}"
"""The id of a Server-Eye container."""

SERVER_EYE = "Server-Eye"
CONTROL_ID = "Control iD"


@frozen(kw_only=True)
class Requests:
    """The requests of one dialect."""

    poll: str
    put: str
    ack: str = ""
    result: str = ""
    id_marker: str = ""
    """The text before a command's id in the answer to a poll; without it, any answer with a body has a command."""
    proto: str = "http"
    setup: str = ""
    """What a device sends once, before its first poll."""
    operator_request: str = ""
    """A read request of an operator."""

    def settings(self, *names: str) -> Mapping[str, str]:
        """The generator settings for polls, and for the requests with these names."""
        return {name: getattr(self, name) for name in (*names, "poll", "id_marker", "proto", "setup")}


def request(line: str, body: str | None = None, *headers: str) -> str:
    """An HTTP request."""
    lines = [f"{line} HTTP/1.1", "Host: bench", *headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", body or ""])


def server_eye(token: str) -> Requests:
    """The requests of a Server-Eye container, and of an operator with this token."""
    authorization = f"Authorization: Bearer {token}"
    device = f"/v1/devices/servereye:{DEVICE}"
    return Requests(
        poll=request(f"GET /push/{DEVICE}"),
        ack=request(f"POST /push/{DEVICE}/ack/{{m}}", ""),
        result=request(f"POST /push/{DEVICE}/result/{{m}}", '{"success":true,"message":"done","data":""}'),
        put=request(
            f"POST {device}/commands",
            '{"payload":{"control":"REFRESH_AGENT","data":{"agent":3}},"lease":3600}',
            authorization,
        ),
        id_marker='"messageId"',
        operator_request=request("GET /v1/devices/servereye:bench0", None, authorization),
    )


def control_id(token: str) -> Requests:
    """The requests of a Control iD device, and of an operator with this token."""
    return Requests(
        poll=request("GET /push?deviceId={i}&uuid={u}"),
        result=request("POST /result?deviceId={i}&uuid={u}&endpoint=load_objects", '{"response":""}'),
        put=request(
            "POST /v1/devices/controlid:{i}/commands",
            '{"payload":{"endpoint":"load_objects","body":{"object":"users"}},"lease":3600}',
            f"Authorization: Bearer {token}",
        ),
    )


def close_after(poll: str) -> str:
    """The same poll, after which the connection is closed."""
    return poll.replace("Host: bench", "Host: bench\r\nConnection: close")


REDIS_STREAM = Requests(
    setup="XGROUP CREATE queue:{i} devices $ MKSTREAM",
    poll="XREADGROUP GROUP devices one COUNT 1 BLOCK 0 STREAMS queue:{i} >",
    result="XACK queue:{i} devices {m}",
    put='XADD queue:{i} * payload {"control":"REFRESH_AGENT","data":{"agent":3}}',
    proto="resp",
)
"""A stream for each device: put, deliver and acknowledge are three writes, each on the disk before its answer."""

PEER = server_eye("none")
"""A server that implements the paths of pushd, and checks no token."""

PLAIN = evolve(PEER, id_marker="")
"""A server that delivers what was put, unchanged."""
