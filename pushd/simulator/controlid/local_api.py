"""The local API of a simulated Control iD device, on a small state in memory."""

import time
from calendar import timegm
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from attrs import Factory, define, field, frozen

from pushd.dialects.controlid.serial_number import to_serial
from pushd.lib import strict_json
from pushd.lib.strict_json import UnreadableBody
from pushd.simulator.controlid.doors import DEFAULT_MODEL, Doors
from pushd.simulator.controlid.photos import Photos, decode
from pushd.simulator.controlid.query import COUNT, LocalApiError, Record, select_fields, sort_and_cut
from pushd.simulator.controlid.tables import Tables

_ENROLLABLE = ("biometry", "card", "face", "password", "pin")

_SECTIONS = frozenset(
    "alarm attendance_mode barras bio_id bio_module buzzer_event camera_overlay catra catra_events face_id face_module"
    " general gpio_ext identifier intercom led_rgb led_white lock_safe mifare monitor network_interlock ntp onvif"
    " online_client pjsip portal push_server qrcode rtsp sec_box sip snmp_agent sntp streaming uhf user_message"
    " video_player w_in0 w_in1 w_out0 w_out1".split()
)
"""The sections of the configuration; a device rejects any other."""

_SCREENSHOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A picture of one pixel, in base64."""

_DAY, _HOUR, _MINUTE = 86400, 3600, 60


@frozen(kw_only=True)
class Parameters:
    """The parameters of a command: the fields of its body, or its bytes, and the query."""

    fields: Record = field(factory=dict)
    raw: bytes = b""
    query: Mapping[str, str] = field(factory=dict)

    def get(self, name: str) -> Any:
        """A parameter, wherever it is; None if it is missing."""
        return self.fields.get(name, self.query.get(name))


@define(eq=False, kw_only=True)
class LocalApi:
    """The users, configuration, screen and door of one device; ``now`` is in seconds."""

    serial: str
    """Its deviceId."""
    model: str = DEFAULT_MODEL
    now: Callable[[], float] = time.time
    tables: Tables = field(factory=Tables, init=False)
    doors: Doors = field(
        default=Factory(lambda self: Doors(model=self.model, now=self.now), takes_self=True), init=False
    )
    photos: Photos = field(factory=Photos, init=False)
    screen: str = field(default="", init=False)
    _configuration: dict[str, Record] = field(factory=dict, init=False)
    _started_at: float = field(default=Factory(lambda self: self.now(), takes_self=True), init=False)
    _clock_error: float = field(default=0.0, init=False)
    """Seconds by which its clock is ahead."""

    @property
    def openings(self) -> int:
        """How often its door, box or turnstile was opened."""
        return self.doors.openings

    def call(self, command: Mapping[str, Any]) -> object:
        """Execute one command as it was pushed; returns the device's response, an object or a text.

        :raises LocalApiError: if the device rejects it.
        """
        endpoint = command.get("endpoint")
        if not isinstance(endpoint, str):
            raise LocalApiError("the endpoint is missing")
        if endpoint not in _ENDPOINTS:
            raise LocalApiError(f"unknown endpoint {endpoint!a}")
        return _ENDPOINTS[endpoint](self, _parameters(command))

    # Objects.

    def load_objects(self, given: Parameters) -> Record:
        """Return the objects that match ``where``, or only some ``fields`` of them; in an ``order``, and by pages."""
        kind, names = given.fields.get("object"), given.fields.get("fields")
        records = self.tables.load(kind, given.fields.get("where"))
        if names == [COUNT]:
            return {str(kind): [{COUNT: len(records)}]}
        return {str(kind): [select_fields(record, names) for record in sort_and_cut(records, given.fields)]}

    def count_objects(self, given: Parameters) -> Record:
        """Return the number of objects that match ``where``."""
        return {"count": len(self.tables.load(given.fields.get("object"), given.fields.get("where")))}

    def create_objects(self, given: Parameters) -> Record:
        """Add objects; returns their ids."""
        return {"ids": self.tables.create(given.fields.get("object"), _records(given))}

    def create_or_modify_objects(self, given: Parameters) -> Record:
        """Add objects, or change those whose ids there are."""
        return {"changes": self.tables.create_or_modify(given.fields.get("object"), _records(given))}

    def modify_objects(self, given: Parameters) -> Record:
        """Change the objects that match ``where``."""
        values = given.fields.get("values")
        if not isinstance(values, dict):
            raise LocalApiError("values must be an object")
        return {"changes": self.tables.modify(given.fields.get("object"), values, given.fields.get("where"))}

    def destroy_objects(self, given: Parameters) -> Record:
        """Remove the objects that match ``where``."""
        return {"changes": self.tables.destroy(given.fields.get("object"), given.fields.get("where"))}

    # The device itself.

    def set_configuration(self, given: Parameters) -> Record:
        """Change settings, all or none; the fields are sections."""
        for section, settings in given.fields.items():
            if section not in _SECTIONS:
                raise LocalApiError(f"unknown node {section!a}")
            if not isinstance(settings, dict):
                raise LocalApiError(f"the node {section} must be an object")
        for section, settings in given.fields.items():
            self._configuration.setdefault(section, {}).update(settings)
        return {}

    def get_configuration(self, given: Parameters) -> Record:
        """Return the named settings of each section; all settings of a section without names."""
        return {
            section: select_fields(self._configuration.get(section, {}), names)
            for section, names in given.fields.items()
        }

    def system_information(self, given: Parameters) -> Record:  # noqa: ARG002
        """Return what the device says of itself."""
        uptime = int(self.now() - self._started_at)
        storage = {"free": 1_000_000_000, "total": 2_000_000_000}
        return {
            "uptime": {
                "days": uptime // _DAY,
                "hours": uptime % _DAY // _HOUR,
                "minutes": uptime % _HOUR // _MINUTE,
                "seconds": uptime % _MINUTE,
            },
            "time": int(self.now() + self._clock_error),
            "memory": {"disk": storage, "ram": storage},
            "license": {"users": len(self.tables.load("users")), "device": 1, "type": "simulated"},
            "network": {
                "mac": "FC:52:CE:00:00:01",
                "ip": "192.0.2.20",
                "netmask": "255.255.255.0",
                "gateway": "192.0.2.1",
                "web_server_port": 80,
                "ssl_enabled": False,
            },
            "serial": to_serial(self.serial) or self.serial,
            "version": "simulated",
            "online": False,
        }

    def set_system_time(self, given: Parameters) -> Record:
        """Set the clock of the device, in local time, as it is given."""
        parts = [given.get(name) for name in ("year", "month", "day", "hour", "minute", "second")]
        try:
            moment = timegm(time.strptime(" ".join(map(str, parts)), "%Y %m %d %H %M %S"))
        except ValueError:
            raise LocalApiError("the time must have year, month, day, hour, minute and second") from None
        self._clock_error = moment - self.now()
        return {}

    def reboot(self, given: Parameters) -> Record:  # noqa: ARG002
        """Restart; nothing is forgotten."""
        self._started_at = self.now()
        return {}

    def session_is_valid(self, given: Parameters) -> Record:  # noqa: ARG002
        """A pushed command needs no session."""
        return {"session_is_valid": True}

    def message_to_screen(self, given: Parameters) -> Record:
        """Show a text on the screen."""
        message = given.fields.get("message")
        if not isinstance(message, str):
            raise LocalApiError("the message must be text")
        self.screen = message
        return {}

    def save_screenshot(self, given: Parameters) -> str:  # noqa: ARG002
        """Return a picture of the screen, in base64."""
        return _SCREENSHOT

    # Doors.

    def execute_actions(self, given: Parameters) -> Record:
        """Open what the model opens, once per action."""
        self.doors.execute(given.fields.get("actions"))
        return {"openings": self.openings}

    def doors_state(self, given: Parameters) -> Record:  # noqa: ARG002
        """Return what is open."""
        return self.doors.state()

    # People.

    def user_set_image(self, given: Parameters) -> Record:
        """Store the photo of a user, who must exist."""
        user = self._user(given.query.get("user_id"))
        if not given.raw:
            raise LocalApiError("the photo is missing")
        return self.photos.store(user, given.raw, self._timestamp(given.query.get("timestamp")))

    def user_set_image_list(self, given: Parameters) -> Record:
        """Store several photos; each has a result of its own."""
        photos = given.fields.get("user_images")
        if not isinstance(photos, list) or not photos or not all(isinstance(photo, dict) for photo in photos):
            raise LocalApiError("user_images must be a list of objects")
        return {"results": [self._store_photo(photo) for photo in photos]}

    def user_get_image(self, given: Parameters) -> str:
        """Return the photo of a user, in base64."""
        return self.photos.get(self._user(given.get("user_id")))

    def user_list_images(self, given: Parameters) -> Record:
        """Return the users who have a photo."""
        return self.photos.list(with_timestamps=str(given.get("get_timestamp")) in ("1", "True"))

    def user_destroy_image(self, given: Parameters) -> Record:
        """Remove the photo of a user, of several, or of all."""
        if given.get("all") is True:
            self.photos.remove(tuple(self.photos.images))
            return {}
        users = given.fields.get("user_ids", [given.get("user_id")])
        if not isinstance(users, list):
            raise LocalApiError("user_ids must be a list")
        self.photos.remove([self._user(user) for user in users])
        return {}

    def remote_enroll(self, given: Parameters) -> Record:
        """Enroll a card, face or fingerprint of a user, who must exist, as if that person were present."""
        kind = given.fields.get("type")
        if kind not in _ENROLLABLE:
            raise LocalApiError(f"the type must be one of {', '.join(_ENROLLABLE)}")
        return {"success": True, "type": kind, "user_id": self._user(given.fields.get("user_id"))}

    def cancel_remote_enroll(self, given: Parameters) -> Record:  # noqa: ARG002
        """Nothing is in progress: an enrollment ends at once."""
        return {}

    def _store_photo(self, photo: Record) -> Record:
        try:
            user = self._user(photo.get("user_id"))
            return self.photos.store(user, decode(photo.get("image")), self._timestamp(photo.get("timestamp")))
        except LocalApiError as error:
            errors = [{"code": 1, "message": str(error)}]
            return {"user_id": photo.get("user_id"), "success": False, "errors": errors}

    def _timestamp(self, given: object) -> int:
        is_number = isinstance(given, int) or (isinstance(given, str) and given.isascii() and given.isdigit())
        return int(str(given)) if is_number and len(str(given)) < 20 else int(self.now())

    def _user(self, user_id: object) -> int:
        for record in self.tables.load("users"):
            if user_id in (record["id"], str(record["id"])):
                return int(record["id"])
        raise LocalApiError("the user does not exist")


_Endpoint = Callable[[LocalApi, Parameters], object]

_ENDPOINTS: Mapping[str, _Endpoint] = {
    **{
        run.__name__: run
        for run in (
            LocalApi.load_objects,
            LocalApi.count_objects,
            LocalApi.create_objects,
            LocalApi.create_or_modify_objects,
            LocalApi.modify_objects,
            LocalApi.destroy_objects,
            LocalApi.set_configuration,
            LocalApi.get_configuration,
            LocalApi.system_information,
            LocalApi.set_system_time,
            LocalApi.reboot,
            LocalApi.session_is_valid,
            LocalApi.message_to_screen,
            LocalApi.save_screenshot,
            LocalApi.execute_actions,
            LocalApi.doors_state,
            LocalApi.user_set_image,
            LocalApi.user_set_image_list,
            LocalApi.user_get_image,
            LocalApi.user_list_images,
            LocalApi.user_destroy_image,
            LocalApi.remote_enroll,
            LocalApi.cancel_remote_enroll,
        )
    },
    "door_state": LocalApi.doors_state,
}


def _records(given: Parameters) -> list[Record]:
    values = given.fields.get("values")
    if not isinstance(values, list) or not all(isinstance(record, dict) for record in values):
        raise LocalApiError("values must be a list of objects")
    return values


def _parameters(command: Mapping[str, Any]) -> Parameters:
    query = command.get("queryString")
    pairs = dict(parse_qsl(query)) if isinstance(query, str) else {}
    body = command.get("body", "")
    if command.get("contentType") == "application/octet-stream":
        return Parameters(raw=decode(body), query=pairs)
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
