"""Makes calls of the admin API, and records what each operation answers, the first time for each status and type."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from attrs import define, field

from pushd.model.token import Role
from tests.connection import Connection, Response, request
from tests.in_memory_server import InMemoryServer

JSON = ("application/json", "application/problem+json")
MAX_ITEMS = 2
"""Items of a list that are kept."""

_OPTIONS = ("admission", "alert-window", "keep")
"""Options of the server that are kept."""


@define(eq=False)
class Recorder:
    """What the operations of a server have answered."""

    server: InMemoryServer
    answers: dict[str, Any] = field(factory=dict, init=False)
    """By operation and status code: a body, or problems by their type."""

    def ask(self, line: str, body: object = None, *headers: str, role: Role = Role.ADMIN) -> Any:
        """Make a call, which is answered at once; the JSON of the answer."""
        return self.record(line, self.server.begin(line, body, *headers, role=role))

    def refused(self, kind: str, line: str, body: object = None, *headers: str) -> None:
        """Make a call that is refused with an error of this type."""
        found = self.ask(line, body, *headers)
        assert found["type"] == kind, (line, found)

    def send(self, line: str, content: bytes = b"", *headers: str) -> Any:
        """Make a call without a token, unless it is one of the headers."""
        return self.record(line, self.server.call(request(line, content, *headers)))

    def record(self, line: str, connection: Connection) -> Any:
        """Record the answer to a call; its JSON."""
        response = connection.answer()
        name = self._operation(line)["operationId"]
        if not response.body or response.headers["content-type"] not in JSON:
            return None
        answers = self.answers.setdefault(name, {})
        if response.code < HTTPStatus.BAD_REQUEST:
            answers.setdefault(str(response.code), _shortened(response))
        else:
            answers.setdefault(str(response.code), {}).setdefault(response.json["type"], response.json)
        return response.json

    def _operation(self, line: str) -> Mapping[str, Any]:
        method, _, target = line.partition(" ")
        found: Mapping[str, Any] = self.server.contract.operation(method, target.partition("?")[0])
        return found


def _shortened(response: Response) -> Any:
    """The body of an answer; lists are cut, which would be long."""
    body = response.json
    if isinstance(body.get("items"), list):
        body["items"] = body["items"][:MAX_ITEMS]
    if "options" in body:
        body["options"] = {name: body["options"][name] for name in _OPTIONS}
    return body


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and description of each operation of a document, but HEAD, which has no body."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "head":
                yield method.upper(), path, operation


def kinds_of(operation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The status and the type of each error that an operation can have."""
    for code, response in operation["responses"].items():
        schema = response.get("content", {}).get("application/problem+json", {}).get("schema")
        for kind in schema["allOf"][1]["properties"]["type"]["enum"] if schema else ():
            yield code, kind
