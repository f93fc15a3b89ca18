"""Tests of :mod:`pushd.admin.webhooks`; deliveries are tested in ``tests/notifications``."""

from typing import Any

import pytest

from pushd.core.notification_tester import ReceiverAnswer
from pushd.model.token import Role
from pushd.model.webhook import Subscription
from tests.in_memory_server import InMemoryServer
from tests.results import result_of

URL = "https://receiver.example/hook"

SHOWN_URL = "https://receiver.example/***hook"
"""The same in lists."""

FIELDS = (
    "id url format types devices sites tags include_result parallel created_at cursor disabled_at disabled_reason"
    " failing_since next_attempt_at"
).split()

CALLS = (
    "GET /v1/webhooks",
    "GET /v1/webhooks/{id}",
    "GET /v1/webhooks/{id}/deliveries",
    "POST /v1/webhooks",
    "PATCH /v1/webhooks/{id}",
    "DELETE /v1/webhooks/{id}",
    "POST /v1/webhooks/{id}/secret",
    "POST /v1/webhooks/{id}/redeliver",
    "POST /v1/webhooks/{id}/test",
)


def subscribe(server: InMemoryServer, **fields: Any) -> dict[str, Any]:
    """A new webhook."""
    answer = server.ask("POST /v1/webhooks", {"url": URL, **fields})
    assert answer.code == 201, answer.body
    found: dict[str, Any] = answer.json
    return found


def test_subscribe(server: InMemoryServer) -> None:
    """A webhook is created with its filter, and its secret is shown then and never again."""
    server.register("controlid:1")
    answer = server.ask(
        "POST /v1/webhooks",
        {"url": URL, "types": ["command.failed"], "devices": ["controlid:1"], "sites": ["Lisbon"], "tags": ["door"]}
        | {"format": "slack", "include_result": True, "parallel": 4},
    )
    assert answer.code == 201
    webhook = answer.json
    assert answer.headers["location"] == f"/v1/webhooks/{webhook['id']}"
    assert webhook.pop("secret").startswith("whsec_")
    assert list(webhook) == FIELDS
    assert webhook == {
        **dict.fromkeys(FIELDS),
        "id": webhook["id"],
        "url": URL,
        "format": "slack",
        "types": ["command.failed"],
        "devices": ["controlid:1"],
        "sites": ["Lisbon"],
        "tags": ["door"],
        "include_result": True,
        "parallel": 4,
        "created_at": "2027-01-15T08:00:00.000Z",
        "cursor": server.core.epochs.event_id(result_of(server.store.last_event())),
    }
    assert server.ask(f"GET /v1/webhooks/{webhook['id']}").json == webhook
    assert server.ask("GET /v1/webhooks").json == {"items": [webhook | {"url": SHOWN_URL}], "next": None}


def test_defaults(server: InMemoryServer) -> None:
    """A webhook with a URL only gets all events, one at a time."""
    webhook = subscribe(server, types=None)
    assert (webhook["types"], webhook["tags"], webhook["parallel"]) == ([], [], 1)
    assert (webhook["devices"], webhook["sites"]) == ([], [])
    assert (webhook["format"], webhook["include_result"]) == ("standard", False)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.slack.com/services/T0/B0/XyZ9kW", "https://hooks.slack.com/***Z9kW"),
        ("https://ntfy.example:8443/doors?auth=QmVhcmVy", "https://ntfy.example:8443/***cmVy"),
        ("https://receiver.example/a", "https://receiver.example/***a"),
        ("https://receiver.example?key=secret", "https://receiver.example/***cret"),
        ("https://receiver.example/", "https://receiver.example/"),
    ],
)
def test_urls_are_secrets(server: InMemoryServer, url: str, shown: str) -> None:
    """A list shows of a URL its host and its last four characters; the webhook itself has all of it."""
    webhook = subscribe(server, url=url)
    assert server.ask("GET /v1/webhooks").json["items"][0]["url"] == shown
    assert server.ask(f"GET /v1/webhooks/{webhook['id']}").json["url"] == webhook["url"]


def test_devices_are_named_by_their_ids(server: InMemoryServer) -> None:
    """The devices of a webhook are kept by their canonical ids, whether they exist or not."""
    webhook = subscribe(server, devices=["controlid:007", "servereye:C"])
    assert webhook["devices"] == ["controlid:7", "servereye:C"]


def test_change(server: InMemoryServer) -> None:
    """A change sets the named fields; null resets a field."""
    path = f"/v1/webhooks/{subscribe(server, tags=['door'], parallel=2)['id']}"
    changed = server.ask(f"PATCH {path}", {"types": ["device.offline"], "url": "http://other.example/"}).json
    assert (changed["types"], changed["url"], changed["tags"]) == (
        ["device.offline"],
        "http://other.example/",
        ["door"],
    )
    changed = server.ask(f"PATCH {path}", {"format": "ntfy", "sites": ["Lisbon"], "include_result": True}).json
    assert (changed["format"], changed["sites"], changed["include_result"]) == ("ntfy", ["Lisbon"], True)
    changed = server.ask(f"PATCH {path}", {"format": None, "sites": None, "include_result": None}).json
    assert (changed["format"], changed["sites"], changed["include_result"]) == ("standard", [], False)
    changed = server.ask(f"PATCH {path}", {"types": None, "tags": None, "parallel": None}).json
    assert (changed["types"], changed["tags"], changed["parallel"]) == ([], [], 1)
    assert server.ask(f"PATCH {path}", {}).json == changed
    assert server.ask(f"GET {path}").json == changed


def test_delete(server: InMemoryServer) -> None:
    """A deleted webhook is gone."""
    path = f"/v1/webhooks/{subscribe(server)['id']}"
    assert server.ask(f"DELETE {path}").code == 204
    server.ask(f"GET {path}").problem(404)
    server.ask(f"DELETE {path}").problem(404)


def test_rotate_the_secret(server: InMemoryServer) -> None:
    """A secret is replaced, and the new one shown once."""
    webhook = subscribe(server)
    answer = server.ask(f"POST /v1/webhooks/{webhook['id']}/secret?overlap=3600")
    assert answer.code == 201
    assert answer.json["secret"].startswith("whsec_")
    assert answer.json["secret"] != webhook["secret"]
    assert b"whsec_" not in server.ask(f"GET /v1/webhooks/{webhook['id']}").body


@pytest.mark.parametrize("overlap", ["-1", "x", "2592001"])
def test_invalid_overlap(server: InMemoryServer, overlap: str) -> None:
    """An overlap is a number of seconds, up to 30 days."""
    webhook = subscribe(server)
    server.ask(f"POST /v1/webhooks/{webhook['id']}/secret?overlap={overlap}").problem(400)


def test_paging(server: InMemoryServer) -> None:
    """All pages together are the whole list."""
    ids = [subscribe(server)["id"] for _ in range(5)]
    first = server.ask("GET /v1/webhooks?limit=3").json
    second = server.ask(f"GET /v1/webhooks?limit=3&cursor={first['next']}").json
    assert [item["id"] for item in first["items"] + second["items"]] == ids
    assert second["next"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/url"),
        ({"url": None}, "#/url"),
        ({"url": 5}, "#/url"),
        ({"url": "example.com"}, "#/url"),
        ({"url": "http://127.0.0.1:9000/"}, "#/url"),
        ({"url": "http://169.254.169.254/latest/meta-data/"}, "#/url"),
        ({"url": URL, "types": ["device.exploded"]}, "#/types/0"),
        ({"url": URL, "types": "device.offline"}, "#/types"),
        ({"url": URL, "tags": [5]}, "#/tags/0"),
        ({"url": URL, "tags": ["x" * 300]}, "#/tags/0"),
        ({"url": URL, "format": "teams"}, "#/format"),
        ({"url": URL, "include_result": 1}, "#/include_result"),
        ({"url": URL, "sites": "Lisbon"}, "#/sites"),
        ({"url": URL, "devices": ["controlid:1", "lobby"]}, "#/devices/1"),
        ({"url": URL, "parallel": 0}, "#/parallel"),
        ({"url": URL, "parallel": 17}, "#/parallel"),
        ({"url": URL, "parallel": 1.5}, "#/parallel"),
        ({"url": URL, "cursor": "1"}, "#/cursor"),
        ({"url": URL, "secret": "mine"}, "#/secret"),
        ([], "#"),
    ],
)
def test_wrong_fields(server: InMemoryServer, body: Any, pointer: str) -> None:
    """A wrong field is named, and nothing is subscribed."""
    problem = server.ask("POST /v1/webhooks", body).problem(422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert server.ask("GET /v1/webhooks").json["items"] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": None}, "#/url"),
        ({"url": "http://10.0.0.1/"}, "#/url"),
        ({"parallel": 99}, "#/parallel"),
        ({"id": None}, "#/id"),
        ({"disabled_at": None}, "#/disabled_at"),
        ({"colour": None}, "#/colour"),
    ],
)
def test_wrong_changes(server: InMemoryServer, body: Any, pointer: str) -> None:
    """A wrong change is named, and nothing is changed."""
    webhook = subscribe(server)
    problem = server.ask(f"PATCH /v1/webhooks/{webhook['id']}", body).problem(422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    del webhook["secret"]
    assert server.ask(f"GET /v1/webhooks/{webhook['id']}").json == webhook


@pytest.mark.parametrize("body", [{"after": 5}, {"after": "x"}, {"after": "-1"}, {"after": "99"}, {"from": "1"}])
def test_invalid_redelivery(server: InMemoryServer, body: Any) -> None:
    """A redelivery starts after an event that exists."""
    webhook = subscribe(server)
    problem = server.ask(f"POST /v1/webhooks/{webhook['id']}/redeliver", body).problem(422)
    assert problem["errors"][0]["pointer"] in ("#/after", "#/from")


def test_redelivery_without_a_body(server: InMemoryServer) -> None:
    """Without a body, deliveries continue where they stopped."""
    webhook = subscribe(server)
    assert server.ask(f"POST /v1/webhooks/{webhook['id']}/redeliver").json["cursor"] == webhook["cursor"]


def test_limit(server: InMemoryServer) -> None:
    """There may be 64 webhooks."""
    for _ in range(64):
        subscribe(server)
    assert server.ask("POST /v1/webhooks", {"url": URL}).problem(409)["type"] == "too-many-webhooks"


@pytest.mark.parametrize("path", ["", "/secret", "/redeliver", "/deliveries"])
def test_unknown_webhook(server: InMemoryServer, path: str) -> None:
    """Every call for an unknown webhook is 404."""
    method = "POST" if path in ("/secret", "/redeliver") else "GET"
    server.ask(f"{method} /v1/webhooks/x{path}").problem(404)


@pytest.mark.parametrize("line", CALLS)
def test_roles(server: InMemoryServer, line: str) -> None:
    """Webhooks are an admin's alone: they carry events of all devices out of the server."""
    server.core.notification_tester.post = answer_at_once
    call = line.format(id=subscribe(server)["id"])
    body = {"url": URL} if line.startswith(("POST /v1/webhooks", "PATCH")) and "{id}/" not in line else None
    for other in (Role.VIEWER, Role.OPERATOR):
        server.ask(call, body, role=other).problem(403)
    assert server.ask(call, body).code in (200, 201, 204)


async def answer_at_once(_subscription: Subscription) -> ReceiverAnswer:
    """Send no test message."""
    return ReceiverAnswer(status=204, duration=0.25, error=None)


def test_tests_are_limited(server: InMemoryServer) -> None:
    """A webhook can be tested ten times a minute, and then again as soon as the first of these is a minute ago."""
    server.core.notification_tester.post = answer_at_once
    first, other = subscribe(server)["id"], subscribe(server)["id"]
    for _ in range(10):
        answer = server.ask(f"POST /v1/webhooks/{first}/test")
        assert answer.json == {"status": 204, "duration": 0.25, "error": None}
        server.clock.advance(1)
    refused = server.ask(f"POST /v1/webhooks/{first}/test")
    assert refused.problem(429)["type"] == "too-many-tests"
    assert refused.headers["retry-after"] == "50"
    assert server.ask(f"POST /v1/webhooks/{other}/test").code == 200
    server.clock.advance(49.9)
    server.ask(f"POST /v1/webhooks/{first}/test").problem(429)
    server.clock.advance(0.1)
    assert server.ask(f"POST /v1/webhooks/{first}/test").code == 200
    server.ask(f"POST /v1/webhooks/{first}/test").problem(429)


def test_tests_of_deleted_webhooks_are_forgotten(server: InMemoryServer) -> None:
    """However many webhooks are made, tested and deleted, no more is kept than for a minute."""
    tester = server.core.notification_tester
    tester.post = answer_at_once
    for _ in range(3):
        path = f"/v1/webhooks/{subscribe(server)['id']}"
        server.ask(f"POST {path}/test")
        server.ask(f"DELETE {path}")
        server.clock.advance(60)
    assert len(tester._webhook_tests) == 1


def test_wrong_tests(server: InMemoryServer) -> None:
    """A test has no fields, needs a webhook, and one that delivers."""
    webhook = subscribe(server)["id"]
    problem = server.ask(f"POST /v1/webhooks/{webhook}/test", {"url": URL}).problem(422)
    assert problem["errors"][0]["pointer"] == "#/url"
    server.ask("POST /v1/webhooks/x/test").problem(404)
    server.ask(f"POST /v1/webhooks/{webhook}/test").problem(503)


def test_store_is_down(server: InMemoryServer) -> None:
    """If the store does not answer, a call is 503."""
    server.token_of(Role.ADMIN)
    server.fail_store()
    server.ask("POST /v1/webhooks", {"url": URL}).problem(503)
