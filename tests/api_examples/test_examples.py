"""The examples in the OpenAPI document are complete, and what the server answers today."""

import json
import re
from typing import Any

import pytest

from tests.api_examples.examples import FILE, Answers, missing, record, written
from tests.api_examples.recorder import operations
from tests.connection import request
from tests.in_memory_server import InMemoryServer, build_server, server
from tests.openapi_contract import Contract

__all__ = ["build_server", "server"]

WRITE = "run make api-examples, and look at what it changes in the file"


@pytest.fixture
def document(server: InMemoryServer) -> Any:
    """The OpenAPI document."""
    return server.call(request("GET /openapi.json")).answer().json


@pytest.fixture(scope="module")
def answers() -> Answers:
    """What a server answers today."""
    return record()


def test_each_answer_has_an_example(document: Any, answers: Answers) -> None:
    """Each operation has an example of each answer, and of each type of error that it can have."""
    lacking = [*missing(document, answers)]
    assert not lacking, f"make these calls in tests/api_examples/story.py, then {WRITE}"


def test_examples_are_what_is_answered(answers: Answers) -> None:
    """The file has what a server answers today."""
    assert written(answers) == FILE.read_text("utf-8"), f"answers have changed: {WRITE}"


def test_examples_are_as_their_schemas(document: Any) -> None:
    """Each example in the document is as the schema beside it says; each is of an operation."""
    contract = Contract(document)
    count = 0
    for method, path, operation in operations(document):
        for code, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                examples = [each for name, each in content.items() if name == "example"]
                for example in content.get("examples", {}).values():
                    name = example.get("$ref", "").rpartition("/")[2]
                    examples.append((document["components"]["examples"][name] if name else example)["value"])
                for example in examples:
                    contract.validate(f"the example of {method} {path} {code}", content["schema"], example)
                    count += 1
    assert count > len(document["paths"])
    names = {operation["operationId"] for _, _, operation in operations(document)}
    assert json.loads(FILE.read_text("utf-8"))["operations"].keys() <= names


def test_examples_have_no_secrets() -> None:
    """No example has what a scanner could take for a secret, or the name of a machine."""
    text = FILE.read_text("utf-8")
    assert not re.search(r"pushd_(?!x{39})\w{39}|whsec_(?!A{43})\w{20}", text)
    assert set(re.findall(r'"node": "([^"]*)"', text)) == {"pushd-1"}
