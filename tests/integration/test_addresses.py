"""Tests of the addresses at which the server listens."""

from http.client import HTTPConnection

import pytest

from tests.integration.calls import TIMEOUT
from tests.integration.conftest import MakeServer
from tests.integration.server import ANY_PORT, until

pytestmark = pytest.mark.slow


def test_devices_are_served_over_both_ip_versions(make_server: MakeServer) -> None:
    """Without an interface the device port is open over IPv4 and IPv6, and each device has the address it uses."""
    usual = ("--devices=tcp:0", f"--admin={ANY_PORT}", "--admission=open")
    server = make_server(usual=usual).start()
    for number, host in enumerate(("127.0.0.1", "::1")):
        poll = HTTPConnection(host, server.devices.number, timeout=TIMEOUT)
        poll.request("GET", f"/push?deviceId={number}&uuid=1")
        until(lambda number=number: server.holds(f"controlid:{number}"), "the poll is held")  # type: ignore[misc]
        shown = server.admin.ask(f"GET /v1/devices/controlid:{number}").json
        assert shown["last_address"] == host
        poll.close()
