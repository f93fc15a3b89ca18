"""The page of the OpenAPI document, made from the document."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from textwrap import indent
from typing import Any

from docutils.nodes import Node  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata
from tables import list_table

import pushd.admin
from pushd import __version__
from pushd.admin.openapi_document import build_document
from pushd.admin.openapi_page import examples_of, kind_of, limits_of, operations
from pushd.http.router import IApp, Router
from pushd.option_values import DIALECTS


def _apps() -> Iterator[type[IApp]]:
    """The classes of the admin API that have routes."""
    for module in iter_modules(pushd.admin.__path__, "pushd.admin."):
        for thing in vars(import_module(module.name)).values():
            if isinstance(getattr(thing, "router", None), Router) and thing.__module__ == module.name:
                yield thing


class OpenApi(SphinxDirective):
    """``.. openapi::``, all calls and schemas."""

    def run(self) -> list[Node]:
        """A section for each part of the API, and one with the schemas."""
        document = build_document(_apps(), DIALECTS, __version__)
        return self.parse_text_to_nodes("\n".join(_lines(document)), allow_section_headings=True)


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    for tag in document["tags"]:
        yield from (tag["name"].capitalize(), "-" * len(tag["name"]), "", _text(tag["description"]), "")
        for method, path, operation in operations(document):
            if tag["name"] in operation["tags"]:
                yield from _operation(method, path, operation)
    yield from ("Schemas", "-------", "")
    for name, schema in document["components"]["schemas"].items():
        yield from (f"``{name}``", "~" * (len(name) + 4), "", _meaning(schema), "")
        if rows := [(f"``{field}``", kind_of(of), _meaning(of)) for field, of in schema.get("properties", {}).items()]:
            yield from (list_table(("field", "type", "meaning"), *rows), "")


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"``{method} {path}``", "~" * (len(f"{method} {path}") + 4), "")
    yield from (_text(operation["summary"]), _text(operation["description"]), "")
    if body := operation.get("requestBody"):
        yield from (f"Body: {kind_of(body['content']['application/json']['schema'])}.", "")
    rows = [
        (f"``{each['name']}``", kind_of(each["schema"]), _text(each.get("description", "")))
        for each in operation.get("parameters", ())
    ]
    if rows:
        yield from (list_table(("parameter", "type", "meaning"), *rows), "")
    yield list_table(
        ("status", "meaning"),
        *((code, _text(answer["description"])) for code, answer in operation["responses"].items()),
    )
    yield ""
    for code, text in examples_of(operation):
        yield from (f"Example of {code}:", "", ".. code-block:: json", "", indent(text, "    "), "")


def _meaning(schema: Mapping[str, Any]) -> str:
    return _text("; ".join(filter(None, (schema.get("description", "").replace("\n", " "), limits_of(schema)))))


def _text(markdown: str) -> str:
    """Markdown in reStructuredText; the document has no more of it than code."""
    return markdown.replace("`", "``").replace("*", "\\*")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the directive."""
    app.add_directive("openapi", OpenApi)
    return {"parallel_read_safe": True}
