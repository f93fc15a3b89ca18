"""The OpenAPI document has all that the admin port does; that it is true is checked at each call of all tests."""

import json
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from attrs import evolve
from jsonschema_rs import meta

import pushd.admin
from pushd.admin import principal_bodies, request_bodies
from pushd.admin.body_fields import Body
from pushd.http.error_status import STATUS
from pushd.http.router import Router
from pushd.model.event import Event, EventType, to_json
from pushd.model.webhook import TEST_TYPE, WebhookFormat
from pushd.notifications.webhooks.formats import write_message
from tests.connection import Response
from tests.in_memory_server import InMemoryServer
from tests.openapi_contract import Contract

LOAD = {"payload": {"endpoint": "load_objects"}}
SEND = "POST /v1/devices/controlid:7/commands"


@pytest.fixture
def document(server: InMemoryServer) -> Any:
    """The document, as a client gets it without a token."""
    answer = server.call(b"GET /openapi.json HTTP/1.1\r\nHost: pushd.example\r\n\r\n").answer()
    assert (answer.code, answer.headers["content-type"]) == (200, "application/json")
    return answer.json


def _routes() -> Iterator[tuple[str, str]]:
    for module in pkgutil.iter_modules(pushd.admin.__path__, "pushd.admin."):
        for thing in vars(import_module(module.name)).values():
            router = getattr(thing, "router", None)
            for rule in router.url_map.iter_rules() if isinstance(router, Router) else ():
                yield from ((method, re.sub(r"<(\w+)>", r"{\1}", rule.rule)) for method in rule.methods or ())


ROUTES = sorted(set(_routes()))


def _operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def test_each_route_is_there(document: Any) -> None:
    """The document has each call of the admin port, and no other."""
    described = [(method, path) for method, path, _ in _operations(document)]
    assert sorted(described) == ROUTES


def test_names_are_unique(document: Any) -> None:
    """Each call has a name of its own, by which generators name functions, and says what it does."""
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and operation["description"] for _, _, operation in _operations(document))


def test_roles(document: Any) -> None:
    """The role that a call requires is part of it; a call without a token says so."""
    security = {f"{method} {path}": operation["security"] for method, path, operation in _operations(document)}
    assert security["GET /healthz"] == []
    assert security["GET /v1/devices"] == [{"token": ["viewer"]}, {"session": ["viewer"]}]
    assert security["POST /v1/devices/{device}/commands"] == [{"token": ["operator"]}, {"session": ["operator"]}]
    assert security["POST /v1/tokens"] == [{"token": ["admin"]}, {"session": ["admin"]}]


def test_each_type_of_error_is_there(document: Any) -> None:
    """Each type of error occurs at some call, but those that are no part of a call, or more precisely said."""
    found = set()
    for _, _, operation in _operations(document):
        for response in operation["responses"].values():
            schema = response.get("content", {}).get("application/problem+json", {}).get("schema")
            found |= set(schema["allOf"][1]["properties"]["type"]["enum"]) if schema else set()
    assert found == STATUS.keys() - {"method-not-allowed", "conflict"}


def test_schemas_are_valid(document: Any) -> None:
    """Each schema is one of JSON Schema 2020-12, and all references lead somewhere."""
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        assert meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}), name
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references == schemas.keys()


def test_each_field_is_described(document: Any) -> None:
    """Each field of a body says what it means."""
    bodies = [name for name, body in document["components"]["schemas"].items() if body.get("examples")]
    assert "SendRequest" in bodies
    for name in bodies:
        for field, schema in document["components"]["schemas"][name]["properties"].items():
            assert schema["description"], f"{name}.{field}"


BODIES = [
    thing
    for module in (request_bodies, principal_bodies)
    for thing in vars(module).values()
    if isinstance(thing, Body)
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_each_body_is_of_a_call(document: Any, body: Body) -> None:
    """Each body that is read is in the document, and its example is as its schema says."""
    assert body is request_bodies.EMPTY or body.example
    schema = document["components"]["schemas"][body.name]
    Contract(document).validate("the example", schema, schema["examples"][0])


def _answer(code: int, body: object, **headers: str) -> Response:
    return Response(code=code, headers={"content-type": "application/json", **headers}, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("line", "sent", "answer"),
    [
        ("GET /v1/nothing", b"", _answer(200, {})),
        ("GET /v1/devices", b"", _answer(201, {"items": [], "next": None})),
        ("GET /v1/devices", b"", _answer(200, {"items": []})),
        ("GET /v1/devices", b"", _answer(200, {"items": [], "next": None, "more": 1})),
        ("GET /v1/devices", b"", _answer(200, {"items": [{"id": "controlid:7"}], "next": None})),
        ("DELETE /v1/devices/controlid:7", b"", _answer(204, {})),
        ("GET /v1/devices/controlid:7", b"", _answer(409, {"type": "device-known"})),
    ],
)
def test_contract_notices(document: Any, line: str, sent: bytes, answer: Response) -> None:
    """A response that is not as the document says fails the test in which it occurs."""
    with pytest.raises((AssertionError, KeyError)):
        Contract(document).check(line, sent, answer)


def test_contract_notices_what_was_taken(server: InMemoryServer, document: Any) -> None:
    """So does a body that was taken, and should not have been."""
    server.register("controlid:7")
    taken = server.ask(SEND, LOAD)
    Contract(document).check(SEND, json.dumps(LOAD).encode(), taken)
    with pytest.raises(AssertionError, match="which was taken"):
        Contract(document).check(SEND, json.dumps(LOAD | {"retries": 3}).encode(), taken)


_EVENT = Event(
    seq=1, type=EventType.COMMAND_SENT, at=0, device="controlid:7", command="c", data={"endpoint": "e", "attempt": 1}
)


@pytest.mark.parametrize(
    "wrong",
    [
        evolve(_EVENT, data={"endpoint": "e"}),
        evolve(_EVENT, data={"endpoint": "e", "attempt": "1"}),
        evolve(_EVENT, data={"endpoint": "e", "attempt": 1, "lease": 30}),
        evolve(_EVENT, type=EventType.COMMAND_FAILED),
        evolve(_EVENT, command=None),
    ],
)
def test_contract_notices_events(document: Any, wrong: Event) -> None:
    """An event whose data is not what the document says of its type fails the test in which it is recorded."""
    Contract(document).check_event(to_json(_EVENT))
    with pytest.raises(AssertionError, match="an event is not as"):
        Contract(document).check_event(to_json(wrong))


def test_page(server: InMemoryServer, document: Any) -> None:
    """The page for people has each call, each schema and each field, and no browser loads anything for it."""
    answer = server.call(b"GET /docs HTTP/1.1\r\nHost: pushd.example\r\n\r\n").answer()
    assert (answer.code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    page = answer.body.decode()
    markup = re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)  # examples, which are text
    assert not re.search(r"<(script|img|link|iframe|object)|\bon\w+=|url\(|@import|https?:", markup)
    for _, path, operation in _operations(document):
        assert f"id='{operation['operationId']}'" in page
        assert path in page
    for name, schema in document["components"]["schemas"].items():
        assert f"<h3 id='{name}'>" in page
        assert all(f"<code>{field}</code>" in page for field in schema.get("properties", ()))
    assert set(re.findall(r"href='#(\w+)'", page)) <= set(re.findall(r"id='(\w+)'", page))


def test_messages_to_webhooks(document: Any) -> None:
    """Messages to webhooks are as the document says, those of a test, too."""
    event = Event(seq=1, type=EventType.COMMAND_SENT, at=0, device="controlid:7", epoch="0123456789ab")
    test = {**to_json(event), "seq": None, "type": TEST_TYPE, "device": None, "data": {}}
    schema = document["webhooks"]["event"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    for shown in (to_json(event), test):
        message = write_message(WebhookFormat.STANDARD, shown)
        Contract(document).validate("a message", schema, json.loads(message.body))
