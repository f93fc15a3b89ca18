"""What a simulated Control iD device can do: its API on the local network, against a small state of its own."""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from attrs import define, field, frozen

from pushd.lib import strict_json
from pushd.lib.strict_json import UnreadableBody
from pushd.simulator.controlid.tables import Refused, Row, Tables

_OPENERS = ("catra", "door", "open_collector", "sec_box")
"""The actions that open something."""

_ENROLLABLE = ("biometry", "card", "face", "password", "pin")


@frozen(kw_only=True)
class Parameters:
    """What a command brings: the fields of its body, or its bytes, and the query."""

    fields: Row = field(factory=dict)
    raw: bytes = b""
    query: Mapping[str, str] = field(factory=dict)


@define(eq=False, kw_only=True)
class LocalApi:
    """One device's users, configuration, screen and door."""

    serial: str
    tables: Tables = field(factory=Tables, init=False)
    openings: int = field(default=0, init=False)
    """How often the door was opened."""
    screen: str = field(default="", init=False)
    images: dict[int, bytes] = field(factory=dict, init=False)
    _configuration: dict[str, Row] = field(factory=dict, init=False)

    def call(self, command: Mapping[str, Any]) -> Row:
        """Run one command as it was pushed, and say what the device answers.

        :raises Refused: if the device reports an error instead.
        """
        endpoint = command.get("endpoint")
        if not isinstance(endpoint, str):
            raise Refused("the endpoint is missing")
        if endpoint not in _ENDPOINTS:
            raise Refused(f"unknown endpoint {endpoint!a}")
        return _ENDPOINTS[endpoint](self, _parameters(command))

    def load_objects(self, given: Parameters) -> Row:
        """The rows that ``where`` picks, or just some ``fields`` of them."""
        kind, names = given.fields.get("object"), given.fields.get("fields")
        rows = self.tables.load(kind, given.fields.get("where"))
        return {str(kind): [_some(row, names) for row in rows]}

    def create_objects(self, given: Parameters) -> Row:
        """New rows; their ids."""
        values = given.fields.get("values")
        if not isinstance(values, list) or not all(isinstance(row, dict) for row in values):
            raise Refused("values must be a list of objects")
        return {"ids": self.tables.create(given.fields.get("object"), values)}

    def modify_objects(self, given: Parameters) -> Row:
        """Other values in the rows that ``where`` picks."""
        values = given.fields.get("values")
        if not isinstance(values, dict):
            raise Refused("values must be an object")
        return {"changes": self.tables.modify(given.fields.get("object"), values, given.fields.get("where"))}

    def destroy_objects(self, given: Parameters) -> Row:
        """No more of the rows that ``where`` picks."""
        return {"changes": self.tables.destroy(given.fields.get("object"), given.fields.get("where"))}

    def set_configuration(self, given: Parameters) -> Row:
        """Settings, by section."""
        if not all(isinstance(settings, dict) for settings in given.fields.values()):
            raise Refused("each section must be an object")
        for section, settings in given.fields.items():
            self._configuration.setdefault(section, {}).update(settings)
        return {}

    def get_configuration(self, given: Parameters) -> Row:
        """The settings that are named, by section; of a section with no names, all."""
        return {section: _some(self._configuration.get(section, {}), names) for section, names in given.fields.items()}

    def execute_actions(self, given: Parameters) -> Row:
        """Open the door, once per action."""
        actions = given.fields.get("actions")
        if not isinstance(actions, list) or not actions:
            raise Refused("actions must be a list")
        for action in actions:
            if not isinstance(action, dict) or action.get("action") not in _OPENERS:
                raise Refused(f"an action must be one of {', '.join(_OPENERS)}")
        self.openings += len(actions)
        return {"openings": self.openings}

    def system_information(self, given: Parameters) -> Row:  # noqa: ARG002
        """What this device is, and how it does."""
        users = len(self.tables.load("users"))
        return {"serial": self.serial, "version": "simulated", "users": users, "openings": self.openings}

    def user_set_image(self, given: Parameters) -> Row:
        """A photo of a user, who must exist."""
        user = self._user(given.query.get("user_id"))
        if not given.raw:
            raise Refused("the photo is missing")
        self.images[user] = given.raw
        return {"user_id": user, "size": len(given.raw), "success": True}

    def message_to_screen(self, given: Parameters) -> Row:
        """A text for whoever stands before the device."""
        message = given.fields.get("message")
        if not isinstance(message, str):
            raise Refused("the message must be text")
        self.screen = message
        return {}

    def remote_enroll(self, given: Parameters) -> Row:
        """Take a card, face or finger of a user, who must exist, as if that person came at once."""
        kind = given.fields.get("type")
        if kind not in _ENROLLABLE:
            raise Refused(f"the type must be one of {', '.join(_ENROLLABLE)}")
        return {"success": True, "type": kind, "user_id": self._user(given.fields.get("user_id"))}

    def _user(self, wanted: object) -> int:
        for row in self.tables.load("users"):
            if wanted in (row["id"], str(row["id"])):
                return int(row["id"])
        raise Refused("there is no such user")


_ENDPOINTS: Mapping[str, Callable[[LocalApi, Parameters], Row]] = {
    run.__name__: run
    for run in (
        LocalApi.load_objects,
        LocalApi.create_objects,
        LocalApi.modify_objects,
        LocalApi.destroy_objects,
        LocalApi.set_configuration,
        LocalApi.get_configuration,
        LocalApi.execute_actions,
        LocalApi.system_information,
        LocalApi.user_set_image,
        LocalApi.message_to_screen,
        LocalApi.remote_enroll,
    )
}


def _some(row: Row, names: object) -> Row:
    """The fields of ``row`` that are named; all, if none is."""
    if not isinstance(names, list) or not names:
        return row
    return {name: row[name] for name in names if isinstance(name, str) and name in row}


def _parameters(command: Mapping[str, Any]) -> Parameters:
    query = command.get("queryString")
    pairs = dict(parse_qsl(query)) if isinstance(query, str) else {}
    body = command.get("body", "")
    if command.get("contentType") == "application/octet-stream":
        return Parameters(raw=_decode(body), query=pairs)
    return Parameters(fields=_fields(body), query=pairs)


def _fields(body: object) -> Row:
    """The vendor's text says that a body is a string, its example is an object, and firmware takes both."""
    try:
        fields = strict_json.parse(body) if isinstance(body, str) and body.strip() else body or {}
    except UnreadableBody:
        raise Refused("the body is not JSON") from None
    if not isinstance(fields, dict):
        raise Refused("the body must be an object")
    return fields


def _decode(body: object) -> bytes:
    if not isinstance(body, str):
        raise Refused("the body must be one base64 string")
    try:
        return b64decode(body, validate=True)
    except (NotBase64, ValueError):
        raise Refused("the body is not base64") from None
