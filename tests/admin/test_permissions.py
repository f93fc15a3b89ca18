"""Every call of the admin port, made with every kind of token, compared with a table of who may make it."""

import json
from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest
from attrs import define, field, frozen

from pushd.admin.port import AdminPort
from pushd.core.tokens import REFUSAL_DELAY
from pushd.model.token import Role
from tests.connection import Response, request
from tests.in_memory_server import InMemoryServer
from tests.results import result_of

INSIDE, OUTSIDE = "controlid:7", "controlid:8"
SENT, OTHER = "load_objects", "reboot"
"""Endpoints: that of tokens with one, and another."""


class Scoped(Enum):
    """What a token with a scope gets of a call that its role allows."""

    NOTHING = "nothing"  # 403
    OWN = "own"  # its devices, and what belongs to them; all else is 404
    OWN_WITHOUT_ENDPOINTS = "own without endpoints"  # the same, but 403 for a token with endpoints
    COMMANDS = "commands"  # the same, but of commands only those with its endpoints
    SENDING = "sending"  # as COMMANDS, but 403 for other endpoints
    OPENING = "opening"  # the same, with the endpoint "open"


@frozen
class Call:
    """Who may make a call."""

    line: str
    least: Role | None
    """The least role; None: no token is needed."""
    scoped: Scoped = Scoped.NOTHING
    body: object = None


ANYONE = None
VIEWER, OPERATOR, ADMIN = Role.VIEWER, Role.OPERATOR, Role.ADMIN

TABLE = (
    Call("GET /healthz", ANYONE),
    Call("GET /readyz", ANYONE),
    Call("GET /openapi.json", ANYONE),
    Call("GET /docs", ANYONE),
    Call("POST /v1/session", ANYONE, body={}),
    # reading
    Call("GET /v1/devices", VIEWER, Scoped.OWN),
    Call("GET /v1/devices/<device>", VIEWER, Scoped.OWN),
    Call("GET /v1/devices/<device>/orphans", VIEWER, Scoped.OWN_WITHOUT_ENDPOINTS),
    Call("GET /v1/commands", VIEWER, Scoped.OWN),
    Call("GET /v1/commands/<command>", VIEWER, Scoped.COMMANDS),
    Call("GET /v1/commands/<command>/explain", VIEWER, Scoped.COMMANDS),
    Call("GET /v1/events", VIEWER, Scoped.OWN),
    Call("GET /v1/events/stream", VIEWER, Scoped.OWN),
    Call("GET /v1/alerts", VIEWER, Scoped.OWN),
    Call("GET /v1/alerts/<alert>", VIEWER, Scoped.OWN),
    Call("GET /v1/catalogue/<dialect>", VIEWER, Scoped.OWN),
    Call("GET /v1/sites", VIEWER, Scoped.OWN),
    Call("GET /v1/info", VIEWER, Scoped.OWN),
    Call("GET /v1/session", VIEWER, Scoped.OWN),
    Call("GET /metrics", VIEWER),
    Call("DELETE /v1/session", VIEWER, Scoped.OWN),
    # operating
    Call("POST /v1/devices/<device>/commands", OPERATOR, Scoped.SENDING, {"payload": {"endpoint": SENT}}),
    Call("POST /v1/devices/<device>/open", OPERATOR, Scoped.OPENING),
    Call("POST /v1/commands/<command>/cancel", OPERATOR, Scoped.COMMANDS),
    Call("POST /v1/commands/<command>/resend", OPERATOR, Scoped.COMMANDS, {}),
    Call("POST /v1/commands/<command>/resolve", OPERATOR, Scoped.COMMANDS, {"state": "failed"}),
    Call("POST /v1/alerts/<alert>/acknowledge", OPERATOR, Scoped.OWN_WITHOUT_ENDPOINTS),
    Call("PATCH /v1/devices/<device>", OPERATOR, Scoped.OWN_WITHOUT_ENDPOINTS, {"admission": "approved"}),
    Call(
        "POST /v1/devices/mute",
        OPERATOR,
        Scoped.OWN_WITHOUT_ENDPOINTS,
        {"devices": ["<device>"], "until": None},
    ),
    Call("GET /v1/rejections", OPERATOR),
    # all else
    Call("PATCH /v1/devices/<device>", ADMIN, body={"tags": ["x"]}),
    Call("POST /v1/devices", ADMIN, body={}),
    Call("DELETE /v1/devices/<device>", ADMIN),
    Call("POST /v1/devices/<device>/secret", ADMIN),
    Call("POST /v1/devices/<device>/api-key", ADMIN),
    Call("GET /v1/webhooks", ADMIN),
    Call("POST /v1/webhooks", ADMIN, body={}),
    Call("GET /v1/webhooks/<webhook>", ADMIN),
    Call("PATCH /v1/webhooks/<webhook>", ADMIN, body={}),
    Call("DELETE /v1/webhooks/<webhook>", ADMIN),
    Call("POST /v1/webhooks/<webhook>/secret", ADMIN),
    Call("GET /v1/webhooks/<webhook>/deliveries", ADMIN),
    Call("POST /v1/webhooks/<webhook>/redeliver", ADMIN),
    Call("POST /v1/webhooks/<webhook>/test", ADMIN),
    Call("POST /v1/mail/test", ADMIN),
    Call("GET /v1/audit", ADMIN),
    Call("GET /v1/tokens", ADMIN),
    Call("POST /v1/tokens", ADMIN, body={}),
    Call("GET /v1/tokens/<token>", ADMIN),
    Call("PATCH /v1/tokens/<token>", ADMIN, body={}),
    Call("DELETE /v1/tokens/<token>", ADMIN),
    Call("POST /v1/tokens/<token>/rotate", ADMIN),
    Call("GET /v1/people", ADMIN),
    Call("POST /v1/people", ADMIN, body={}),
    Call("GET /v1/people/<person>", ADMIN),
    Call("PATCH /v1/people/<person>", ADMIN, body={}),
    Call("DELETE /v1/people/<person>", ADMIN),
    Call("POST /v1/people/<person>/invite", ADMIN),
    Call("GET /v1/sessions", ADMIN),
    Call("GET /v1/sessions/<session>", ADMIN),
    Call("DELETE /v1/sessions/<session>", ADMIN),
    Call("GET /v1/fsck", ADMIN),
)

INCLUDED: dict[Role, set[Role | None]] = {
    Role.DEVICE: {ANYONE},
    VIEWER: {ANYONE, VIEWER},
    OPERATOR: {ANYONE, VIEWER, OPERATOR},
    ADMIN: {ANYONE, VIEWER, OPERATOR, ADMIN},
}

SELECTORS: dict[str, dict[str, tuple[str, ...]]] = {
    "devices": {"devices": (INSIDE,)},
    "site": {"sites": ("Lobby",)},
    "tags": {"tags": ("door", "east")},
    "endpoints": {"endpoints": (SENT,)},
    "open": {"devices": (INSIDE,), "endpoints": ("open",)},
    "all": {"devices": (INSIDE, OUTSIDE), "sites": ("Lobby",), "tags": ("door",), "endpoints": (SENT, OTHER)},
}


@define(eq=False)
class World:
    """A server with two devices, of which one is in the scopes of tokens, and something of each kind for each."""

    server: InMemoryServer
    webhook: str = field(init=False)
    token: str = field(init=False)
    session: str = field(init=False)
    alerts: dict[str, str] = field(factory=dict, init=False)
    commands: dict[tuple[str, str], str] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        server = self.server
        server.register(INSIDE, site="Lobby", tags=["door", "east", "x"], heartbeat_timeout=60)
        server.register(OUTSIDE, site="Yard", tags=["door", "x"], heartbeat_timeout=60)
        for device in (INSIDE, OUTSIDE):
            server.device_request(request(f"GET /push?deviceId={device.partition(':')[2]}&uuid=u")).hang_up()
        server.tick(200)
        for alert in server.ask("GET /v1/alerts").json["items"]:
            [device] = alert["devices"]
            self.alerts[device] = alert["id"]
        for device in (INSIDE, OUTSIDE):
            for endpoint in (SENT, OTHER):
                self.commands[device, endpoint] = server.put(device, {"endpoint": endpoint}, ttl=1e6)
        webhook = server.ask("POST /v1/webhooks", {"url": "https://receiver.example/"})
        self.webhook = webhook.json["id"]
        self.token = server.ask("POST /v1/tokens", {"name": "someone", "role": "viewer"}).json["id"]
        server.ask("POST /v1/people", {"name": "ana", "role": "viewer"})
        self.session = server.ask("POST /v1/session", {"token": server.token_of(VIEWER)}).json["session"]

    def ask(self, call: Call, secret: str | None, device: str, endpoint: str = SENT) -> Response:
        """Make a call about a device, or about a command of it with an endpoint, and leave all as it was."""
        line = call.line.replace("<device>", device).replace("<command>", self.commands[device, endpoint])
        line = line.replace("<alert>", self.alerts[device]).replace("<dialect>", "controlid")
        line = line.replace("<webhook>", self.webhook).replace("<token>", self.token)
        line = line.replace("<session>", self.session).replace("<person>", "ana")
        body: Any = call.body
        if call.scoped is Scoped.SENDING:
            body = {"payload": {"endpoint": endpoint}}
        content = b"" if body is None else json.dumps(body).replace("<device>", device).encode()
        headers = [] if secret is None else [f"Authorization: Bearer {secret}"]
        connection = self.server.call(request(line, content, *headers))
        self.server.clock.advance(REFUSAL_DELAY)
        if call.line == "GET /v1/events/stream" and connection.transport.value().startswith(b"HTTP/1.1 200"):
            connection.hang_up()
            return Response(code=200, headers={}, body=b"")
        return connection.answer()


@pytest.fixture
def world(server: InMemoryServer) -> World:
    """A server to make calls to."""
    return World(server)


def routes(port: AdminPort) -> Iterator[str]:
    """All routes of the admin port, as ``GET /v1/devices``."""
    for app in {id(app): app for app in (*port.apps.values(), *port.pages.values(), port.default)}.values():
        for rule in app.router.url_map.iter_rules():
            yield from (f"{method} {rule.rule}" for method in rule.methods or () if method != "HEAD")


def test_every_route_is_in_the_table(world: World) -> None:
    """A new call must be added to the table, with who may make it."""
    assert sorted(routes(world.server.admin_port)) == sorted({call.line for call in TABLE})


def is_served(answer: Response) -> bool:
    """Whether a call was permitted; it may have been refused for another reason."""
    return answer.code not in (401, 403, 404)


@pytest.mark.parametrize("call", TABLE, ids=lambda call: call.line.replace("/v1/", ""))
def test_who_may(world: World, call: Call) -> None:
    """Without a valid token a call is 401, with too low a role or a scope that forbids it 403, and what is out of
    scope is 404.
    """
    server = world.server
    for secret in (None, "wrong", expired(server), revoked(server)):
        answer = world.ask(call, secret, INSIDE)
        assert is_served(answer) if call.least is ANYONE else answer.problem(401)["type"] == "unauthenticated"
    for role in (Role.DEVICE, VIEWER, OPERATOR):
        check_role(world, call, role)
        for name, selectors in SELECTORS.items():
            if role is not Role.DEVICE or "endpoints" not in selectors:
                check_scope(world, call, role, name, selectors)
    check_role(world, call, ADMIN)


def check_role(world: World, call: Call, role: Role) -> None:
    """Check what a token without a scope gets."""
    secret = world.server.make_token(f"a {role}", role)
    others = ("<webhook>", "<token>", "<person>", "<session>")
    is_about_devices = "<" in call.line and not any(name in call.line for name in others)
    for device in (OUTSIDE, INSIDE) if is_about_devices else (INSIDE,):
        answer = world.ask(call, secret, device)
        if call.least in INCLUDED[role]:
            assert is_served(answer), (role, device, answer)
        else:
            assert answer.problem(403)["type"] == "forbidden", role


def check_scope(world: World, call: Call, role: Role, name: str, selectors: dict[str, tuple[str, ...]]) -> None:
    """Check what a token with a scope gets."""
    secret = world.server.make_token(f"{role} by {name}", role, **selectors)
    for device in (INSIDE, OUTSIDE):
        for endpoint in (SENT, OTHER):
            code = world.ask(call, secret, device, endpoint).code
            expected = expected_code(call, role, selectors, device, endpoint)
            assert (code if code in (401, 403, 404) else 200) == expected, (role, name, device, endpoint)


def expected_code(call: Call, role: Role, selectors: dict[str, tuple[str, ...]], device: str, endpoint: str) -> int:
    """What the table says of a token with a scope; 200 stands for all that is neither 403 nor 404."""
    if call.least is ANYONE:
        return 200
    if call.least not in INCLUDED[role]:
        # a change of a device is looked at only once it is known to be in scope
        is_hidden = call.line.startswith("PATCH /v1/devices/") and role is OPERATOR and is_out(selectors, device)
        return 404 if is_hidden else 403
    if call.scoped is Scoped.NOTHING:
        return 403
    is_about_one = "<" in call.line.replace("<dialect>", "") or "<device>" in json.dumps(call.body)
    if call.scoped is Scoped.OWN_WITHOUT_ENDPOINTS and "endpoints" in selectors:
        return 404 if "<device>" in call.line and is_out(selectors, device) else 403
    if is_about_one and is_out(selectors, device):
        return 404
    if call.scoped is Scoped.OPENING:
        return 200 if "open" in selectors.get("endpoints", ("open",)) else 403
    if endpoint not in selectors.get("endpoints", (endpoint,)):
        return {Scoped.COMMANDS: 404, Scoped.SENDING: 403}.get(call.scoped, 200)
    return 200


def is_out(selectors: dict[str, tuple[str, ...]], device: str) -> bool:
    """Whether a device is out of scope."""
    return device == OUTSIDE and selectors.keys() != {"endpoints"}


def expired(server: InMemoryServer) -> str:
    """A token that has expired."""
    soon = server.core.clocks.wall_now() + 1000
    secret = server.make_token("expired", ADMIN, expires_at=soon)
    server.clock.advance(1)
    return secret


def revoked(server: InMemoryServer) -> str:
    """A token that was revoked."""
    secret = server.make_token("revoked", ADMIN)
    token = server.core.tokens.find(secret)
    assert token is not None
    result_of(server.core.tokens.delete(token.id))
    return secret
