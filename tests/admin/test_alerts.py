"""Tests of :mod:`pushd.admin.alerts`."""

from typing import Any

import pytest

from pushd.model.alert import AlertKind
from pushd.model.token import Role
from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer

FIELDS = (
    "id kind devices count address site webhook raised_at cleared_at duration acknowledged_at acknowledged_by"
    " mailed_at mail_error"
).split()


@pytest.fixture
def alerted(build_server: BuildServer) -> InMemoryServer:
    """A server with alerts of three devices, raised one after the other; the first two are acknowledged or over."""
    server = build_server(alert_window=0.0, flapping=(2, 600.0))
    for number in (1, 2, 3):
        server.register(f"controlid:{number}", heartbeat_timeout=1)
        _poll(server, number)
        server.tick(5)
    ids = {alert["devices"][0]: alert["id"] for alert in server.ask("GET /v1/alerts").json["items"]}
    assert server.ask(f"POST /v1/alerts/{ids['controlid:1']}/acknowledge").code == 200
    _poll(server, 2)
    return server


def _poll(server: InMemoryServer, number: int) -> None:
    server.device_request(request(f"GET /push?deviceId={number}")).hang_up()


def _devices(server: InMemoryServer, query: str) -> list[str]:
    """The devices of the alerts that match, oldest first."""
    items = server.ask(f"GET /v1/alerts?{query}").json["items"]
    return [alert["devices"][0] for alert in reversed(items)]


@pytest.mark.parametrize(
    ("query", "devices"),
    [
        ("", [1, 2, 3]),
        ("open=1", [1, 3]),
        ("open=0", [2]),
        ("acknowledged=1", [1]),
        ("acknowledged=0", [2, 3]),
        ("open=1&acknowledged=0", [3]),
        ("kind=offline", [1, 2, 3]),
        ("kind=flapping", []),
        ("kind=flapping&kind=offline&open=1", [1, 3]),
    ],
)
def test_filters(alerted: InMemoryServer, query: str, devices: list[int]) -> None:
    """Alerts are selected by whether they are open and acknowledged, and by their kind."""
    assert _devices(alerted, query) == [f"controlid:{number}" for number in devices]


def test_since(alerted: InMemoryServer) -> None:
    """Alerts that were raised at a time or later are selected, also page by page."""
    first, second, third = (alert["raised_at"] for alert in alerted.ask("GET /v1/alerts").json["items"][::-1])
    assert len(_devices(alerted, f"since={first}")) == 3
    assert _devices(alerted, f"since={second}") == ["controlid:2", "controlid:3"]
    page = alerted.ask(f"GET /v1/alerts?since={second}&limit=1").json
    assert _devices(alerted, f"since={second}&limit=1&cursor={page['next']}") == ["controlid:2"]
    assert third > second > first


@pytest.mark.parametrize("query", ["kind=fire", "acknowledged=yes", "since=yesterday", "device=controlid:1"])
def test_wrong_filters(alerted: InMemoryServer, query: str) -> None:
    """A filter that is not understood is refused."""
    assert alerted.ask(f"GET /v1/alerts?{query}").problem(400)["type"] == "bad-request"


def test_unknown_kind_names_the_kinds(alerted: InMemoryServer) -> None:
    """The error about an unknown kind has all kinds."""
    detail = alerted.ask("GET /v1/alerts?kind=fire").problem(400)["detail"]
    assert all(kind in detail for kind in AlertKind)


def test_one_alert(alerted: InMemoryServer) -> None:
    """An alert is shown by its id, as in the list, to a viewer."""
    [newest, *_] = alerted.ask("GET /v1/alerts").json["items"]
    found: dict[str, Any] = alerted.ask(f"GET /v1/alerts/{newest['id']}", role=Role.VIEWER).json
    assert found == newest
    assert sorted(found) == sorted(FIELDS)


@pytest.mark.parametrize("alert", ["x", "5f0c8a41e7d2-1", "1"])
def test_unknown_alert(alerted: InMemoryServer, alert: str) -> None:
    """An unknown alert is not found, and the answer names it."""
    for line in (f"GET /v1/alerts/{alert}", f"POST /v1/alerts/{alert}/acknowledge"):
        problem = alerted.ask(line).problem(404)
        assert (problem["type"], problem["detail"]) == (
            "not-found",
            f"No alert {alert} is known; it may have been purged.",
        )


def test_alert_that_was_purged(alerted: InMemoryServer) -> None:
    """An id beyond the newest alert, and that of an alert out of scope, are named as they were given."""
    [newest, *_] = alerted.ask("GET /v1/alerts").json["items"]
    epoch, _, number = newest["id"].partition("-")
    later = f"{epoch}-{int(number) + 1}"
    secret = alerted.make_token("elsewhere", Role.OPERATOR, sites=("Elsewhere",))
    for line in (f"GET /v1/alerts/{newest['id']}", f"POST /v1/alerts/{newest['id']}/acknowledge"):
        hidden = alerted.call(request(line, b"", f"Authorization: Bearer {secret}")).answer()
        assert hidden.problem(404)["detail"] == f"No alert {newest['id']} is known; it may have been purged."
    assert alerted.ask(f"GET /v1/alerts/{later}").problem(404)["detail"].startswith(f"No alert {later} is known")
