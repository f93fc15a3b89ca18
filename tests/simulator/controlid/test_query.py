"""Queries on the tables of a simulated Control iD device."""

from typing import Any

import pytest

from pushd.simulator.controlid.local_api import LocalApi
from pushd.simulator.controlid.query import LocalApiError

USERS = [
    {"id": 1, "name": "Ana Paula", "registration": "0042", "begin_time": 100},
    {"id": 2, "name": "Bo_b", "registration": "7", "begin_time": 200},
    {"id": 3, "name": "bobby", "registration": "x", "begin_time": 300},
    {"id": 9, "name": "Zoë"},
]


@pytest.fixture
def api() -> LocalApi:
    """A device with four users, one of whom has a card and is in a group."""
    api = LocalApi(serial="4408801109440101")
    api.tables.create("users", USERS)
    api.tables.create("groups", [{"id": 5, "name": "Staff"}])
    api.tables.create("user_groups", [{"user_id": 2, "group_id": 5}])
    api.tables.create("cards", [{"id": 70, "value": 4408801109440198, "user_id": 2}])
    return api


def load(api: LocalApi, kind: str = "users", **body: Any) -> list[Any]:
    """The ids of the objects that are loaded."""
    loaded: Any = api.call({"endpoint": "load_objects", "body": {"object": kind, **body}})
    return [record["id"] for record in loaded[kind]]


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ({"id": {">=": 2}}, [2, 3, 9]),
        ({"id": {">": 2}}, [3, 9]),
        ({"id": {"<": 2}}, [1]),
        ({"id": {"<=": 2}}, [1, 2]),
        ({"id": {">": 1, "<": 9}}, [2, 3]),
        ({"id": {">": 1}, "begin_time": {"<": 300}}, [2]),
        ({"id": {"=": 3}}, [3]),
        ({"id": {"==": "3"}}, [3]),
        ({"id": "3"}, [3]),
        ({"id": {"!=": 3}}, [1, 2, 9]),
        ({"id": {"<>": 3}}, [1, 2, 9]),
        ({"id": {"IN": [1, "9", 77]}}, [1, 9]),
        ({"id": {"not  in": [1, 9]}}, [2, 3]),
        ({"registration": 42}, [1]),
        ({"registration": {">": 5}}, [1, 2, 3]),
        ({"begin_time": {">": 0}}, [1, 2, 3]),
        ({"begin_time": {"!=": 100}}, [2, 3]),
        ({"begin_time": {"IS": None}}, [9]),
        ({"begin_time": {"IS NOT": None}}, [1, 2, 3]),
        ({"name": {"LIKE": "bo%"}}, [2, 3]),
        ({"name": {"like": "%O_B%"}}, [2, 3]),
        ({"name": {"LIKE": "bo[_]b"}}, []),
        ({"name": {"LIKE": "*"}}, []),
        ({"name": {"NOT LIKE": "%b%"}}, [1, 9]),
        ({"name": {"LIKE": "zo_"}}, [9]),
        ({"colour": {">": 1}}, []),
        ({"id": {">": None}}, []),
    ],
)
def test_operators(api: LocalApi, condition: dict[str, Any], ids: list[int]) -> None:
    """Conditions in an object have operators, and all of them must hold."""
    assert load(api, where={"users": condition}) == ids


def one(field: str, name: str, value: object, connector: str | None = None) -> dict[str, Any]:
    """A condition as it stands in a list."""
    condition = {"object": "users", "field": field, "operator": name, "value": value}
    return condition if connector is None else condition | {"connector": connector}


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ([], [1, 2, 3, 9]),
        ([one("id", ">", 0)], [1, 2, 3, 9]),
        ([one("id", ">", 2, ") AND (")], [3, 9]),
        ([{"field": "id", "value": 2}], [2]),
        ([one("id", ">", 1), one("id", "<", 9)], [2, 3]),
        ([one("id", ">", 1, ") AND ("), one("id", "<", 9)], [2, 3]),
        ([one("id", "=", 1, "OR"), one("id", "=", 9)], [1, 9]),
        ([one("id", "=", 1, ") or ("), one("id", "=", 9)], [1, 9]),
        ([one("id", "=", 1, "OR"), one("id", "=", 9, "AND"), one("name", "=", "x")], [1]),
        ([one("id", "=", 1, "OR"), one("id", "=", 9, ") AND ("), one("name", "LIKE", "z%")], [9]),
        ([one("id", "=", 1, ") OR ("), one("id", "=", 9, ") AND ("), one("name", "LIKE", "a%")], [1]),
    ],
)
def test_list_of_conditions(api: LocalApi, where: list[Any], ids: list[int]) -> None:
    """Conditions in a list are combined by their connectors."""
    assert load(api, where=where) == ids


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ({"cards": {"value": 4408801109440198}}, [2]),
        ({"user_groups": {"group_id": 5}}, [2]),
        ({"user_groups": {"group_id": 6}}, []),
        ([{"object": "cards", "field": "id", "operator": ">=", "value": 70}], [2]),
    ],
)
def test_condition_on_related_objects(api: LocalApi, where: object, ids: list[int]) -> None:
    """Objects may be selected by those that belong to them."""
    assert load(api, where=where, join="LEFT") == ids
    assert load(api, "cards", where={"users": {"name": "Bo_b"}}) == [70]


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ({"order": ["name"]}, [1, 2, 9, 3]),
        ({"order": ["id", "descending"]}, [9, 3, 2, 1]),
        ({"order": ["descending", "id"]}, [9, 3, 2, 1]),
        ({"order": ["id", "descending", "ascending"]}, [1, 2, 3, 9]),
        ({"order": ["begin_time"]}, [9, 1, 2, 3]),
        ({"order": ["registration"]}, [9, 2, 1, 3]),
        ({"order": [{"object": "users", "field": "id"}, "descending"]}, [9, 3, 2, 1]),
        ({"limit": 2}, [1, 2]),
        ({"limit": 2, "offset": 1}, [2, 3]),
        ({"limit": 2, "offset": 9}, []),
        ({"offset": 2}, [1, 2, 3, 9]),
        ({"limit": 0}, []),
        ({"order": ["id", "descending"], "limit": 1, "where": {"users": {"id": {"<": 9}}}}, [3]),
    ],
)
def test_order_and_pages(api: LocalApi, given: dict[str, Any], ids: list[int]) -> None:
    """Objects are returned in an order and by pages; without a limit, an offset is ignored."""
    assert load(api, **given) == ids


def test_fields(api: LocalApi) -> None:
    """Only some fields are returned, or the number of objects."""
    body = {"object": "users", "where": {"users": {"id": 9}}, "fields": ["name", {"object": "users", "field": "id"}]}
    assert api.call({"endpoint": "load_objects", "body": body}) == {"users": [{"name": "Zoë", "id": 9}]}
    counted = api.call({"endpoint": "load_objects", "body": {"object": "users", "fields": ["COUNT(*)"], "where": []}})
    assert counted == {"users": [{"COUNT(*)": 4}]}


@pytest.mark.parametrize(
    "given",
    [
        {"where": {"users": {"id": {"~": 1}}}},
        {"where": {"users": {"id": {">=": 1, "": 2}}}},
        {"where": {"unicorns": {"id": 1}}},
        {"where": {"users": 7}},
        {"where": "id = 1"},
        {"where": [{"object": "users", "operator": "="}]},
        {"where": [7]},
        {"where": [one("id", "=", 1, "XOR"), one("id", "=", 2)]},
        {"where": [{"object": 7, "field": "id", "value": 1}]},
        {"order": "id"},
        {"order": [7]},
        {"limit": -1},
        {"limit": "many"},
        {"offset": 1.5, "limit": 1},
        {"join": "CROSS"},
        {"fields": [7]},
    ],
)
def test_bad_query(api: LocalApi, given: dict[str, Any]) -> None:
    """An invalid query is rejected, instead of being taken for one that matches nothing or everything."""
    with pytest.raises(LocalApiError):
        load(api, **given)


def test_changes_with_operators(api: LocalApi) -> None:
    """Objects are changed and destroyed by the same conditions, but not by those of related objects."""
    assert api.tables.modify("users", {"name": "x"}, {"users": {"id": {">": 3}}}) == 1
    assert api.tables.destroy("users", [one("id", ">=", 3)]) == 2
    with pytest.raises(LocalApiError):
        api.tables.destroy("users", {"cards": {"id": 70}})
    assert load(api) == [1, 2]
