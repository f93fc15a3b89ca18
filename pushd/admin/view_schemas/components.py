"""What the schemas of this package are made of: schemas of values of attrs classes, and of lists."""

from collections.abc import Mapping
from typing import Any

from pushd.admin import json_views
from pushd.admin.json_schema import (
    TIMESTAMP,
    Component,
    Schema,
    annotations,
    described,
    list_of,
    nullable,
    object_of,
    schema_of,
)

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
BOOLEAN: Schema = {"type": "boolean"}
TEXTS = list_of(TEXT)
SECRET = described(TEXT, "shown only here")


def words(*some: str) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": [*some]}


def component(
    name: str, kind: type, texts: Mapping[str, str], /, *without: str, **others: Schema | Component
) -> Component:
    """The schema of a value of an attrs class: its fields, less those that are not shown, and ``others`` in place of
    fields or beside them; ``texts`` says what each means.
    """
    hidden = {*json_views.INTERNAL, *without}
    shown = {
        field: _timestamp(annotation) if field in json_views.TIMESTAMPS else schema_of(annotation)
        for field, annotation in annotations(kind).items()
        if field not in hidden and field not in others and not field.startswith("_")
    } | others
    if unknown := texts.keys() - shown.keys():
        raise TypeError(f"{name} has no {', '.join(unknown)}")
    properties = {field: described(shown[field], texts[field]) for field in sorted(shown, key=[*texts].index)}
    return Component(name, object_of(properties, (kind.__doc__ or "").split(";")[0].split("\n")[0].rstrip(".") + "."))


def _timestamp(annotation: Any) -> Schema:
    return TIMESTAMP if annotation is int else nullable(TIMESTAMP)


def small(name: str, text: str = "", /, **fields: Schema | Component) -> Component:
    """The schema of an object that is no value of a class."""
    return Component(name, object_of(fields, text))


def extended(base: Component, name: str, **fields: Schema | Component) -> Component:
    """The schema of an object with more fields."""
    schema = base.schema
    return Component(name, object_of({**schema["properties"], **fields}, schema["description"]))


def page(name: str, item: Component) -> Component:
    """A page of a list."""
    following = described(nullable(TEXT), "the ``cursor`` of the next page; null: there is none")
    return small(name, "A page of a list.", items=list_of(item), next=following)


def log_page(name: str, item: Component) -> Component:
    """A page of a log, which is read from its oldest entry on."""
    following = described(TEXT, "the ``after`` of the next page; never null")
    return small(name, "A page of a log.", items=list_of(item), next=following)


def whole_list(name: str, item: Component) -> Component:
    """A list without pages."""
    return small(name, "A list, whole.", items=list_of(item))
