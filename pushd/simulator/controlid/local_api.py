"""The local API of a simulated Control iD device, on a small state in memory."""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from attrs import define, field, frozen

from pushd.lib import strict_json
from pushd.lib.strict_json import UnreadableBody
from pushd.simulator.controlid.query import COUNT, LocalApiError, Record, select_fields, sort_and_cut
from pushd.simulator.controlid.tables import Tables

_OPENERS = ("catra", "door", "open_collector", "sec_box")
"""The actions that open something."""

_ENROLLABLE = ("biometry", "card", "face", "password", "pin")


@frozen(kw_only=True)
class Parameters:
    """The parameters of a command: the fields of its body, or its bytes, and the query."""

    fields: Record = field(factory=dict)
    raw: bytes = b""
    query: Mapping[str, str] = field(factory=dict)


@define(eq=False, kw_only=True)
class LocalApi:
    """The users, configuration, screen and door of one device."""

    serial: str
    tables: Tables = field(factory=Tables, init=False)
    openings: int = field(default=0, init=False)
    """How often the door was opened."""
    screen: str = field(default="", init=False)
    images: dict[int, bytes] = field(factory=dict, init=False)
    _configuration: dict[str, Record] = field(factory=dict, init=False)

    def call(self, command: Mapping[str, Any]) -> Record:
        """Execute one command as it was pushed; returns the device's response.

        :raises LocalApiError: if the device rejects it.
        """
        endpoint = command.get("endpoint")
        if not isinstance(endpoint, str):
            raise LocalApiError("the endpoint is missing")
        if endpoint not in _ENDPOINTS:
            raise LocalApiError(f"unknown endpoint {endpoint!a}")
        return _ENDPOINTS[endpoint](self, _parameters(command))

    def load_objects(self, given: Parameters) -> Record:
        """Return the objects that match ``where``, or only some ``fields`` of them; in an ``order``, and by pages."""
        kind, names = given.fields.get("object"), given.fields.get("fields")
        records = self.tables.load(kind, given.fields.get("where"))
        if names == [COUNT]:
            return {str(kind): [{COUNT: len(records)}]}
        return {str(kind): [select_fields(record, names) for record in sort_and_cut(records, given.fields)]}

    def create_objects(self, given: Parameters) -> Record:
        """Add objects; returns their ids."""
        values = given.fields.get("values")
        if not isinstance(values, list) or not all(isinstance(record, dict) for record in values):
            raise LocalApiError("values must be a list of objects")
        return {"ids": self.tables.create(given.fields.get("object"), values)}

    def modify_objects(self, given: Parameters) -> Record:
        """Change the objects that match ``where``."""
        values = given.fields.get("values")
        if not isinstance(values, dict):
            raise LocalApiError("values must be an object")
        return {"changes": self.tables.modify(given.fields.get("object"), values, given.fields.get("where"))}

    def destroy_objects(self, given: Parameters) -> Record:
        """Remove the objects that match ``where``."""
        return {"changes": self.tables.destroy(given.fields.get("object"), given.fields.get("where"))}

    def set_configuration(self, given: Parameters) -> Record:
        """Change settings; the fields are sections."""
        if not all(isinstance(settings, dict) for settings in given.fields.values()):
            raise LocalApiError("each section must be an object")
        for section, settings in given.fields.items():
            self._configuration.setdefault(section, {}).update(settings)
        return {}

    def get_configuration(self, given: Parameters) -> Record:
        """Return the named settings of each section; all settings of a section without names."""
        return {
            section: select_fields(self._configuration.get(section, {}), names)
            for section, names in given.fields.items()
        }

    def execute_actions(self, given: Parameters) -> Record:
        """Open the door, once per action."""
        actions = given.fields.get("actions")
        if not isinstance(actions, list) or not actions:
            raise LocalApiError("actions must be a list")
        for action in actions:
            if not isinstance(action, dict) or action.get("action") not in _OPENERS:
                raise LocalApiError(f"an action must be one of {', '.join(_OPENERS)}")
        self.openings += len(actions)
        return {"openings": self.openings}

    def system_information(self, given: Parameters) -> Record:  # noqa: ARG002
        """Return the serial number and some figures."""
        users = len(self.tables.load("users"))
        return {"serial": self.serial, "version": "simulated", "users": users, "openings": self.openings}

    def user_set_image(self, given: Parameters) -> Record:
        """Store the photo of a user, who must exist."""
        user = self._user(given.query.get("user_id"))
        if not given.raw:
            raise LocalApiError("the photo is missing")
        self.images[user] = given.raw
        return {"user_id": user, "size": len(given.raw), "success": True}

    def message_to_screen(self, given: Parameters) -> Record:
        """Show a text on the screen."""
        message = given.fields.get("message")
        if not isinstance(message, str):
            raise LocalApiError("the message must be text")
        self.screen = message
        return {}

    def remote_enroll(self, given: Parameters) -> Record:
        """Enroll a card, face or fingerprint of a user, who must exist, as if that person were present."""
        kind = given.fields.get("type")
        if kind not in _ENROLLABLE:
            raise LocalApiError(f"the type must be one of {', '.join(_ENROLLABLE)}")
        return {"success": True, "type": kind, "user_id": self._user(given.fields.get("user_id"))}

    def _user(self, user_id: object) -> int:
        for record in self.tables.load("users"):
            if user_id in (record["id"], str(record["id"])):
                return int(record["id"])
        raise LocalApiError("unknown user")


_ENDPOINTS: Mapping[str, Callable[[LocalApi, Parameters], Record]] = {
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


def _parameters(command: Mapping[str, Any]) -> Parameters:
    query = command.get("queryString")
    pairs = dict(parse_qsl(query)) if isinstance(query, str) else {}
    body = command.get("body", "")
    if command.get("contentType") == "application/octet-stream":
        return Parameters(raw=_decode(body), query=pairs)
    return Parameters(fields=_parse_body(body), query=pairs)


def _parse_body(body: object) -> Record:
    """The vendor's text says that a body is a string, its example has an object, and firmware accepts both."""
    try:
        fields = strict_json.parse(body) if isinstance(body, str) and body.strip() else body or {}
    except UnreadableBody:
        raise LocalApiError("the body is not JSON") from None
    if not isinstance(fields, dict):
        raise LocalApiError("the body must be an object")
    return fields


def _decode(body: object) -> bytes:
    if not isinstance(body, str):
        raise LocalApiError("the body must be one base64 string")
    try:
        return b64decode(body, validate=True)
    except (NotBase64, ValueError):
        raise LocalApiError("the body is not base64") from None
