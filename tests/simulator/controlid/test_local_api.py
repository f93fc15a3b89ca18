"""The local API of a simulated Control iD device."""

from base64 import b64encode
from typing import Any

import pytest

from pushd.simulator.controlid.local_api import LocalApi
from pushd.simulator.controlid.query import LocalApiError

PHOTO = b"\xff\xd8\xff\xe0 a photo"


@pytest.fixture
def api() -> LocalApi:
    """A device with one user."""
    api = LocalApi(serial="4408801109440101")
    call(api, "create_objects", {"object": "users", "values": [{"id": 7, "name": "Ana", "password": "x"}]})
    return api


def call(api: LocalApi, endpoint: str, body: object = None, **fields: Any) -> dict[str, Any]:
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
    assert call(api, "system_information", verb="GET")["openings"] == 3


@pytest.mark.parametrize("bad", [{"action": "dance"}, {"action": []}, "door"])
def test_invalid_action(api: LocalApi, bad: object) -> None:
    """If one action is invalid, the door is not opened at all."""
    with pytest.raises(LocalApiError):
        call(api, "execute_actions", {"actions": [{"action": "door"}, bad]})
    assert api.openings == 0


def test_system_information(api: LocalApi) -> None:
    """A device returns its serial number and its number of users."""
    response = call(api, "system_information")
    assert (response["serial"], response["users"]) == ("4408801109440101", 1)


def test_photo(api: LocalApi) -> None:
    """A photo is stored byte for byte."""
    photo = {"contentType": "application/octet-stream", "queryString": "user_id=7&match=0&timestamp=1700000000"}
    response = call(api, "user_set_image", b64encode(PHOTO).decode(), **photo)
    assert response == {"user_id": 7, "size": len(PHOTO), "success": True}
    assert api.images == {7: PHOTO}


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
    assert api.images == {}


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
