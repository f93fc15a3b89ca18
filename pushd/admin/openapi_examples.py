"""Examples of answers and errors in the OpenAPI document: real answers, which a test compares with those of today.

``make api-examples`` writes the file.
"""

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

_FILE: Mapping[str, Any] = json.loads(
    resources.files(__package__).joinpath("openapi_examples.json").read_text("utf-8")
)
_OF_OPERATIONS: Mapping[str, Any] = _FILE["operations"]
"""By the name of the operation and the status code: a body; of errors problems, by their type."""
SHARED: Mapping[str, Any] = {kind: {"value": problem} for kind, problem in _FILE["shared"].items()}
"""Problems of all other operations, by their type, for the components of the document."""


def add_examples(operation: dict[str, Any]) -> None:
    """Add to an operation of the document the examples of what it answers."""
    own = _OF_OPERATIONS.get(operation["operationId"], {})
    for code, response in operation["responses"].items():
        content = response.get("content", {})
        if "application/problem+json" in content:
            described = content["application/problem+json"]
            kinds = described["schema"]["allOf"][1]["properties"]["type"]["enum"]
            described["examples"] = dict(_problems(kinds, own.get(code, {})))
        elif code in own:
            content["application/json"]["example"] = own[code]


def _problems(kinds: list[str], own: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind in kinds:
        if kind in own:
            yield kind, {"value": own[kind]}
        elif kind in SHARED:
            yield kind, {"$ref": f"#/components/examples/{kind}"}
