"""JSON request bodies of tokens, people and log-ins: the fields of each, and the functions that read them."""

from collections.abc import Mapping
from typing import Any

from pushd.admin.body_fields import (
    ANY_TEXT,
    CONTROLS,
    NAME,
    TEXT,
    TIME,
    Body,
    Field,
    Fields,
    list_field,
    one_of,
    read_fields,
    read_patch,
    without_nulls,
)
from pushd.admin.json_schema import Schema
from pushd.admin.request_bodies import with_ids
from pushd.core.devices.registry import DeviceRegistry
from pushd.model.device import MAX_TEXT
from pushd.model.errors import FieldError, InvalidFields
from pushd.model.person import ROLES as PERSON_ROLES
from pushd.model.token import SELECTORS, Role

MAX_SELECTED = 1000
"""Devices that a token or a person is limited to."""

_LIMITS: Fields = {
    "devices": list_field(TEXT, MAX_SELECTED).about("the ids of devices to which it is limited; null: any"),
    "sites": list_field(TEXT).about("the sites to which it is limited; null: any"),
    "tags": list_field(TEXT).about("tags that a device must have, all of them; null: any"),
    "endpoints": list_field(TEXT).about("the endpoints to which it is limited, or ``open``; null: any"),
}
_TOKEN: Fields = {
    "name": NAME.about("a text by which people know the token"),
    **_LIMITS,
    "expires_at": TIME.about("when it ends; null: never"),
}


def _without_selectors(role: Role, *names: str) -> Schema:
    """That a role takes no such limits."""
    of_role = {"properties": {"role": {"const": role}}, "required": ["role"]}
    return {"if": of_role, "then": {"properties": {name: {"type": "null"} for name in names}}}


TOKEN_CHANGES = Body(name="TokenChanges", fields=_TOKEN, not_null=("name",), example={"sites": ["Lobby"]})
NEW_TOKEN = Body(
    name="NewToken",
    fields={"role": one_of(Role).about("what it allows"), **_TOKEN},
    required=("name", "role"),
    rules={"allOf": [_without_selectors(Role.ADMIN, *SELECTORS), _without_selectors(Role.DEVICE, "endpoints")]},
    example={"name": "lobby", "role": "operator", "sites": ["Lobby"]},
)


def _person_name(value: object) -> str:
    name = str(NAME.read(value))
    if name != name.strip() or "/" in name or name in _NO_SEGMENTS:
        raise ValueError("must have no slash, and no space at its ends: it is a part of paths")
    return name


_NO_SEGMENTS = (".", "..")
"""What clients take for steps in a path."""

PERSON_NAME = Field(
    _person_name,
    {
        "type": "string",
        "maxLength": MAX_TEXT,
        "pattern": rf"^[^\s/{CONTROLS}]([^/{CONTROLS}]*[^\s/{CONTROLS}])?$",
        "not": {"enum": [*_NO_SEGMENTS]},
    },
)


def _person_role(value: object) -> Role:
    if not isinstance(value, str) or value not in PERSON_ROLES:
        raise ValueError(f"must be one of {', '.join(PERSON_ROLES)}")
    return Role(value)


_PERSON: Fields = {
    "role": Field(_person_role, {"type": "string", "enum": [*PERSON_ROLES]}).about("what the person may do"),
    **_LIMITS,
}
NEW_PERSON = Body(
    name="NewPerson",
    fields={
        "name": PERSON_NAME.about("the name, by which commands, events and the audit log know the person"),
        **_PERSON,
    },
    required=("name", "role"),
    rules=_without_selectors(Role.ADMIN, *SELECTORS),
    example={"name": "ana", "role": "operator", "sites": ["Lobby"]},
)
PERSON_CHANGES = Body(
    name="PersonChanges",
    fields=_PERSON,
    not_null=("role",),
    rules=_without_selectors(Role.ADMIN, *SELECTORS),
    example={"role": "viewer"},
)


def _only(name: str) -> Schema:
    return {"required": [name], "properties": {name: {"type": "string"}}}


LOG_IN = Body(
    name="LogIn",
    fields={
        "token": ANY_TEXT.about("the secret of a token"),
        "invite": ANY_TEXT.about("the secret of an invitation, which is behind ``#invite=`` in its link"),
    },
    rules={"oneOf": [_only("token"), _only("invite")]},
    example={"token": "pushd_5Rk0ZyQ8h3VbN1cXw7TgLmE2uJfPaDs9oBvH4yK"},
)


def read_new_token(body: Mapping[str, Any], registry: DeviceRegistry) -> dict[str, Any]:
    """The fields of a new token.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    missing = [
        FieldError(f"#/{name}", f"is required: {what}")
        for name, what in (("name", "a text by which people know the token"), ("role", ", ".join(Role)))
        if body.get(name) is None
    ]
    if missing:
        raise InvalidFields(missing)
    return with_ids(read_fields(without_nulls(body), NEW_TOKEN.fields), registry)


def read_token_changes(body: Mapping[str, Any], registry: DeviceRegistry) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) of a token: null takes a limit away.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    errors = [FieldError("#/role", "cannot be changed; make another token")] if "role" in body else []
    if "name" in body and body["name"] is None:
        errors.append(FieldError("#/name", "is required"))
    if errors:
        raise InvalidFields(errors)
    values, nulls = read_patch(body, _TOKEN)
    return with_ids(values, registry) | dict.fromkeys(nulls)


def read_log_in(body: Mapping[str, Any]) -> tuple[str, str]:
    """With what a client logs in, ``token`` or ``invite``, and the secret of that.

    :raises InvalidFields: naming each field that is unknown or wrong; or if it is not exactly one.
    """
    values = read_fields(without_nulls(body), LOG_IN.fields)
    if len(values) != 1:
        raise InvalidFields([FieldError("#/token", "or #/invite is required, and only one of them")])
    [(means, secret)] = values.items()
    return means, str(secret)


def read_new_person(body: Mapping[str, Any], registry: DeviceRegistry) -> dict[str, Any]:
    """The fields of a new person.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    missing = [
        FieldError(f"#/{name}", f"is required: {what}")
        for name, what in (("name", "by which the person is known"), ("role", " or ".join(PERSON_ROLES)))
        if body.get(name) is None
    ]
    if missing:
        raise InvalidFields(missing)
    return with_ids(read_fields(without_nulls(body), NEW_PERSON.fields), registry)


def read_person_changes(body: Mapping[str, Any], registry: DeviceRegistry) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) of a person: null takes a limit away.

    :raises InvalidFields: naming each field that is unknown or wrong.
    """
    if "name" in body:
        raise InvalidFields([FieldError("#/name", "cannot be changed; add another person")])
    if "role" in body and body["role"] is None:
        raise InvalidFields([FieldError("#/role", "is required")])
    values, nulls = read_patch(body, _PERSON)
    return with_ids(values, registry) | dict.fromkeys(nulls)
