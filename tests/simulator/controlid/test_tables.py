"""The tables of a simulated Control iD device."""

from typing import Any

import pytest

from pushd.simulator.controlid.query import LocalApiError
from pushd.simulator.controlid.tables import Tables


@pytest.fixture
def tables() -> Tables:
    """Three users, two of them in one department."""
    tables = Tables()
    tables.create("users", [{"name": "Ana", "dept": 1}, {"name": "Bo", "dept": 2}, {"id": 9, "name": "Cy", "dept": 1}])
    return tables


def names(tables: Tables, where: object = None) -> list[str]:
    """The names of the users that match ``where``."""
    return [row["name"] for row in tables.load("users", where)]


def test_create(tables: Tables) -> None:
    """An object gets the next id, or keeps its own."""
    assert [row["id"] for row in tables.load("users")] == [1, 2, 9]
    assert tables.create("users", [{}, {"id": 4}]) == [10, 4]
    assert tables.load("groups") == []


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (None, ["Ana", "Bo", "Cy"]),
        ({"users": {}}, ["Ana", "Bo", "Cy"]),
        ({"users": {"id": 2}}, ["Bo"]),
        ({"users": {"id": [1, 9, 77]}}, ["Ana", "Cy"]),
        ({"users": {"dept": 1, "name": "Cy"}}, ["Cy"]),
        ({"users": {"colour": "red"}}, []),
        ({"users": {"id": [[]]}}, []),
    ],
)
def test_where(tables: Tables, where: object, found: list[str]) -> None:
    """Objects are selected by the values of their fields, all of which must match."""
    assert names(tables, where) == found


def test_modify(tables: Tables) -> None:
    """Objects that match are changed, but not their ids."""
    assert tables.modify("users", {"name": "Di", "id": 5}, {"users": {"dept": 1}}) == 2
    assert [(row["id"], row["name"]) for row in tables.load("users")] == [(1, "Di"), (2, "Bo"), (9, "Di")]


def test_destroy(tables: Tables) -> None:
    """Objects that match are removed, and all of them without ``where``."""
    assert tables.destroy("users", {"users": {"dept": 1}}) == 2
    assert names(tables) == ["Bo"]
    assert tables.destroy("users") == 1
    assert names(tables) == []


def test_copies(tables: Tables) -> None:
    """Objects that were loaded do not change afterwards."""
    loaded = tables.load("users", {"users": {"id": 2}})
    tables.modify("users", {"name": "Di"})
    assert loaded[0]["name"] == "Bo"


@pytest.mark.parametrize("row", [{"id": 9}, {"id": "10"}, {"id": True}, {"id": None}])
def test_bad_id(tables: Tables, row: dict[str, Any]) -> None:
    """An id that is taken or not an integer is rejected, and none of the objects is added."""
    with pytest.raises(LocalApiError):
        tables.create("users", [{"name": "Di"}, row])
    assert names(tables) == ["Ana", "Bo", "Cy"]


@pytest.mark.parametrize("kind", ["unicorns", None, 7, [], {}])
def test_no_such_object(tables: Tables, kind: object) -> None:
    """An unknown kind of object is rejected."""
    with pytest.raises(LocalApiError):
        tables.load(kind, {"users": {}})


@pytest.mark.parametrize("where", [[], "id=1", {}, {"id": 1}, {"groups": {"id": 1}}, {"users": 1}])
def test_bad_where(tables: Tables, where: object) -> None:
    """Conditions that name no field are rejected, so that a mistake does not destroy all users."""
    with pytest.raises(LocalApiError):
        tables.destroy("users", where)
    assert len(names(tables)) == 3
