"""Tests of :mod:`pushd.dialects.controlid.payload`."""

from typing import Any

import pytest

from pushd.dialects.controlid.payload import check
from pushd.model.errors import InvalidFields

OCTETS = "application/octet-stream"


def problems(payload: dict[str, Any]) -> dict[str, str]:
    """The errors in ``payload``, by their pointers."""
    with pytest.raises(InvalidFields) as caught:
        check(payload)
    found = {error.pointer: error.detail for error in caught.value.errors}
    assert len(found) == len(caught.value.errors), "one field is named twice"
    return found


def pointers(payload: dict[str, Any]) -> set[str]:
    """The pointers of all errors in ``payload``."""
    return set(problems(payload))


@pytest.mark.parametrize(
    "payload",
    [
        {"endpoint": "system_information"},
        {"verb": "GET", "endpoint": "system_information"},
        {"verb": "POST", "endpoint": "load_objects", "body": {"object": "users"}, "contentType": "application/json"},
        {"endpoint": "load_objects", "body": '{"object": "users"}'},
        {"endpoint": "load_objects", "body": "", "contentType": "", "queryString": ""},
        {"endpoint": "create_objects", "body": {"values": [{"id": 4408801109440198, "name": "José ☺", "x": None}]}},
        {"endpoint": "user_set_image", "contentType": OCTETS, "queryString": "user_id=7", "body": "/9j/4AAQSkZJRg=="},
        {"endpoint": "user_set_image", "contentType": "Application/Octet-Stream; x=y", "body": "QUJD"},
        {"endpoint": "message_to_screen", "contentType": "text/plain", "body": "not base64!"},
        {"transactions": [{"endpoint": "load_objects"}]},
        {"transactions": [{"endpoint": "a"}, {"transactionid": "door", "endpoint": "b"}, {"endpoint": "c"}]},
        {"transactions": [{"endpoint": "user_set_image", "contentType": OCTETS, "body": "QQ=="}]},
    ],
)
def test_accepts(payload: dict[str, Any]) -> None:
    """A valid payload is accepted, in each of its forms."""
    assert check(payload) is payload


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({}, "endpoint"),
        ({"endpoint": ""}, "endpoint"),
        ({"endpoint": " "}, "endpoint"),
        ({"endpoint": None}, "endpoint"),
        ({"endpoint": ["load_objects"]}, "endpoint"),
        ({"endpoint": "/"}, "endpoint"),
        ({"endpoint": "/.fcgi"}, "endpoint"),
        ({"endpoint": "a", "verb": "get"}, "verb"),
        ({"endpoint": "a", "verb": "DELETE"}, "verb"),
        ({"endpoint": "a", "verb": None}, "verb"),
        ({"endpoint": "a", "verb": ["GET"]}, "verb"),
        ({"endpoint": "a", "body": None}, "body"),
        ({"endpoint": "a", "body": 5}, "body"),
        ({"endpoint": "a", "body": True}, "body"),
        ({"endpoint": "a", "body": [{}]}, "body"),
        ({"endpoint": "a", "contentType": 5}, "contentType"),
        ({"endpoint": "a", "contentType": None}, "contentType"),
        ({"endpoint": "a", "queryString": {"user_id": 7}}, "queryString"),
        ({"endpoint": "a", "queryString": None}, "queryString"),
        ({"endpoint": "a", "transactionid": "1"}, "transactionid"),
        ({"endpoint": "a", "Body": {}}, "Body"),
        ({"endpoint": "a", "content/type~": ""}, "content~1type~0"),
        ({"endpoint": "a", "ü #": ""}, "%C3%BC%20%23"),
    ],
)
def test_refuses(payload: dict[str, Any], pointer: str) -> None:
    """An unknown field, or one with an invalid value, is an error with its pointer."""
    assert pointers(payload) == {f"#/payload/{pointer}"}


@pytest.mark.parametrize(
    "body", ["QUJ", "QUJD=", "QQ==QQ==", "QQ==\n", "QU\nJD", "Q-_D", "é", "data:;base64,QUJD", {}, None]
)
def test_octets_must_be_base64(body: object) -> None:
    """An octet-stream body, such as a photo, must be one base64 string."""
    assert pointers({"endpoint": "a", "contentType": OCTETS, "body": body}) == {"#/payload/body"}


@pytest.mark.parametrize("content_type", [OCTETS, " Application/Octet-Stream ; x=y"])
def test_octets_in_every_spelling(content_type: str) -> None:
    """The content type of octets may be in any case, and have parameters; a body is required."""
    assert pointers({"endpoint": "a", "contentType": content_type, "body": "no!"}) == {"#/payload/body"}
    assert pointers({"endpoint": "a", "contentType": content_type}) == {"#/payload/body"}


def test_octets_in_batch_must_be_base64() -> None:
    """An octet-stream body in a batch is checked as well."""
    photo = {"endpoint": "user_set_image", "contentType": OCTETS, "body": {"photo": "QUJD"}}
    assert pointers({"transactions": [{"endpoint": "a"}, photo]}) == {"#/payload/transactions/1/body"}


@pytest.mark.parametrize("endpoint", ["/load_objects", "load_objects.fcgi", "/load_objects.fcgi", "//load_objects"])
def test_endpoint_of_the_own_interface(endpoint: str) -> None:
    """An endpoint as on the device's own HTTP interface is stored and sent as a push names it."""
    assert list(check({"endpoint": endpoint, "body": {}}).items()) == [("endpoint", "load_objects"), ("body", {})]
    batch: dict[str, Any] = {"transactions": [{"endpoint": "reboot"}, {"transactionid": 5, "endpoint": endpoint}]}
    assert check(batch) == {"transactions": [{"endpoint": "reboot"}, {"transactionid": 5, "endpoint": "load_objects"}]}
    assert batch["transactions"][1]["endpoint"] == endpoint, "what was given is not changed"


def test_all_at_once() -> None:
    """All errors are reported at once."""
    payload = {"verb": "PUT", "endpoint": "/", "body": 5, "contentType": 5, "queryString": 5, "when": "now"}
    assert pointers(payload) == {f"#/payload/{key}" for key in payload}


@pytest.mark.parametrize("transactions", [[], None, {}, "1", {"endpoint": "a"}])
def test_batch_must_be_a_list(transactions: object) -> None:
    """A batch must be a non-empty list."""
    assert pointers({"transactions": transactions}) == {"#/payload/transactions"}


def test_batch_entries() -> None:
    """Each entry of a batch is checked like a command, and errors point into it."""
    entries = [5, {"endpoint": ""}, {"endpoint": "a", "verb": "PUT"}, {"endpoint": "a", "when": "now"}, None]
    assert pointers({"transactions": entries}) == {
        "#/payload/transactions/0",
        "#/payload/transactions/1/endpoint",
        "#/payload/transactions/2/verb",
        "#/payload/transactions/3/when",
        "#/payload/transactions/4",
    }


@pytest.mark.parametrize("name", ["", None, True, ["1"], {}])
def test_transactionid_must_have_a_value(name: object) -> None:
    """A transactionid must be a non-empty string or a number."""
    payload = {"transactions": [{"endpoint": "a", "transactionid": name}]}
    assert pointers(payload) == {"#/payload/transactions/0/transactionid"}


@pytest.mark.parametrize(
    "names",
    [("a", "a"), ("1", "1"), ("1", "01"), (None, "1"), ("2", None), (1, "1"), (7, 7.0), (None, 1), (2, None)],
)
def test_transactionids_must_differ(names: tuple[object, object]) -> None:
    """Two entries with the same transactionid are refused, also if one is a place in the list, or the same number."""
    entries = [{"endpoint": "a"} | ({} if name is None else {"transactionid": name}) for name in names]
    assert pointers({"transactions": entries}) == {"#/payload/transactions/1/transactionid"}


def test_batch_and_command_at_once() -> None:
    """A payload is either a command or a batch."""
    payload = {"transactions": [{"endpoint": "a"}], "endpoint": "b", "verb": "GET", "when": "now"}
    found = problems(payload)
    assert set(found) == {"#/payload/endpoint", "#/payload/verb", "#/payload/when"}
    assert "transactions" in found["#/payload/endpoint"]
    assert "known" in found["#/payload/when"]


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({"endpoint": "a\ud800"}, "#/payload/endpoint"),
        ({"endpoint": "a", "queryString": "\udfff"}, "#/payload/queryString"),
        ({"endpoint": "a", "body": {"users": [{"name": "\ud83d"}]}}, "#/payload/body/users/0/name"),
        ({"endpoint": "a", "body": {"\ud83d": 1}}, "#/payload/body"),
        ({"transactions": [{"endpoint": "a", "transactionid": "\ud800"}]}, "#/payload/transactions/0/transactionid"),
        ({"endpoint": "a", "body": {"x": float("nan")}}, "#/payload/body/x"),
        ({"endpoint": "a", "body": {"x": [float("-inf")]}}, "#/payload/body/x/0"),
    ],
)
def test_unwritable(payload: dict[str, Any], pointer: str) -> None:
    """A payload that cannot be written is refused when it is sent, not when the device polls."""
    assert pointers(payload) == {pointer}


def test_unwritable_key() -> None:
    """The error for an unknown field with an unwritable name can be written."""
    for pointer, detail in problems({"endpoint": "a", "\ud83d": 1}).items():
        assert (pointer + detail).encode()


def test_deep_body() -> None:
    """A body that is nested too deeply to be written is refused."""
    body: dict[str, Any] = {}
    for _ in range(5000):
        body = {"x": body}
    (pointer,) = pointers({"endpoint": "a", "body": body})
    assert pointer.startswith("#/payload/body/x/x/x")


def test_names_of_endpoints_are_bounded() -> None:
    """They are part of each event of a command, so they must be short, and a batch may not call very many."""
    check({"endpoint": "x" * 256})
    assert pointers({"endpoint": "x" * 257}) == {"#/payload/endpoint"}
    assert pointers({"transactions": [{"endpoint": "x" * 257}]}) == {"#/payload/transactions/0/endpoint"}
    many = [{"endpoint": f"e{number}"} for number in range(65)]
    check({"transactions": many[:64] * 10})
    assert problems({"transactions": many}) == {"#/payload/transactions": "must call at most 64 different endpoints"}
