"""The local API of a simulated Control iD device."""

from base64 import b64decode, b64encode
from typing import Any

import pytest
from twisted.internet.task import Clock

from pushd.dialects.controlid.models import MODELS
from pushd.simulator.controlid.local_api import LocalApi
from pushd.simulator.controlid.query import LocalApiError

PHOTO = b"\xff\xd8\xff\xe0 a photo"


@pytest.fixture
def api() -> LocalApi:
    """A device with one user, at 0 seconds."""
    api = LocalApi(serial="4408801109440101", now=lambda: 0.0)
    call(api, "create_objects", {"object": "users", "values": [{"id": 7, "name": "Ana", "password": "x"}]})
    return api


def call(api: LocalApi, endpoint: str, body: object = None, **fields: Any) -> Any:
    """Execute a command with or without a body."""
    return api.call({"endpoint": endpoint, **({} if body is None else {"body": body}), **fields})


@pytest.mark.parametrize(
    "body", [{"object": "users", "fields": ["id", "name"]}, '{"object":"users","fields":["id","name"]}']
)
def test_load(api: LocalApi, body: object) -> None:
    """A body may be an object or a string, and may name the fields to return."""
    assert call(api, "load_objects", body) == {"users": [{"id": 7, "name": "Ana"}]}


def test_modify_and_destroy(api: LocalApi) -> None:
    """Objects that match ``where`` are changed and destroyed."""
    where = {"users": {"id": 7}}
    assert call(api, "modify_objects", {"object": "users", "values": {"name": "Bo"}, "where": where}) == {"changes": 1}
    assert call(api, "load_objects", {"object": "users"})["users"][0]["name"] == "Bo"
    assert call(api, "destroy_objects", {"object": "users", "where": where}) == {"changes": 1}
    assert call(api, "load_objects", {"object": "users"}) == {"users": []}


def test_configuration(api: LocalApi) -> None:
    """Settings are returned as they were set, by name or all of a section."""
    assert call(api, "set_configuration", {"general": {"online": "1", "beep": "0"}, "push_server": {"a": "b"}}) == {}
    assert call(api, "set_configuration", {"general": {"beep": "1"}}) == {}
    got = call(api, "get_configuration", {"general": ["beep", "colour"], "push_server": [], "nothing": ["x"]})
    assert got == {"general": {"beep": "1"}, "push_server": {"a": "b"}, "nothing": {}}


def test_door(api: LocalApi) -> None:
    """Each action opens the door once, and the device counts them."""
    door = {"action": "door", "parameters": "door=1"}
    assert call(api, "execute_actions", {"actions": [door, door]}) == {"openings": 2}
    assert call(api, "execute_actions", {"actions": [door]}) == {"openings": 3}


BAD_ACTIONS: list[object] = [
    {"action": "dance"},
    {"action": []},
    {"action": "door"},
    {"action": "door", "parameters": "door=5"},
    {"action": "door", "parameters": {"door": 1}},
    "door",
]


@pytest.mark.parametrize("bad", BAD_ACTIONS)
def test_invalid_action(api: LocalApi, bad: object) -> None:
    """If one action is invalid, the door is not opened at all."""
    with pytest.raises(LocalApiError):
        call(api, "execute_actions", {"actions": [{"action": "door", "parameters": "door=1"}, bad]})
    assert api.openings == 0


ACTIONS = {
    "door": {"action": "door", "parameters": "door=1"},
    "sec_box": {"action": "sec_box", "parameters": "id=65793, reason=3"},
    "catra": {"action": "catra", "parameters": "allow=anticlockwise"},
}


@pytest.mark.parametrize("model", MODELS)
def test_models(model: str) -> None:
    """A model opens with its own action alone, and rejects the others by name."""
    api = LocalApi(serial="7", model=model)
    for name, action in ACTIONS.items():
        if name == MODELS[model]:
            assert call(api, "execute_actions", {"actions": [action]}) == {"openings": 1}
            continue
        with pytest.raises(LocalApiError, match=f"invalid action '{name}': {model} opens with {MODELS[model]}"):
            call(api, "execute_actions", {"actions": [action]})
    assert api.openings == 1


@pytest.mark.parametrize(
    ("model", "parameters"),
    [("iDFlex", ""), ("iDFlex", "id=1,reason=3"), ("iDBlock", ""), ("iDBlock", "allow=left"), ("iDBlock", "door=1")],
)
def test_bad_parameters(model: str, parameters: str) -> None:
    """An action with invalid parameters is rejected, and nothing opens."""
    api = LocalApi(serial="7", model=model)
    with pytest.raises(LocalApiError, match="is an example"):
        call(api, "execute_actions", {"actions": [{"action": MODELS[model], "parameters": parameters}]})
    assert api.openings == 0


@pytest.mark.parametrize("endpoint", ["doors_state", "door_state"])
def test_doors_state(endpoint: str) -> None:
    """What was opened is open for five seconds."""
    clock = Clock()
    reader = LocalApi(serial="7", now=clock.seconds)
    flex = LocalApi(serial="8", model="iDFlex", now=clock.seconds)
    assert call(reader, endpoint) == {"doors": [{"id": 1, "open": False}], "sec_boxes": []}
    for api, name in ((reader, "door"), (flex, "sec_box")):
        call(api, "execute_actions", {"actions": [ACTIONS[name]]})
    assert call(reader, endpoint) == {"doors": [{"id": 1, "open": True}], "sec_boxes": []}
    assert call(flex, endpoint) == {"doors": [], "sec_boxes": [{"id": 65793, "open": True}]}
    clock.advance(5)
    assert call(reader, endpoint) == {"doors": [{"id": 1, "open": False}], "sec_boxes": []}


def test_system_information(api: LocalApi) -> None:
    """A device returns its serial number, its number of users, and much else."""
    response = call(api, "system_information")
    assert (response["serial"], response["license"]["users"]) == ("0M020?/037665", 1)
    names = {"uptime", "time", "memory", "license", "network", "serial", "version", "online"}
    assert set(response) == names


def test_a_device_whose_id_stands_for_no_serial_number() -> None:
    """It returns its id instead."""
    assert call(LocalApi(serial="-7", now=lambda: 0.0), "system_information")["serial"] == "-7"


def test_clock_and_uptime() -> None:
    """The clock of a device can be set; a reboot begins its uptime anew, and forgets nothing."""
    clock = Clock()
    api = LocalApi(serial="7", now=clock.seconds)
    clock.advance(2 * 86400 + 3 * 3600 + 4 * 60 + 5)
    before = call(api, "system_information")
    assert before["uptime"] == {"days": 2, "hours": 3, "minutes": 4, "seconds": 5}
    moment = {"year": 2027, "month": 1, "day": 15, "hour": 8, "minute": 0, "second": 0}
    assert call(api, "set_system_time", moment) == {}
    assert call(api, "reboot") == {}
    clock.advance(7)
    after = call(api, "system_information")
    assert (after["time"], after["uptime"]["seconds"], after["uptime"]["days"]) == (1_800_000_007, 7, 0)
    with pytest.raises(LocalApiError):
        call(api, "set_system_time", moment | {"month": 13})
    with pytest.raises(LocalApiError):
        call(api, "set_system_time", {})


def test_create_or_modify(api: LocalApi) -> None:
    """Objects whose ids there are are changed, others are added; all or none."""
    values = [{"id": 7, "name": "Bea"}, {"id": 8, "name": "Cy"}, {"name": "Di"}]
    assert call(api, "create_or_modify_objects", {"object": "users", "values": values}) == {"changes": 3}
    users = call(api, "load_objects", {"object": "users"})["users"]
    assert [(user["id"], user["name"]) for user in users] == [(7, "Bea"), (8, "Cy"), (9, "Di")]
    assert users[0]["password"] == "x"
    with pytest.raises(LocalApiError):
        call(api, "create_or_modify_objects", {"object": "users", "values": [{"id": 7, "name": "E"}, {"id": True}]})
    assert call(api, "count_objects", {"object": "users"}) == {"count": 3}
    assert call(api, "count_objects", {"object": "users", "where": {"users": {"name": "Bea"}}}) == {"count": 1}


def test_unknown_node(api: LocalApi) -> None:
    """An unknown section of the configuration is rejected by name, and nothing of the rest is set."""
    with pytest.raises(LocalApiError, match="'colour'"):
        call(api, "set_configuration", {"general": {"online": "1"}, "colour": {"a": "b"}})
    assert call(api, "get_configuration", {"general": ["online"]}) == {"general": {}}


def test_photos(api: LocalApi) -> None:
    """Photos are stored together, listed, returned and removed; each that is refused has a reason of its own."""
    photo = b64encode(PHOTO).decode()
    call(api, "create_objects", {"object": "users", "values": [{"id": 8}]})
    images = [
        {"user_id": 7, "timestamp": 1700000000, "image": photo},
        {"user_id": 8, "timestamp": 1700000001, "image": b64encode(b"a text").decode()},
        {"user_id": 9, "image": photo},
        {"user_id": 8, "image": "?"},
    ]
    results = call(api, "user_set_image_list", {"match": False, "user_images": images})["results"]
    assert [(result["user_id"], result["success"]) for result in results] == [
        (7, True),
        (8, False),
        (9, False),
        (8, False),
    ]
    assert results[1]["errors"] == [{"code": 2, "message": "Face not detected"}]
    assert call(api, "user_list_images") == {"user_ids": [7]}
    listed = call(api, "user_list_images", queryString="get_timestamp=1")
    assert listed == {"image_info": [{"user_id": 7, "timestamp": 1700000000}]}
    assert call(api, "user_get_image", verb="GET", queryString="user_id=7") == photo
    assert call(api, "user_destroy_image", {"user_id": 7}) == {}
    with pytest.raises(LocalApiError):
        call(api, "user_get_image", queryString="user_id=7")


@pytest.mark.parametrize("body", [{"user_ids": [7, 8]}, {"all": True}])
def test_remove_photos(api: LocalApi, body: dict[str, object]) -> None:
    """The photos of several users, or of all, are removed."""
    call(api, "create_objects", {"object": "users", "values": [{"id": 8}]})
    for user in (7, 8):
        api.photos.store(user, PHOTO, 0)
    assert call(api, "user_destroy_image", body) == {}
    assert call(api, "user_list_images") == {"user_ids": []}


def test_refused_photo(api: LocalApi) -> None:
    """A photo without a face is refused within a response: the command ran."""
    photo = {"contentType": "application/octet-stream", "queryString": "user_id=7"}
    response = call(api, "user_set_image", b64encode(b"no picture").decode(), **photo)
    assert (response["success"], response["errors"][0]["message"]) == (False, "Face not detected")
    assert api.photos.images == {}


def test_small_endpoints(api: LocalApi) -> None:
    """Other endpoints that integrators send are answered as by a device."""
    assert call(api, "session_is_valid") == {"session_is_valid": True}
    assert call(api, "cancel_remote_enroll") == {}
    assert b64decode(call(api, "save_screenshot", {"frame_type": "camera"})).startswith(b"\x89PNG")


def test_photo(api: LocalApi) -> None:
    """A photo is stored byte for byte."""
    photo = {"contentType": "application/octet-stream", "queryString": "user_id=7&match=0&timestamp=1700000000"}
    response = call(api, "user_set_image", b64encode(PHOTO).decode(), **photo)
    assert response == {"user_id": 7, "size": len(PHOTO), "success": True}
    assert api.photos.images == {7: PHOTO}


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ("AAAA", "user_id=8"),
        ("AAAA", ""),
        ("AAAA", "user_id=٧"),
        ("AAA", "user_id=7"),
        ("A A A A", "user_id=7"),
        ("ü", "user_id=7"),
        ("", "user_id=7"),
        ({"a": 1}, "user_id=7"),
    ],
)
def test_bad_photo(api: LocalApi, body: object, query: str) -> None:
    """A photo of an unknown user, or one that is not base64, is rejected."""
    with pytest.raises(LocalApiError):
        call(api, "user_set_image", body, contentType="application/octet-stream", queryString=query)
    assert api.photos.images == {}


def test_screen(api: LocalApi) -> None:
    """A message is shown on the screen."""
    assert call(api, "message_to_screen", {"message": "Please wait", "timeout": 5000}) == {}
    assert api.screen == "Please wait"


def test_enroll(api: LocalApi) -> None:
    """A user who exists can be enrolled."""
    enrolled = call(api, "remote_enroll", {"type": "card", "user_id": 7, "sync": True})
    assert enrolled == {"success": True, "type": "card", "user_id": 7}


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("load_objects", None),
        ("load_objects", "no JSON"),
        ("load_objects", "[1]"),
        ("load_objects", [1]),
        ("load_objects", 5),
        ("load_objects", "[" * 100_000),
        ("create_objects", {"object": "users"}),
        ("create_objects", {"object": "users", "values": [1]}),
        ("modify_objects", {"object": "users", "values": []}),
        ("set_configuration", {"general": 1}),
        ("remote_enroll", {"type": "card", "user_id": 8}),
        ("remote_enroll", {"type": "card"}),
        ("remote_enroll", {"type": "handwriting", "user_id": 7}),
        ("remote_enroll", {"type": [], "user_id": 7}),
        ("message_to_screen", {"message": 7}),
        ("message_to_screen", {}),
        ("execute_actions", {}),
        ("execute_actions", {"actions": []}),
        ("user_set_image_list", {}),
        ("user_set_image_list", {"user_images": [7]}),
        ("user_get_image", {"user_id": 7}),
        ("user_get_image", {}),
        ("user_destroy_image", {}),
        ("user_destroy_image", {"user_ids": 7}),
        ("create_or_modify_objects", {"object": "users"}),
        ("count_objects", {}),
    ],
)
def test_bad_body(api: LocalApi, endpoint: str, body: object) -> None:
    """An invalid body is rejected."""
    with pytest.raises(LocalApiError):
        call(api, endpoint, body)


@pytest.mark.parametrize("endpoint", ["", "open_sesame", "call", "load_objects.fcgi", "_user"])
def test_unknown_endpoint(api: LocalApi, endpoint: str) -> None:
    """An unknown endpoint is rejected by name."""
    with pytest.raises(LocalApiError, match=f"'{endpoint}'"):
        call(api, endpoint)
