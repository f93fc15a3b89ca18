"""Compares calls of the admin API with its OpenAPI document: what was answered, and what was taken."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Self

from attrs import define, field
from jsonschema_rs import Draft202012Validator

from pushd.http.bodies import SMALL
from tests.connection import Response

_ORIGIN = re.compile(r"^\w+://[^/]*")
"""Of a target in absolute form."""

_UNDOCUMENTED = (405, 500)
"""Status codes of which the document does not speak: no such method, and a bug."""


@define(eq=False)
class Contract:
    """What the document of a server says of each call."""

    document: Mapping[str, Any]
    _paths: list[tuple[re.Pattern[str], Mapping[str, Any]]] = field(init=False)
    _validators: dict[int, Draft202012Validator] = field(factory=dict, init=False)
    """By the id of a schema in the document."""

    def __attrs_post_init__(self) -> None:
        paths = self.document["paths"]
        self._paths = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), paths[path])
            for path in sorted(paths, key=lambda path: path.count("{"))  # one without parameters is meant first
        ]

    @classmethod
    def of(cls, document: bytes) -> Self:
        """The contract of a document."""
        return cls(json.loads(document))

    def check(self, line: str, sent: bytes, response: Response) -> None:
        """Compare a call; ``line`` is such as ``GET /v1/devices``.

        Large bodies are left out: that would take long, and tests of these watch who parses them.
        """
        if max(len(sent), len(response.body)) > SMALL:
            return
        method, _, target = line.partition(" ")
        operation = self.operation(method, _ORIGIN.sub("", target).partition("?")[0])
        if operation is None:
            assert response.code >= 400 or method == "OPTIONS", f"{line} is not in the document"
            return
        if response.code in _UNDOCUMENTED:
            return
        assert str(response.code) in operation["responses"], f"{line} may not be answered {response.code}"
        answer = operation["responses"][str(response.code)]
        self._check_answer(line, answer, response)
        for name in answer.get("headers", ()):
            assert name.lower() in response.headers, f"{line} must be answered with {name}"
        if response.code < 300 and sent and "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            self.validate(f"the body of {line}, which was taken,", schema, json.loads(sent))

    def check_event(self, event: Mapping[str, Any]) -> None:
        """Compare an event, also what its type has as ``data``."""
        variants = self.document["components"]["schemas"]["Event"]["discriminator"]["mapping"]
        schema = self.resolved({"$ref": variants[event["type"]]})
        self.validate("an event", schema, json.loads(json.dumps(event)))

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """A schema, or the component to which it refers."""
        while "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def operation(self, method: str, path: str) -> Any:
        """What the document says of a call; None if it is not there."""
        item = next((item for pattern, item in self._paths if pattern.fullmatch(path)), {})
        return item.get(method.lower())

    def _check_answer(self, line: str, answer: Mapping[str, Any], response: Response) -> None:
        if "content" not in answer:
            assert not response.body
        elif not line.startswith("HEAD "):
            ((media_type, content),) = answer["content"].items()
            assert response.headers["content-type"] == media_type
            self.validate(f"the answer to {line}", content["schema"], response.json)

    def validate(self, what: str, schema: Mapping[str, Any], value: object) -> None:
        """Check a value by a schema of the document."""
        validator = self._validators.get(id(schema))
        if validator is None:
            whole = {**schema, "components": self.document["components"]}
            validator = self._validators[id(schema)] = Draft202012Validator(whole, validate_formats=True)
        errors = [f"{error.message} at {error.instance_path}" for error in validator.iter_errors(value)]
        assert not errors, f"{what} is not as the document says: {errors}: {value}"


contract_of: Callable[[bytes], Contract] = cache(Contract.of)
"""The contract of a document; the same for equal documents."""
