"""The page that shows the OpenAPI document to people: made once, without scripts, and with nothing from elsewhere."""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
pre { background: #8882; border-radius: 3px; overflow: auto; padding: .5rem; }
code { background: #8882; border-radius: 3px; padding: 0 .2em; }
table { border-collapse: collapse; margin: .5rem 0 1rem; width: 100%; }
td, th { border-bottom: 1px solid #8885; padding: .25rem .5rem; text-align: left; vertical-align: top; }
summary { cursor: pointer; }
details { margin: .25rem 0; }
:root { color-scheme: light dark; }
"""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

Document = Mapping[str, Any]


def render(document: Document) -> bytes:
    """The page, in HTML."""
    about = document["info"]
    body = [
        f"<h1>{escape(about['title'])} {escape(about['version'])}</h1>",
        *(f"<p>{_text(part)}</p>" for part in about["description"].split("\n\n")),
        "<p>For programs: <a href='openapi.json'>openapi.json</a></p>",
    ]
    for tag in document["tags"]:
        body.append(f"<h2>{escape(tag['name'])}</h2><p>{_text(tag['description'])}</p>")
        body += [_operation(*each) for each in operations(document) if tag["name"] in each[2]["tags"]]
    body.append("<h2>schemas</h2>")
    body += [_schema(name, schema) for name, schema in document["components"]["schemas"].items()]
    head = f"<!DOCTYPE html><html lang='en'><meta charset='utf-8'><title>pushd API</title><style>{_STYLE}</style>"
    return "\n".join([head, "<body>", *body, "</body></html>"]).encode()


def operations(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and description of each call."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def kind_of(schema: Mapping[str, Any], link: str = "{}") -> str:
    """What a value with this schema is, in words; ``link`` formats the name of a schema."""
    if "$ref" in schema:
        return link.format(schema["$ref"].rpartition("/")[2])
    for combined, word in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if combined in schema and "type" not in schema:
            named = [each for each in schema[combined] if "properties" not in each or "title" in each]
            return word.join(kind_of(each, link) for each in named)
    types = schema.get("type", "any")
    words = [types] if isinstance(types, str) else types
    return " or ".join(f"list of {kind_of(schema['items'], link)}" if word == "array" else word for word in words)


def limits_of(schema: Mapping[str, Any]) -> str:
    """The values that a schema allows, in words."""
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    least, most = schema.get("minimum"), schema.get("maximum")
    parts = [f"{least} to {most}"] if most is not None else []
    parts += [f"at most {schema[name]} {unit}" for name, unit in _LIMITS if name in schema]
    return ", ".join(parts)


_LIMITS = (("maxLength", "characters"), ("maxItems", "items"))


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    rows = [
        (f"<code>{escape(each['name'])}</code>", each["in"], _kind(each["schema"]), _meaning(each, each["schema"]))
        for each in operation.get("parameters", ())
    ]
    responses = [
        (code, _text(answer["description"]), ", ".join(_kind(content["schema"]) for content in _contents(answer)))
        for code, answer in operation["responses"].items()
    ]
    body = "".join(f"<p>Body: {_kind(content['schema'])}</p>" for content in _contents(operation.get("requestBody")))
    return (
        f"<details id='{operation['operationId']}'><summary><code>{method} {escape(path)}</code>"
        f" {_text(operation['summary'])}</summary><p>{_text(operation['description'])}</p>"
        + (_table(("parameter", "in", "type", "meaning"), rows) if rows else "")
        + body
        + _table(("status", "meaning", "body"), responses)
        + "".join(
            f"<details><summary>Example of {code}</summary><pre>{escape(text)}</pre></details>"
            for code, text in examples_of(operation)
        )
        + "</details>"
    )


def examples_of(operation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What an operation answers when all is well, by status: an example in JSON."""
    for code, answer in operation["responses"].items():
        for content in _contents(answer):
            if "example" in content:
                yield code, json.dumps(content["example"], indent=2, ensure_ascii=False)


def _contents(described: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    return [*(described or {}).get("content", {}).values()]


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (f"<code>{escape(field)}</code>" + ("" if field in required else " (optional)"), _kind(of), _meaning(of, of))
        for field, of in schema.get("properties", {}).items()
    ]
    table = _table(("field", "type", "meaning"), rows) if rows else f"<p>{_kind(schema)}</p>"
    return f"<h3 id='{name}'>{name}</h3><p>{_meaning(schema, schema)}</p>{table}"


def _meaning(described: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    return _text("; ".join(filter(None, (described.get("description", ""), limits_of(schema)))))


def _kind(schema: Mapping[str, Any]) -> str:
    return kind_of(schema, "<a href='#{0}'>{0}</a>")


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{cell}</th>" for cell in heading)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{lines}</table>"


def _text(markdown: str) -> str:
    """Text in which back quotes mark code."""
    parts = escape(markdown).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
