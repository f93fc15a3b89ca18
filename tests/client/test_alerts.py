"""Tests of the alerts that the client reads."""

import pytest

from pushd.client import AlertKind
from tests.client.conftest import MakeClient, url_of
from tests.integration.conftest import MakeServer
from tests.integration.conftest import make_server as make_server
from tests.integration.server import until

pytestmark = pytest.mark.slow


def test_alert(make_server: MakeServer, make_client: MakeClient) -> None:
    """An alert about a device that is offline is read, found and acknowledged."""
    server = make_server("--alert-window=0.1").start()
    client = make_client(url_of(server), server.token)
    client.register("controlid:7", heartbeat_timeout=1)
    server.devices.ask("GET /push?deviceId=7&uuid=u", Connection="close")
    until(lambda: list(client.alerts(is_open=True)), "the alert is raised")
    [alert] = client.alerts()
    assert (alert.kind, alert.devices, alert.count, alert.cleared_at) == (AlertKind.OFFLINE, ("controlid:7",), 1, None)
    assert client.acknowledge(alert.id).acknowledged_by == "admin"
    assert list(client.alerts(is_open=False)) == []
    assert list(client.alerts(is_acknowledged=True, since=alert.raised_at, kinds=["flapping", "offline"]))
    assert list(client.alerts(kinds=["flapping"])) == []
