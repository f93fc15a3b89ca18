"""The running server takes and answers what its OpenAPI document says, tried with generated calls by schemathesis."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
import requests
import schemathesis
from attrs import define
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection

from tests.admin.test_openapi import ROUTES
from tests.integration.calls import HOST, TIMEOUT
from tests.integration.server import ANY_PORT, Server

CASES = int(os.environ.get("OPENAPI_CASES", "15"))
"""Generated calls of each route in each mode: those that are as the document says, and those that are not."""

ARE_RANDOM = "OPENAPI_CASES" in os.environ
"""Else they are the same each time."""

CONFIG: Mapping[str, Any] = {
    "generation": {"codec": "ascii", "allow-x00": False},
    "checks": {
        "positive_data_acceptance": {
            # what depends on the state of the server, not on the call
            "expected-statuses": ["2xx", "403", "404", "409", "410", "429"]
        }
    },
}

RECEIVER = "http://127.0.0.1:9/"
"""Where nothing listens."""

LONGEST_WAIT = 0.02
"""Seconds: a call that waits for longer would only take longer."""

PAYLOADS = ({"endpoint": "load_objects"}, {"control": "REFRESH_AGENT"})
"""What is sent to a reader, and to a container."""

FUTURE = "2999-01-01T00:00:00Z"

DEVICES = ("controlid:7", "controlid:4408801109440198", "servereye:4f1c2d")


@define(eq=False)
class Target:
    """A running server with something of everything, and its document."""

    server: Server
    schema: Any
    ids: Mapping[str, tuple[str, ...]]
    """By parameter of a path: ids that the server knows."""
    seq: str
    """Of an event."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server with devices, commands, a webhook and a token."""
    options = (f"--devices={ANY_PORT}", f"--admin={ANY_PORT}", "--webhook-allow=127.0.0.0/8")
    server = Server(tmp_path_factory.mktemp("openapi"), options)
    try:
        server.start()
        for device in DEVICES:
            assert server.admin.ask("POST /v1/devices", {"id": device}).code == 201
        payload = {"payload": {"endpoint": "load_objects", "body": {"object": "users"}}}
        command = server.admin.ask(f"POST /v1/devices/{DEVICES[0]}/commands", payload).json["id"]
        webhook = server.admin.ask("POST /v1/webhooks", {"url": RECEIVER}).json["id"]
        token = server.admin.ask("POST /v1/tokens", {"name": "lobby", "role": "viewer"}).json["id"]
        config = SchemathesisConfig.from_dict(dict(CONFIG))
        schema = schemathesis.openapi.from_dict(server.admin.ask("GET /openapi.json").json, config=config)
        for name in ("ana", "eva"):
            assert server.admin.ask("POST /v1/people", {"name": name, "role": "viewer"}).code == 201
        session = server.admin.ask("POST /v1/session", {"token": server.admin.token}).json["session"]
        ids = {
            "device": DEVICES,
            "command": (command,),
            "webhook": (webhook,),
            "token": (token,),
            "person": ("ana", "eva"),
            "session": (session,),
        }
        yield Target(server, schema, ids, server.admin.ask("GET /v1/events").json["items"][0]["seq"])
    finally:
        server.kill()


def _fill_in(target: Target, case: Any, data: st.DataObject) -> None:
    """Put what the server knows in place of generated ids, URLs and cursors, which could only be guessed, and make
    fields agree that depend on each other.
    """
    query = case.query or {}
    query.pop("cursor", None)
    if "then" in query:
        query["wait"] = LONGEST_WAIT
    for name in case.path_parameters or {}:
        if name in target.ids and data.draw(st.booleans()):
            case.path_parameters[name] = data.draw(st.sampled_from(target.ids[name]))
    known = {
        "payload": PAYLOADS[str((case.path_parameters or {}).get("device")).startswith("servereye:")],
        "devices": [*DEVICES],
        "id": f"controlid:{data.draw(st.integers(1, 10**6))}",
        "url": RECEIVER,
        "after": target.seq,
        "expires_at": FUTURE,
        "token": target.server.admin.token,
    }
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = str(uuid4())  # another body with a key that was used would be refused
    if isinstance(case.body, dict):
        if case.path == "/v1/session":
            case.body = {"token": ""}  # an invitation can be used only once
        if case.path == "/v1/people/{person}":
            case.body.pop("role", None)  # it decides what else may be set
        given = [name for name in known if case.body.get(name) is not None]
        case.body.update({name: known[name] for name in given})


def _shorten_wait(case: Any) -> None:
    wait = (case.query or {}).get("wait")
    if isinstance(wait, int | float) and not isinstance(wait, bool) and 0 < wait <= 60:
        case.query["wait"] = min(wait, LONGEST_WAIT)


@pytest.mark.slow(seconds=2)
@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_generated_calls(target: Target, method: str, path: str, mode: GenerationMode) -> None:
    """Calls that are as the document says are taken, others are refused, and all answers are as it says."""
    operation = target.schema[path][method]
    headers = {"Authorization": f"Bearer {target.server.admin.token}"}
    base_url = f"http://{HOST}:{target.server.admin.number}"

    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        derandomize=not ARE_RANDOM,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def call(case: Any, data: st.DataObject) -> None:
        if mode is GenerationMode.POSITIVE:
            _fill_in(target, case, data)
        _shorten_wait(case)
        if path == "/v1/events/stream":
            _check_stream(case, base_url, headers)
        else:
            excluded = [ignored_auth, negative_data_rejection] if _looks_right(case) else [ignored_auth]
            case.call_and_validate(base_url, headers=headers, timeout=TIMEOUT, excluded_checks=excluded)

    with suppress(Unsatisfiable):  # nothing can be wrong with a call without parameters and body
        call()


def _looks_right(case: Any) -> bool:
    """Whether a wrong query is written as a right one would be: one value in place of a list, or a list of one."""
    declared = case.operation.definition.raw.get("parameters", ())
    lists = {each["name"]: each["schema"].get("type") == "array" for each in declared if each["in"] == "query"}
    return any(lists.get(name) is not isinstance(value, list) for name, value in (case.query or {}).items())


def _check_stream(case: Any, base_url: str, headers: Mapping[str, str]) -> None:
    """The stream has no end: look at its head alone."""
    sent = case.as_transport_kwargs(base_url=base_url, headers=dict(headers))
    with requests.request(**sent, stream=True, timeout=TIMEOUT) as answer:
        assert str(answer.status_code) in case.operation.definition.raw["responses"]
        if answer.status_code == 200:
            assert answer.headers["content-type"] == "text/event-stream"
