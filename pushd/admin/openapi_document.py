"""The OpenAPI 3.1 document, made from the routes and from what is declared at them.

It has what the server does and nothing else: the routes are those of the routers, query parameters and roles those
that :mod:`pushd.admin.auth` checks, bodies those that :mod:`pushd.admin.request_bodies` reads.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from inspect import cleandoc, getmodule
from typing import Any

from attrs import define, field

from pushd.admin.json_schema import DIALECT, PAYLOAD, RESULT, Component, Schema, named, object_of
from pushd.admin.openapi_examples import SHARED, add_examples
from pushd.admin.operations import Access, Answer, Operation, access_of, operation_of
from pushd.admin.parameters import Parameter
from pushd.admin.view_schemas.events import TEST_EVENT, WEBHOOK_EVENT
from pushd.admin.view_schemas.problem import PROBLEM
from pushd.http.error_status import STATUS
from pushd.http.router import IApp, Route
from pushd.model.admin_api import PROBLEM_TYPE
from pushd.model.dialect import Dialect

_ABOUT = """The admin API of pushd.

Times are RFC 3339 in UTC with milliseconds, durations are seconds. Errors are problem details (RFC 9457), whose `type`
is one of the words at each response. A call with an unknown query parameter or field is refused.
Later versions may add fields to answers, types of events and types of errors: ignore those that you do not know."""

_SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token with a role: viewer, operator (may also send, cancel, resolve, approve and mute) or"
        " admin (may do everything). A token may have a scope: what is outside of it is not found.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "pushd-session",
        "description": "What a log-in sets, with `__Host-` before its name over TLS. A change then also needs the"
        " header `X-CSRF-Token`, with the `csrf` of `GET /v1/session`, and no `Origin` but that of the server.",
    },
}

_PATH_PARAMETERS: Mapping[str, tuple[str, Schema | Component]] = {
    "device": ("the id of a device, such as `controlid:4408801109440198`", {"type": "string"}),
    "command": ("the id of a command", {"type": "string"}),
    "alert": ("the id of an alert", {"type": "string"}),
    "webhook": ("the id of a webhook", {"type": "string"}),
    "token": ("the id of a token", {"type": "string"}),
    "person": ("the name of a person", {"type": "string"}),
    "session": ("the id of a session", {"type": "string"}),
    "dialect": ("the name of a dialect", DIALECT),
}

_PARAMETER = re.compile(r"<(\w+)>")

_ERROR_HEADERS: Mapping[int, Mapping[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 0}}},
}
_LOCATION = {"Location": {"description": "The path of what the body shows.", "schema": {"type": "string"}}}


def build_document(apps: Iterable[type[IApp]], dialects: Sequence[Dialect], version: str) -> dict[str, Any]:
    """The document of an admin port with these apps."""
    paths: dict[str, dict[str, Any]] = {}
    tags = []
    for app in apps:
        tags.append(_tag(app))
        for path, methods, route in app.router.declared:
            item = paths.setdefault(_PARAMETER.sub(r"{\1}", path), {})
            for method in methods:
                item[method.lower()] = _operation(tags[-1]["name"], path, method, route)
    components = _Components(_of_dialects(dialects))
    body = components.resolve({"paths": dict(sorted(paths.items())), "webhooks": _WEBHOOKS})
    for item in body["paths"].values():
        for operation in item.values():
            add_examples(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "pushd", "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": sorted(tags, key=lambda tag: tag["name"]),
        **body,
        "components": {
            "schemas": dict(sorted(components.schemas.items())),
            "examples": SHARED,
            "securitySchemes": _SECURITY,
        },
    }


def _of_dialects(dialects: Sequence[Dialect]) -> Mapping[str, Schema]:
    """The schemas that depend on which dialects there are, by the names of their components."""
    return {
        DIALECT.name: {"type": "string", "enum": [dialect.name for dialect in dialects]},
        PAYLOAD.name: {
            "description": "What a device is to do, in the form of its dialect.",
            "anyOf": [named(dialect.payload_schema) for dialect in dialects],
        },
        RESULT.name: {
            "description": "What a device reported, in the form of its dialect.",
            "anyOf": [named(dialect.result_schema) for dialect in dialects],
        },
    }


_WEBHOOKS = {
    "event": {
        "post": {
            "summary": "A message to a webhook in the format standard.",
            "description": "It is signed as the Standard Webhooks specification says.",
            "operationId": "event",
            "parameters": [
                {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
                for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": Component(
                            "WebhookMessage",
                            object_of(
                                {
                                    "type": {"type": "string"},
                                    "timestamp": {"type": "string", "format": "date-time"},
                                    "data": {"anyOf": [WEBHOOK_EVENT, TEST_EVENT]},
                                }
                            ),
                        )
                    }
                },
            },
            "responses": {"2XX": {"description": "The message was taken; any other status is tried again."}},
        }
    }
}


def _tag(app: type[IApp]) -> dict[str, str]:
    module = getmodule(app)
    assert module is not None, "an app is declared in a module"
    _, _, name = module.__name__.rpartition(".")
    return {"name": name, "description": _markdown(cleandoc(module.__doc__ or "").splitlines()[0])}


def _operation(tag: str, path: str, method: str, route: Route) -> dict[str, Any]:
    access, operation = access_of(route), operation_of(route)
    summary, _, more = cleandoc(route.__doc__ or "").partition("\n")
    name = f"{tag}_{route.__name__}" + ("_head" if method == "HEAD" else "")
    described: dict[str, Any] = {
        "tags": [tag],
        "operationId": name,
        "summary": _markdown(summary),
        "description": _markdown(" ".join(filter(None, (more.strip(), operation.notes, _who(access))))),
        "security": [] if access is None else [{scheme: [access.role]} for scheme in _SECURITY],
    }
    if parameters := [*_parameters(path, access, operation)]:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {
            "required": not operation.body.may_be_empty,
            "content": {"application/json": {"schema": operation.body.component}},
        }
    described["responses"] = {str(code): _answer(each) for code, each in sorted(operation.answers.items())} | {
        str(code): _error(code, kinds) for code, kinds in sorted(_errors(path, method, access, operation).items())
    }
    return described


def _who(access: Access | None) -> str:
    if access is None:
        return "No token is needed."
    scoped = "A token with a scope gets what is in it." if access.takes_scope else "The token must have no scope."
    return f"Role: {access.role}. {scoped}"


def _parameters(path: str, access: Access | None, operation: Operation) -> Iterator[dict[str, Any]]:
    for name in _PARAMETER.findall(path):
        text, schema = _PATH_PARAMETERS[name]
        yield {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
    declared: Sequence[Parameter] = () if access is None else access.parameters
    for each in (*declared, *operation.headers):
        yield {
            "name": each.name,
            "in": "header" if each.is_header else "query",
            "description": _markdown(each.text),
            "schema": each.schema,
        }


def _answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": _markdown(answer.text)}
    if answer.has_location:
        described["headers"] = _LOCATION
    if answer.schema is not None:
        described["content"] = {answer.media_type: {"schema": answer.schema}}
    elif answer.media_type != "application/json":
        described["content"] = {answer.media_type: {"schema": {"type": "string"}}}
    return described


def _errors(path: str, method: str, access: Access | None, operation: Operation) -> dict[int, list[str]]:
    """The types of errors of a call, by status code."""
    kinds = {"bad-request", "unavailable", *operation.errors}
    if access is not None:
        kinds |= {"unauthenticated", "forbidden"}
    if "<" in path:
        kinds.add("not-found")
    if operation.body is not None:
        kinds |= {"body-too-large", "unsupported-encoding", "invalid-fields"}
    if method not in ("GET", "HEAD"):
        kinds.add("outcome-in-doubt")
    by_code: dict[int, list[str]] = {}
    for kind in sorted(kinds):
        by_code.setdefault(STATUS[kind], []).append(kind)
    return by_code


def _error(code: int, kinds: Sequence[str]) -> dict[str, Any]:
    schema = {"allOf": [PROBLEM, {"properties": {"type": {"enum": kinds}}, "required": ["type"]}]}
    described = {
        "description": f"{HTTPStatus(code).phrase}: {', '.join(kinds)}.",
        "content": {PROBLEM_TYPE: {"schema": schema}},
    }
    return described | ({"headers": _ERROR_HEADERS[code]} if code in _ERROR_HEADERS else {})


def _markdown(text: str) -> str:
    return text.replace("``", "`")


@define(eq=False)
class _Components:
    """Collects the schemas that have a name, each once."""

    _given: Mapping[str, Schema]
    """In place of the schemas of components with these names."""
    schemas: dict[str, Any] = field(factory=dict, init=False)

    def resolve(self, value: Any) -> Any:
        """A part of the document, with references in place of components."""
        if isinstance(value, Component):
            return self._reference(value)
        if isinstance(value, Mapping):
            resolved = {str(name): self.resolve(each) for name, each in value.items()}
            if isinstance(text := resolved.get("description"), str):
                resolved["description"] = _markdown(text)
            match resolved:
                case {"allOf": [{"$ref": str(reference)}], "description": str(description)}:
                    return {"$ref": reference, "description": description}
            return resolved
        if isinstance(value, list | tuple):
            return [self.resolve(each) for each in value]
        return value

    def _reference(self, component: Component) -> dict[str, str]:
        if component.name not in self.schemas:
            self.schemas[component.name] = None  # holds its place, if a schema refers to itself
            self.schemas[component.name] = self.resolve(self._given.get(component.name, component.schema))
        return {"$ref": f"#/components/schemas/{component.name}"}
