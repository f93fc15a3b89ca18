"""The client and the OpenAPI document of the server agree: values, and what calls take."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import pytest
from attrs import fields, has, resolve_types

from pushd.client import (
    Client,
    DeviceFields,
    PersonChanges,
    PersonLimits,
    SendOptions,
    TokenChanges,
    TokenLimits,
    Tokens,
    WebhookChanges,
    WebhookFields,
    Webhooks,
    values,
)
from pushd.client.connection import Call, Connection, Json
from tests.connection import request
from tests.in_memory_server import InMemoryServer

Document = Mapping[str, Any]
Schema = Mapping[str, Any]

_TYPES: Mapping[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", datetime: "string"}

PAGING = {"limit", "cursor"}

NOT_COVERED = {
    "GET /docs": "a page for people",
    "GET /openapi.json": "for tools that generate code",
    "GET /healthz": "for service managers and load balancers; no token",
    "HEAD /healthz": "the same",
    "GET /readyz": "the same",
    "HEAD /readyz": "the same",
    "GET /v1/events/stream": "Client.events has the same events, by long polling",
    "GET /v1/fsck": "for operators: pushctl fsck",
    "POST /v1/mail/test": "for operators: pushctl mail test",
    "GET /metrics": "for Prometheus",
    "POST /v1/session": "for browsers; a program sends its token with each call",
    "GET /v1/session": "the same",
    "DELETE /v1/session": "the same",
    "GET /v1/sessions": "for admins: pushctl sessions",
    "GET /v1/sessions/{session}": "the same",
    "DELETE /v1/sessions/{session}": "the same",
}
"""The calls of the API that have no method, and why."""

CALLS: Sequence[Callable[[Client], object]] = (
    lambda client: next(client.alerts()),
    lambda client: client.alert("x"),
    lambda client: client.acknowledge("x"),
    lambda client: next(client.audit()),
    lambda client: client.catalogue("x"),
    lambda client: next(client.commands()),
    lambda client: client.command("x"),
    lambda client: client.cancel("x"),
    lambda client: client.explain("x"),
    lambda client: client.resend("x"),
    lambda client: client.resolve("x", "failed"),
    lambda client: next(client.devices()),
    lambda client: client.register("x"),
    lambda client: client.mute(None, site="x"),
    lambda client: client.device("x"),
    lambda client: client.change("x", name="x"),
    lambda client: client.delete("x"),
    lambda client: client.new_api_key("x"),
    lambda client: client.send("x", {}),
    lambda client: client.open("x"),
    lambda client: next(client.orphans("x")),
    lambda client: client.new_device_secret("x"),
    lambda client: next(client.events(after="0")),
    lambda client: client.info(),
    lambda client: client.rejections(),
    lambda client: client.sites(),
    lambda client: next(client.people.list()),
    lambda client: client.people.add("x", "viewer"),
    lambda client: client.people.get("x"),
    lambda client: client.people.change("x", role="viewer"),
    lambda client: client.people.delete("x"),
    lambda client: client.people.invite("x"),
    lambda client: next(client.tokens.list()),
    lambda client: client.tokens.create("x", "viewer"),
    lambda client: client.tokens.get("x"),
    lambda client: client.tokens.change("x", name="x"),
    lambda client: client.tokens.delete("x"),
    lambda client: client.tokens.rotate("x"),
    lambda client: next(client.webhooks.list()),
    lambda client: client.webhooks.add("x"),
    lambda client: client.webhooks.get("x"),
    lambda client: client.webhooks.change("x", parallel=1),
    lambda client: client.webhooks.delete("x"),
    lambda client: next(client.webhooks.deliveries("x")),
    lambda client: client.webhooks.redeliver("x"),
    lambda client: client.webhooks.new_secret("x"),
    lambda client: client.webhooks.test("x"),
)
"""One of each call of the client, with ``x`` for each id."""

VALUES = tuple(kind for kind in vars(values).values() if isinstance(kind, type) and kind.__module__ == values.__name__)
"""The classes of the values that calls return."""


@pytest.fixture
def document(server: InMemoryServer) -> Document:
    """The OpenAPI document."""
    found: Document = server.call(request("GET /openapi.json")).answer().json
    return found


def resolved(document: Document, schema: Schema) -> Schema:
    """A schema, or the component to which it refers."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def component(document: Document, name: str) -> Mapping[str, Schema]:
    """The properties of a component; of a union, those of all its parts."""
    schema = document["components"]["schemas"][name]
    parts = [resolved(document, each)["properties"] for each in schema.get("oneOf", (schema,))]
    assert all(part.keys() == parts[0].keys() for part in parts)
    return {each: {"anyOf": [part[each] for part in parts]} for each in parts[0]}


def types_of_schema(document: Document, schema: Schema) -> set[str]:
    """The JSON types that a schema allows; empty: all."""
    schema = resolved(document, schema)
    if "anyOf" in schema:
        return set().union(*(types_of_schema(document, each) for each in schema["anyOf"]))
    types = schema.get("type", "string" if "enum" in schema else [])
    return {types} if isinstance(types, str) else set(types)


def types_of_field(kind: Any) -> set[str]:
    """The JSON types that a field of a value is read from."""
    if get_origin(kind) is UnionType:
        return set().union(*(types_of_field(each) for each in get_args(kind)))
    if kind is NoneType:
        return {"null"}
    if has(kind) or get_origin(kind) is Mapping:
        return {"object"}
    return {"array"} if get_origin(kind) is tuple else {_TYPES[kind]}


def test_all_calls(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call of the API has a method, unless there is a reason; and each method makes a call of the API."""
    made: set[str] = set()

    class Made(Exception):
        pass

    def record(_connection: Connection, call: Call) -> Json:
        made.add(f"{call.method} /v1/{'/'.join(call.path)}")
        raise Made

    monkeypatch.setattr(Connection, "call", record)
    for call in CALLS:
        with Client("http://127.0.0.1", "token") as client, pytest.raises(Made):
            call(client)
    in_document = {
        f"{method.upper()} {path}": f"{method.upper()} {re.sub('{.*?}', 'x', path)}"
        for path, item in document["paths"].items()
        for method in item
    }
    assert made <= {*in_document.values()}
    assert {name for name, call in in_document.items() if call not in made} == NOT_COVERED.keys()


@pytest.mark.parametrize("kind", VALUES)
def test_values(document: Document, kind: type) -> None:
    """Each value has the fields of its schema, with their types or any; what a list leaves out, a test message lacks,
    or a token may not see, may be None as well.
    """
    schemas = component(document, {"Info": "ServerInfo"}.get(kind.__name__, kind.__name__))
    resolve_types(kind)
    assert schemas.keys() == {field.name.rstrip("_") for field in fields(kind)}
    for field in fields(kind):
        allowed = types_of_schema(document, schemas[field.name.rstrip("_")])
        also = {"null"} if field.default is None or (kind.__name__, field.name) == ("Event", "seq") else set()
        assert field.type is Any or types_of_field(field.type) == allowed | also, field.name


def query_of(document: Document, call: str) -> set[str]:
    """The query parameters of a call."""
    method, path = call.lower().split()
    parameters = document["paths"][path][method].get("parameters", ())
    return {parameter["name"] for parameter in parameters if parameter["in"] == "query"}


def arguments(call: Callable[..., Any]) -> set[str]:
    """The names of the keyword arguments of a method."""
    found = inspect.signature(call).parameters.values()
    return {parameter.name for parameter in found if parameter.kind is parameter.KEYWORD_ONLY}


def renamed(names: set[str]) -> set[str]:
    """Parameters as the arguments are called: in the plural if they may repeat."""
    repeated = {"site": "sites", "tag": "tags", "kind": "kinds", "device": "devices", "type": "types"}
    return {(repeated | {"open": "is_open", "acknowledged": "is_acknowledged"}).get(name, name) for name in names}


def test_calls(document: Document) -> None:
    """The methods take what the calls take."""
    send = "POST /v1/devices/{device}/commands"
    assert arguments(Client.send) == query_of(document, send) | {"idempotency_key"}
    assert {"payload", *SendOptions.__annotations__} == component(document, "SendRequest").keys()
    assert arguments(Client.resend) == query_of(document, "POST /v1/commands/{command}/resend")
    assert SendOptions.__annotations__.keys() == component(document, "ResendRequest").keys()
    assert arguments(Client.open) == component(document, "OpenRequest").keys() | {"idempotency_key"}
    assert DeviceFields.__annotations__.keys() == component(document, "DeviceChanges").keys()
    assert {"id", *DeviceFields.__annotations__} == component(document, "NewDevice").keys()
    assert arguments(Client.commands) == query_of(document, "GET /v1/commands") - PAGING
    assert arguments(Client.devices) == renamed(query_of(document, "GET /v1/devices")) - PAGING
    assert arguments(Client.alerts) == renamed(query_of(document, "GET /v1/alerts")) - PAGING
    assert arguments(Client.events) == renamed(query_of(document, "GET /v1/events")) - {"limit", "wait"} | {"timeout"}
    assert arguments(Client.audit) == query_of(document, "GET /v1/audit") - PAGING
    assert arguments(Client.rejections) == query_of(document, "GET /v1/rejections")
    assert {"until", *arguments(Client.mute)} == component(document, "MuteRequest").keys()


def test_calls_of_people_tokens_and_webhooks(document: Document) -> None:
    """The methods that make and change people, tokens and webhooks take what the calls take."""
    assert {"name", "role", *PersonLimits.__annotations__} == component(document, "NewPerson").keys()
    assert PersonChanges.__annotations__.keys() == component(document, "PersonChanges").keys()
    assert {"name", "role", *TokenLimits.__annotations__} == component(document, "NewToken").keys()
    assert TokenChanges.__annotations__.keys() == component(document, "TokenChanges").keys()
    assert {"url", *WebhookFields.__annotations__} == component(document, "NewWebhook").keys()
    assert WebhookChanges.__annotations__.keys() == component(document, "WebhookChanges").keys()
    assert arguments(Webhooks.redeliver) == component(document, "Redelivery").keys()
    for call, name in (
        (Tokens.rotate, "tokens/{token}/rotate"),
        (Webhooks.new_secret, "webhooks/{webhook}/secret"),
        (Client.new_device_secret, "devices/{device}/secret"),
        (Client.new_api_key, "devices/{device}/api-key"),
    ):
        assert arguments(call) == query_of(document, f"POST /v1/{name}")
