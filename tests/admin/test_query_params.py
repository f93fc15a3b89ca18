"""Tests of :mod:`pushd.admin.query_params`."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.admin.query_params import Query, to_cursor
from pushd.model.errors import InvalidQuery
from tests.in_memory_server import InMemoryServer

DEVICE = "controlid:7"
SEND = f"POST /v1/devices/{DEVICE}/commands"


INVALID = [
    *("limit=0", "limit=501", "limit=-1", "limit=x", "limit=1.5", "limit=%D9%A5", "limit=000000001" + "9" * 5000),
    *("presence=here", "admission=no", "dialect=unheard-of", "cursor=%FF", "cursor=a", "cursor=gA=="),
    *("limt=5", "tag=x&" * 65 + "tag=x"),
]


@pytest.mark.parametrize("query", INVALID)
def test_invalid_query(server: InMemoryServer, query: str) -> None:
    """An invalid or misspelled parameter is refused."""
    server.ask(f"GET /v1/devices?{query}").problem(400)


@pytest.mark.parametrize("query", ["state=lost", "since=yesterday", "since=2027-01-15", "limit=0", "wait=3"])
def test_invalid_query_of_commands(server: InMemoryServer, query: str) -> None:
    """The list of commands refuses invalid parameters, too."""
    server.ask(f"GET /v1/commands?{query}").problem(400)


@pytest.mark.parametrize("query", ["wait=61", "wait=x", "queue=yes", "queue=2", "key=1"])
def test_invalid_query_of_send(server: InMemoryServer, query: str) -> None:
    """A command with an invalid parameter is not sent."""
    server.register(DEVICE)
    server.ask(f"{SEND}?{query}", {"payload": {"endpoint": "a"}}).problem(400)
    assert server.device(DEVICE)["queue"] == 0


@pytest.mark.parametrize(
    "line", ["POST /v1/devices", "GET /v1/devices/x", "PATCH /v1/devices/x", "DELETE /v1/devices/x"]
)
def test_call_without_parameters(server: InMemoryServer, line: str) -> None:
    """A call without parameters refuses any."""
    assert "the parameters here are: none" in server.ask(f"{line}?force=1", {}).problem(400)["detail"]


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("5", 5), ("0.25", 0.25), ("007", 7), ("60", 60)])
def test_seconds(text: str, seconds: float) -> None:
    """Seconds are decimal digits, with or without a fraction."""
    assert Query({"wait": [text]}).seconds("wait") == seconds


@given(st.text(max_size=300))
def test_cursor(last: str) -> None:
    """A cursor leads back to the end of its page."""
    assert Query({"cursor": [to_cursor(last)]}).cursor() == last


@given(st.text())
def test_any_cursor(text: str) -> None:
    """Any text is a cursor, or refused."""
    with suppress(InvalidQuery):
        assert isinstance(Query({"cursor": [text]}).cursor(), str)


@given(st.text())
def test_any_seconds_and_limit(text: str) -> None:
    """Any text is a number within its bounds, or refused."""
    query = Query({"wait": [text], "limit": [text]})
    with suppress(InvalidQuery):
        assert 0 <= (query.seconds("wait") or 0) <= 60
    with suppress(InvalidQuery):
        assert 1 <= query.limit() <= 500
