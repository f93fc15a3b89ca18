"""Tests of the catalogues of the dialects: the files are complete and agree with the checks and the simulator."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pushd.model.catalogue import EndpointClass
from pushd.model.dialect import Dialect
from pushd.model.lifecycle import Delivery
from pushd.option_values import DIALECTS
from pushd.simulator.controlid import local_api
from pushd.simulator.servereye import actions
from tests.in_memory_server import InMemoryServer

ENDPOINTS = [
    pytest.param(dialect, endpoint, id=f"{dialect.name}-{endpoint.name}")
    for dialect in DIALECTS
    for endpoint in dialect.catalogue.endpoints.values()
]

KNOWN = {"controlid": local_api._ENDPOINTS.keys(), "servereye": actions._ACTIONS.keys()}
"""What simulated devices can do."""


@pytest.mark.parametrize(("dialect", "endpoint"), ENDPOINTS)
def test_example(dialect: Dialect, endpoint: Any) -> None:
    """The example of an endpoint calls it, and can be sent."""
    payload = dialect.check(endpoint.example)
    assert dialect.endpoints(payload) == endpoint.name
    dialect.check_parameters(payload)


@pytest.mark.parametrize(("dialect", "endpoint"), ENDPOINTS)
def test_texts(dialect: Dialect, endpoint: Any) -> None:
    """A summary is a sentence, a meaning a part of one; each endpoint has a source, and each parameter a name once."""
    assert endpoint.summary.endswith(".")
    assert endpoint.source
    assert all(each.meaning and not each.meaning.endswith(".") for each in endpoint.parameters)
    names = [each.name for each in endpoint.parameters]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("dialect", "endpoint"), ENDPOINTS)
def test_acts_are_never_repeated_by_default(dialect: Dialect, endpoint: Any) -> None:
    """Only a read may be repeated by default, and an act is sent within 15 seconds or not at all."""
    assert (endpoint.defaults.delivery is Delivery.AT_LEAST_ONCE) == (endpoint.kind is EndpointClass.READ)
    assert endpoint.kind is not EndpointClass.ACT or endpoint.defaults.ttl == 15


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_what_the_simulator_knows(dialect: Dialect) -> None:
    """What a simulated device can do is in the catalogue."""
    assert dialect.catalogue.endpoints.keys() >= KNOWN[dialect.name]


def _parameters(server: InMemoryServer) -> Iterator[dict[str, Any]]:
    for dialect in DIALECTS:
        for item in server.ask(f"GET /v1/catalogue/{dialect.name}").json["items"]:
            yield from item["parameters"]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_shown(server: InMemoryServer, dialect: Dialect) -> None:
    """The whole catalogue is shown, with the defaults of each endpoint."""
    answer = server.ask(f"GET /v1/catalogue/{dialect.name}")
    assert (answer.code, answer.json.keys(), answer.json["dialect"]) == (200, {"dialect", "items"}, dialect.name)
    fields = {"name", "class", "summary", "parameters", "models", "delivery", "ttl", "example", "source"}
    assert all(item.keys() == fields for item in answer.json["items"])
    assert [item["name"] for item in answer.json["items"]] == list(dialect.catalogue.endpoints)
    assert all(each.keys() == {"name", "type", "required", "meaning", "values"} for each in _parameters(server))


def test_shown_endpoint(server: InMemoryServer) -> None:
    """What is shown of an endpoint is what the file says."""
    items = {item["name"]: item for item in server.ask("GET /v1/catalogue/controlid").json["items"]}
    found = items["execute_actions"]
    assert (found["class"], found["delivery"], found["ttl"]) == ("act", "at_most_once", 15.0)
    assert found["example"]["body"] == {"actions": [{"action": "door", "parameters": "door=1"}]}
    assert items["remote_enroll"]["parameters"][0] | {"meaning": ""} == {
        "name": "type",
        "type": "string",
        "required": True,
        "meaning": "",
        "values": ["card", "face", "biometry", "pin", "password"],
    }
    assert items["load_objects"]["delivery"] == "at_least_once"


def test_unknown_dialect(server: InMemoryServer) -> None:
    """An unknown dialect is a 404 that names the known ones."""
    answer = server.ask("GET /v1/catalogue/modbus")
    assert (answer.code, answer.json["type"]) == (404, "not-found")
    assert "controlid, servereye" in answer.json["detail"]


def test_json(server: InMemoryServer) -> None:
    """What is shown can be sent: every example is accepted by the server itself."""
    for dialect in DIALECTS:
        server.register(device := f"{dialect.name}:7")
        for item in server.ask(f"GET /v1/catalogue/{dialect.name}").json["items"]:
            command = server.command(server.put(device, json.loads(json.dumps(item["example"]))))
            assert (command["delivery"], command["ttl"]) == (item["delivery"], item["ttl"]), item["name"]
