"""What the generator says to a server: whole requests, with ``{i}`` for a device's number, ``{m}`` for a message's id
and ``{u}`` for the name of a poll.

All peers speak the paths of our Server-Eye dialect and of our admin API, as far as they go; Redis speaks its own.
"""

from collections.abc import Mapping

from attrs import evolve, frozen

DEVICE = "bench{i}"
"""A container's id."""

SERVER_EYE = "Server-Eye"
CONTROL_ID = "Control iD"


@frozen(kw_only=True)
class Speech:
    """The requests of one dialect."""

    poll: str
    put: str
    ack: str = ""
    result: str = ""
    mark: str = ""
    """What stands before the message's id in an answer that brings one; without it, any answer with a body does."""
    proto: str = "http"
    before: str = ""
    """What a device says once, before its first poll."""
    ask: str = ""
    """What an operator asks."""

    def settings(self, *names: str) -> Mapping[str, str]:
        """These requests, and how to read the answers, as settings of the generator."""
        return {name: getattr(self, name) for name in (*names, "poll", "mark", "proto", "before")}


def request(line: str, body: str | None = None, *headers: str) -> str:
    """A request over HTTP."""
    lines = [f"{line} HTTP/1.1", "Host: bench", *headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", body or ""])


def server_eye(token: str) -> Speech:
    """A container, and an operator with this token."""
    bearer = f"Authorization: Bearer {token}"
    device = f"/v1/devices/servereye:{DEVICE}"
    return Speech(
        poll=request(f"GET /push/{DEVICE}"),
        ack=request(f"POST /push/{DEVICE}/ack/{{m}}", ""),
        result=request(f"POST /push/{DEVICE}/result/{{m}}", '{"success":true,"message":"done","data":""}'),
        put=request(
            f"POST {device}/commands",
            '{"payload":{"control":"REFRESH_AGENT","data":{"agent":3}},"lease":3600}',
            bearer,
        ),
        mark='"messageId"',
        ask=request("GET /v1/devices/servereye:bench0", None, bearer),
    )


def control_id(token: str) -> Speech:
    """A reader, and an operator with this token."""
    return Speech(
        poll=request("GET /push?deviceId={i}&uuid={u}"),
        result=request("POST /result?deviceId={i}&uuid={u}&endpoint=load_objects", '{"response":""}'),
        put=request(
            "POST /v1/devices/controlid:{i}/commands",
            '{"payload":{"endpoint":"load_objects","body":{"object":"users"}},"lease":3600}',
            f"Authorization: Bearer {token}",
        ),
    )


def fresh(poll: str) -> str:
    """The same poll, with which the connection ends."""
    return poll.replace("Host: bench", "Host: bench\r\nConnection: close")


REDIS = Speech(
    before="XGROUP CREATE queue:{i} devices $ MKSTREAM",
    poll="XREADGROUP GROUP devices one COUNT 1 BLOCK 0 STREAMS queue:{i} >",
    result="XACK queue:{i} devices {m}",
    put='XADD queue:{i} * payload {"control":"REFRESH_AGENT","data":{"agent":3}}',
    proto="resp",
)
"""A stream for each device: put, take, acknowledge; three writes, each in the file before its answer."""

PEERS = server_eye("none")
"""A peer that speaks our paths, and looks at no token."""

PLAIN = evolve(PEERS, mark="")
"""A peer that hands on what was put, as it is."""
