"""Tests of :mod:`pushd.admin.audit`: what is in the audit log, and what is not."""

import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import pytest
from twisted.logger import LogEvent, capturedLogs, formatEvent

import pushd.admin
from pushd.core.notification_tester import ReceiverAnswer, RecipientReply
from pushd.http.router import Router
from pushd.lib.ip_networks import parse_network
from pushd.model.token import Role
from pushd.model.webhook import Subscription
from tests.connection import Response, request
from tests.in_memory_server import CLIENT, BuildServer, InMemoryServer

DEVICE = "controlid:7"
LOAD = {"endpoint": "create_objects", "body": {"object": "users", "values": [{"password": "payload-secret"}]}}
URL = "https://1.1.1.1/T000/url-secret-abcd"

Change = Callable[[InMemoryServer], Response]


async def _answer(subscription: Subscription) -> ReceiverAnswer:
    return ReceiverAnswer(status=204, duration=0.1, error=None)


async def _replies() -> Sequence[RecipientReply]:
    return ()


@pytest.fixture
def server(build_server: BuildServer) -> InMemoryServer:
    """A server with a device, a container and a webhook, whose test messages are answered."""
    server = build_server()
    server.core.notification_tester.post, server.core.notification_tester.mail = _answer, _replies
    server.register(DEVICE)
    server.register("servereye:c")
    server.ask("POST /v1/webhooks", {"url": URL})
    return server


def entries(server: InMemoryServer, query: str = "") -> list[dict[str, Any]]:
    """The audit log."""
    found: list[dict[str, Any]] = server.ask(f"GET /v1/audit?limit=500{query}").json["items"]
    return found


def newest(server: InMemoryServer) -> dict[str, Any]:
    """The newest entry, without its id and its time."""
    found = entries(server)[-1]
    return {name: found[name] for name in ("by", "from", "action", "object", "before", "after")}


def webhook(server: InMemoryServer) -> str:
    """The id of the webhook."""
    return str(server.ask("GET /v1/webhooks").json["items"][0]["id"])


def cancel(server: InMemoryServer) -> Response:
    """Send a command, and cancel it."""
    return server.ask(f"POST /v1/commands/{server.put(DEVICE, LOAD)}/cancel")


def lost(server: InMemoryServer) -> str:
    """A command whose outcome is unknown."""
    command = server.put(DEVICE, LOAD, lease=1, priority=9)
    server.device_request(request(f"GET /push?deviceId=7&uuid={command}")).hang_up()
    server.tick(2)
    assert server.command(command)["state"] == "unknown"
    return command


def resend(server: InMemoryServer) -> Response:
    """Send a command again that was cancelled."""
    return server.ask(f"POST /v1/commands/{cancel(server).json['id']}/resend", {})


def alert(server: InMemoryServer) -> str:
    """The id of an alert about a device that is offline."""
    server.device_request(request("GET /push?deviceId=8")).hang_up()
    server.tick(200)
    return str(server.ask("GET /v1/alerts").json["items"][0]["id"])


def token(server: InMemoryServer) -> str:
    """The path of a new token."""
    count = len(server.ask("GET /v1/tokens").json["items"])
    return f"/v1/tokens/{server.ask('POST /v1/tokens', {'name': f'token {count}', 'role': 'viewer'}).json['id']}"


def person(server: InMemoryServer, method: str, call: str = "", body: object = None) -> Response:
    """Make a call about a new person."""
    server.ask("POST /v1/people", {"name": "eva", "role": "operator", "sites": ["Lobby"]})
    return server.ask(f"{method} /v1/people/eva{call}", body)


def session(server: InMemoryServer, line: str) -> Response:
    """Change the session of an admin who has logged in."""
    answer = server.ask("POST /v1/session", {"token": server.token_of(Role.ADMIN)})
    cookie, csrf = answer.headers["set-cookie"].partition(";")[0], answer.json["csrf"]
    line = line.replace("<session>", answer.json["session"])
    return server.begin_as(f"Cookie: {cookie}", line, None, f"X-CSRF-Token: {csrf}").answer()


def opened(server: InMemoryServer) -> Response:
    """Open a device, which reports success."""
    server.register("controlid:6", facts={"opens_with": "door"})
    operator = server.begin("POST /v1/devices/controlid:6/open")
    server.device_request(request("GET /push?deviceId=6&uuid=a"))
    server.device_request(request("POST /result?deviceId=6&uuid=a", b'{"response":{}}'))
    return operator.answer()


CHANGES: Mapping[str, Change] = {
    "POST /v1/devices": lambda server: server.ask("POST /v1/devices", {"id": "controlid:9"}),
    "PATCH /v1/devices/<device>": lambda server: server.ask(f"PATCH /v1/devices/{DEVICE}", {"name": "gate"}),
    "DELETE /v1/devices/<device>": lambda server: server.ask(f"DELETE /v1/devices/{DEVICE}"),
    "POST /v1/devices/mute": lambda server: server.ask(
        "POST /v1/devices/mute", {"devices": [DEVICE], "until": "2027-01-16T00:00:00.000Z"}
    ),
    "POST /v1/devices/<device>/open": opened,
    "POST /v1/devices/<device>/secret": lambda server: server.ask(f"POST /v1/devices/{DEVICE}/secret?overlap=60"),
    "POST /v1/devices/<device>/api-key": lambda server: server.ask("POST /v1/devices/servereye:c/api-key"),
    "POST /v1/commands/<command>/cancel": cancel,
    "POST /v1/commands/<command>/resolve": lambda server: server.ask(
        f"POST /v1/commands/{lost(server)}/resolve", {"state": "failed", "note": "the door is stuck"}
    ),
    "POST /v1/commands/<command>/resend": resend,
    "POST /v1/alerts/<alert>/acknowledge": lambda server: server.ask(f"POST /v1/alerts/{alert(server)}/acknowledge"),
    "POST /v1/webhooks": lambda server: server.ask("POST /v1/webhooks", {"url": URL, "tags": ["north"]}),
    "PATCH /v1/webhooks/<webhook>": lambda server: server.ask(
        f"PATCH /v1/webhooks/{webhook(server)}", {"url": URL.replace("url", "uri")}
    ),
    "DELETE /v1/webhooks/<webhook>": lambda server: server.ask(f"DELETE /v1/webhooks/{webhook(server)}"),
    "POST /v1/webhooks/<webhook>/secret": lambda server: server.ask(f"POST /v1/webhooks/{webhook(server)}/secret"),
    "POST /v1/webhooks/<webhook>/redeliver": lambda server: server.ask(
        f"POST /v1/webhooks/{webhook(server)}/redeliver"
    ),
    "POST /v1/tokens": lambda server: server.ask("POST /v1/tokens", {"name": "yard", "role": "operator"}),
    "PATCH /v1/tokens/<token>": lambda server: server.ask(f"PATCH {token(server)}", {"sites": ["Lobby"]}),
    "DELETE /v1/tokens/<token>": lambda server: server.ask(f"DELETE {token(server)}"),
    "POST /v1/tokens/<token>/rotate": lambda server: server.ask(f"POST {token(server)}/rotate?overlap=60"),
    "POST /v1/people": lambda server: server.ask("POST /v1/people", {"name": "ana", "role": "operator"}),
    "PATCH /v1/people/<person>": lambda server: person(server, "PATCH", "", {"role": "viewer"}),
    "DELETE /v1/people/<person>": lambda server: person(server, "DELETE"),
    "POST /v1/people/<person>/invite": lambda server: person(server, "POST", "/invite"),
    "POST /v1/session": lambda server: server.ask("POST /v1/session", {"token": server.token_of(Role.ADMIN)}),
    "DELETE /v1/session": lambda server: session(server, "DELETE /v1/session"),
    "DELETE /v1/sessions/<session>": lambda server: session(server, "DELETE /v1/sessions/<session>"),
    "POST /v1/mail/test": lambda server: server.ask("POST /v1/mail/test"),
    "POST /v1/webhooks/<webhook>/test": lambda server: server.ask(f"POST /v1/webhooks/{webhook(server)}/test"),
}
"""A request for each route that changes something."""

EXCEPTIONS: Mapping[str, str] = {
    "POST /v1/devices/<device>/commands": "a command names its sender, and so do its events",
}
"""Routes that change something, and are not in the audit log; why."""


def changing_routes() -> Iterator[str]:
    """All routes of the admin port that may change something."""
    for module in pkgutil.iter_modules(pushd.admin.__path__):
        for value in vars(import_module(f"pushd.admin.{module.name}")).values():
            router = getattr(value, "router", None)
            if isinstance(router, Router):
                for rule in router.url_map.iter_rules():
                    yield from (
                        f"{method} {rule.rule}" for method in rule.methods or () if method not in ("GET", "HEAD")
                    )


def test_every_route_is_tested() -> None:
    """No change can be made that is neither in the audit log nor a known exception."""
    assert set(changing_routes()) == {*CHANGES, *EXCEPTIONS}


@pytest.mark.parametrize("route", CHANGES)
def test_every_change_is_recorded(server: InMemoryServer, route: str) -> None:
    """Each request that changes something is one entry with who did it, from where, and to what."""
    answer = CHANGES[route](server)
    assert answer.code in (200, 201, 202, 204), answer.body
    found = newest(server)
    noun, _, verb = found["action"].partition(".")
    assert (found["by"], found["from"]) == ("admin", CLIENT)
    assert noun == {"people": "person"}.get(route.split("/")[2], route.split("/")[2].removesuffix("s"))
    assert verb
    assert found["object"].startswith(f"{noun}:")
    assert (found["before"], found["after"]) != (None, None) or verb == "test"


@pytest.mark.parametrize(
    ("route", "before", "after"),
    [
        ("PATCH /v1/devices/<device>", {"name": ""}, {"name": "gate"}),
        ("POST /v1/devices/<device>/secret", None, {"overlap": 60.0}),
        ("POST /v1/commands/<command>/cancel", {"state": "queued"}, {"state": "cancelled"}),
        (
            "POST /v1/commands/<command>/resolve",
            {"state": "unknown"},
            {"state": "failed", "note": "the door is stuck"},
        ),
        ("POST /v1/alerts/<alert>/acknowledge", None, {"kind": "offline"}),
        (
            "PATCH /v1/webhooks/<webhook>",
            {"url": "https://1.1.1.1/***abcd"},
            {"url": "https://1.1.1.1/***abcd"},
        ),
        ("POST /v1/webhooks/<webhook>/secret", None, {"overlap": 0}),
        ("PATCH /v1/tokens/<token>", {"sites": None}, {"sites": ["Lobby"]}),
        ("PATCH /v1/people/<person>", {"role": "operator"}, {"role": "viewer"}),
        ("POST /v1/people/<person>/invite", None, {"expires_at": "2027-01-15T08:10:00.000Z"}),
        ("POST /v1/session", None, {"by": "token", "user_agent": None}),
        ("POST /v1/tokens/<token>/rotate", None, {"name": "token 1", "overlap": 60.0}),
    ],
)
def test_only_changed_fields(server: InMemoryServer, route: str, before: object, after: object) -> None:
    """An entry has what was changed, and nothing else."""
    CHANGES[route](server)
    found = newest(server)
    assert (found["before"], found["after"]) == (before, after)


def test_what_is_made_and_deleted(server: InMemoryServer) -> None:
    """What is new has no state before, and what was deleted none after."""
    server.ask("POST /v1/devices", {"id": "controlid:9", "name": "gate", "muted_until": "2027-01-16T00:00:00.000Z"})
    made = newest(server)
    assert (made["action"], made["object"], made["before"]) == ("device.register", "device:controlid:9", None)
    assert made["after"].items() >= {"name": "gate", "muted_until": "2027-01-16T00:00:00.000Z"}.items()
    server.ask("DELETE /v1/devices/controlid:9")
    assert newest(server) == made | {"action": "device.delete", "before": made["after"], "after": None}


def test_what_changes_nothing_is_not_recorded(server: InMemoryServer) -> None:
    """A change to what is there already, a repeated cancellation, and a refused request leave no entry."""
    command = cancel(server).json["id"]
    before = entries(server)
    server.ask(f"PATCH /v1/devices/{DEVICE}", {"name": "", "tags": []})
    server.ask(f"POST /v1/commands/{command}/cancel")
    assert server.ask(f"POST /v1/commands/{command}/resolve", {"state": "failed"}).code == 409
    assert server.ask(f"PATCH /v1/devices/{DEVICE}", {"name": "gate"}, role=Role.OPERATOR).code == 403
    assert entries(server) == before


def test_what_devices_and_the_server_do_is_not_recorded(server: InMemoryServer) -> None:
    """A device that registers itself, its commands, and what time does are not in the audit log."""
    before = entries(server)
    server.put(DEVICE, LOAD, ttl=1)
    server.device_request(request("GET /push?deviceId=8")).hang_up()
    server.tick(200)
    assert server.ask("GET /v1/alerts").json["items"]
    assert entries(server) == before


def test_no_secret_is_in_it(server: InMemoryServer, logged: Sequence[LogEvent]) -> None:
    """Neither entries nor log lines have secrets, keys, URLs of webhooks or payloads."""
    secrets = ["url-secret", "uri-secret", "payload-secret", server.token_of(Role.ADMIN)]
    for route in sorted(CHANGES, key=lambda route: route.endswith("/secret")):  # then the device needs it to poll
        if not route.startswith("DELETE "):
            answer = CHANGES[route](server).json
            secrets += [answer[name] for name in ("secret", "key", "token", "csrf") if name in answer]
            secrets += [answer["url"].partition("=")[2]] if route.endswith("/invite") else []
    text = json.dumps(entries(server)) + "".join(map(str, logged))
    assert len(secrets) == 12
    assert not [secret for secret in secrets if secret in text]


@pytest.fixture
def logged() -> Iterator[Sequence[LogEvent]]:
    """What is logged."""
    with capturedLogs() as events:
        yield events


def audit_lines(logged: Sequence[LogEvent]) -> list[str]:
    """The log lines of the audit."""
    return [formatEvent(event) for event in logged if event["log_namespace"] == "pushd.audit"]


def test_each_entry_is_logged(server: InMemoryServer, logged: Sequence[LogEvent]) -> None:
    """Each entry is one line of JSON in the log, for a log that leaves the machine."""
    before = len(entries(server))
    server.ask(f"PATCH /v1/devices/{DEVICE}", {"name": "João"})
    cancel(server)
    lines = audit_lines(logged)
    assert [json.loads(line) for line in lines] == entries(server)[before:]
    assert len(lines) == 2
    assert "\n" not in "".join(lines)


def test_what_is_not_committed_is_not_logged(server: InMemoryServer, logged: Sequence[LogEvent]) -> None:
    """If the database cannot be written, nothing was changed, and the log says nothing else."""
    server.fail_store()
    assert server.ask(f"PATCH /v1/devices/{DEVICE}", {"name": "gate"}).code == 503
    assert audit_lines(logged) == []


def test_pages(server: InMemoryServer) -> None:
    """Entries are read oldest first, each once; the last page says where the next ones will be."""
    for number in range(4):
        server.ask(f"PATCH /v1/devices/{DEVICE}", {"name": str(number)})
    expected, found, after = entries(server), [], ""
    while page := server.ask(f"GET /v1/audit?limit=3{after}").json["items"]:
        found += page
        after = f"&after={page[-1]['id']}"
    assert found == expected
    assert len({entry["id"] for entry in found}) == len(expected) == 7
    last = server.ask(f"GET /v1/audit?limit=3{after}").json
    assert last == {"items": [], "next": expected[-1]["id"]}
    server.ask(f"PATCH /v1/devices/{DEVICE}", {"name": "later"})
    [later] = server.ask(f"GET /v1/audit?after={last['next']}").json["items"]
    assert later["after"] == {"name": "later"}


def test_empty_log(build_server: BuildServer) -> None:
    """Without entries, there is a position from which to go on nevertheless."""
    server = build_server()
    empty = server.ask("GET /v1/audit").json
    assert empty["items"] == []
    server.register(DEVICE)
    assert len(entries(server, f"&after={empty['next']}")) == 1


def test_filters(server: InMemoryServer) -> None:
    """Entries of one token, and those about one object."""
    server.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "blocked"}, role=Role.OPERATOR)
    server.ask(f"PATCH /v1/devices/{DEVICE}", {"admission": "approved"})
    assert [entry["action"] for entry in entries(server, f"&object=device:{DEVICE}")] == [
        "device.register",
        "device.change",
        "device.change",
    ]
    [blocked] = entries(server, "&by=operator")
    assert (blocked["before"], blocked["after"]) == ({"admission": "approved"}, {"admission": "blocked"})
    assert entries(server, f"&by=operator&object=device:{DEVICE}") == [blocked]
    assert entries(server, "&by=ana") == []


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.DEVICE])
def test_it_is_for_admins(server: InMemoryServer, role: Role) -> None:
    """Who may do everything may see who did what."""
    assert server.ask("GET /v1/audit", role=role).code == 403


@pytest.mark.parametrize("after", ["x", "-1", "now", "5f0c8a41e7d2-"])
def test_position_of_another_form(server: InMemoryServer, after: str) -> None:
    """A position that cannot be one is a wrong query."""
    assert server.ask(f"GET /v1/audit?after={after}").code == 400


@pytest.mark.parametrize("after", ["0123456789ab-1", "99", "1"])
def test_position_of_another_database(server: InMemoryServer, after: str) -> None:
    """A position that this database never had is not taken for one that it has."""
    answer = server.ask(f"GET /v1/audit?after={after}")
    assert (answer.code, answer.json["type"], answer.json["oldest"]) == (
        410,
        "events-purged",
        entries(server)[0]["id"],
    )


def test_retention(build_server: BuildServer) -> None:
    """Entries are kept for their own time, longer than events; who reads on behind purged ones learns that."""
    server = build_server(keep=1, keep_audit=3)
    server.register(DEVICE)
    old = entries(server)[-1]["id"]
    server.clock.advance(2 * 86400)
    server.ask(f"PATCH /v1/devices/{DEVICE}", {"name": "gate"})
    server.ask(f"PATCH /v1/devices/{DEVICE}", {"name": "door"})
    server.purge()
    assert len(entries(server)) == 3
    server.clock.advance(1.5 * 86400)
    server.purge()
    assert len(entries(server)) == 2
    assert len(entries(server, f"&after={old}")) == 2, "nothing is missing behind it"
    server.clock.advance(3 * 86400)
    server.ask(f"PATCH /v1/devices/{DEVICE}", {"name": "wall"})
    server.purge()
    assert server.ask(f"GET /v1/audit?after={old}").code == 410
    assert len(entries(server)) == 1


def test_address_behind_a_proxy(build_server: BuildServer) -> None:
    """The address is that of the client, if a trusted proxy says so; no other client is believed."""
    for trusted, address in ((CLIENT + "/32", "198.51.100.7"), ("10.0.0.0/8", CLIENT)):
        server = build_server(trusted_proxies=(parse_network(trusted),))
        answer = server.ask("POST /v1/devices", {"id": DEVICE}, "X-Forwarded-For: 203.0.113.9, 198.51.100.7")
        assert answer.code == 201
        assert newest(server)["from"] == address
