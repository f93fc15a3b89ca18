"""Tests of Now: what is wrong, and what can be done about it."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.conftest import MakeDashboard, MakeServer
from tests.dashboard.fleet import OPTIONS, Fleet
from tests.harness.environment import free_ports
from tests.integration.calls import HOST
from tests.integration.server import Server, until

pytestmark = pytest.mark.slow(seconds=15)


@pytest.fixture
def own(make_server: MakeServer) -> Fleet:
    """A server with a little of everything, for a test that changes it."""
    fleet = Fleet(make_server(usual=OPTIONS).start())
    fleet.fill()
    return fleet


def row(page: Page, text: str) -> Locator:
    """The problem with this text."""
    return page.get_by_role("listitem").filter(has_text=text)


def test_what_is_wrong(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """Each problem says what, since when, why and what helps; the heading, the navigation and the title count them."""
    dashboard = make_dashboard(fleet.server)
    page = dashboard.page
    dashboard.open("/")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "1 decision, 1 outage, 2 at the door and 1 webhook that fails"
    )
    assert page.title() == "(5) Now · pushd"
    expect(page.locator("h2.group")).to_contain_text(["Decide", "Outages", "At the door", "Refused", "Not delivered"])
    expect(row(page, "Lobby reader: did the door open?")).to_contain_text("It will not be sent again by itself.")
    expect(row(page, "Portão Sul offline since")).to_contain_text("Last heard from 127.0.0.1.")
    expect(row(page, "New reader 0G020?/005B6F waits for approval").get_by_role("button")).to_have_text(
        ["Approve…", "Block"]
    )
    expect(row(page, "/controlid/push")).to_contain_text("--base /controlid")
    expect(row(page, "Webhook")).to_contain_text("127.0.0.1:9")
    menu = page.get_by_role("navigation", name="Main")
    expect(menu.get_by_role("link", name="Now 5")).to_be_visible()
    expect(menu.get_by_role("link", name="Unknown 1")).to_be_visible()
    dashboard.check()


def test_a_decision(own: Fleet, make_dashboard: MakeDashboard) -> None:
    """Deciding settles the command as a person's word, and the problem ends with a tick."""
    dashboard = make_dashboard(own.server)
    page = dashboard.page
    dashboard.open("/")
    problem = row(page, "Lobby reader: did the door open?")
    problem.get_by_role("button", name="It did not").click()
    expect(problem).to_have_class("problem over")
    command = own.server.command(own.unknown)
    assert (command["state"], command["evidence"]) == ("failed", "operator")
    expect(page.get_by_role("heading", level=1)).not_to_contain_text("decision")
    dashboard.check()


def test_an_acknowledged_outage(own: Fleet, make_dashboard: MakeDashboard) -> None:
    """An outage that was acknowledged leaves the list, and is counted below the heading."""
    dashboard = make_dashboard(own.server)
    page = dashboard.page
    dashboard.open("/")
    row(page, "Portão Sul").get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("1 acknowledged outage")).to_be_visible()
    assert own.server.admin.ask(f"GET /v1/alerts/{own.alert}").json["acknowledged_by"] == "admin"


def test_approving(own: Fleet, make_dashboard: MakeDashboard) -> None:
    """A device is let in with what an operator knows of it; what is wrong with a field is said there."""
    dashboard = make_dashboard(own.server)
    page = dashboard.page
    dashboard.open("/")
    row(page, "0G020?/005B6F").get_by_role("button", name="Approve…").click()
    dialog = page.get_by_role("dialog", name="Approve a device")
    expect(dialog.get_by_text("0G020?/005B6F")).to_be_visible()
    dialog.get_by_label("Name").fill("Back door")
    dialog.get_by_label("Site").fill("x" * 300)
    dialog.get_by_label("Model").fill("iDFlex")
    dialog.get_by_label("Tags").fill("24h, back")
    dialog.get_by_role("button", name="Approve").click()
    expect(dialog.get_by_label("Site")).to_have_attribute("aria-invalid", "true")
    assert own.server.admin.ask(f"GET /v1/devices/{own.pending}").json["admission"] == "pending"
    dialog.get_by_label("Site").fill("North")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    device = own.server.admin.ask(f"GET /v1/devices/{own.pending}").json
    assert (device["admission"], device["name"], device["site"], device["tags"]) == (
        "approved",
        "Back door",
        "North",
        ["24h", "back"],
    )
    assert device["facts"]["model"] == "iDFlex"
    (asked,) = own.server.admin.ask(f"GET /v1/commands?device={own.pending}").json["items"]
    assert asked["endpoint"] == "system_information"


def test_a_problem_appears_by_itself(own: Fleet, make_dashboard: MakeDashboard) -> None:
    """What goes wrong while the page is open is shown without a reload."""
    dashboard = make_dashboard(own.server)
    page = dashboard.page
    dashboard.open("/")
    expect(page.locator(".side-foot").get_by_text("Live", exact=True)).to_be_visible()
    own.server.devices.begin("GET /push?deviceId=77").hang_up()
    expect(row(page, "00000?/00004D")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("3 at the door")


WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((entry) => entry.value)))
  .observe({type: "layout-shift", buffered: false});
"""


def test_nothing_moves_under_the_finger(own: Fleet, make_dashboard: MakeDashboard) -> None:
    """What cells say changes, without anything moving, while events arrive as fast as the server takes changes."""
    dashboard = make_dashboard(own.server)
    page = dashboard.page
    dashboard.open("/")
    own.server.admin.ask(f"PATCH /v1/devices/{own.online}", {"name": "Lobby reader 100"})
    expect(row(page, "Lobby reader 100: did the door open?")).to_be_visible()
    page.evaluate(f"{WATCH_SHIFTS}; null")
    for number in range(100, 200):
        own.server.admin.ask(f"PATCH /v1/devices/{own.online}", {"name": f"Lobby reader {number}"})
    expect(row(page, "Lobby reader 199: did the door open?")).to_be_visible()
    assert page.evaluate("window.shifts") == []
    dashboard.check()


def test_a_group_that_cannot_be_read(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """A call that fails takes its own group down, and can be tried again."""
    dashboard = make_dashboard(fleet.server)
    page = dashboard.page
    page.route("**/v1/alerts?open=1*", lambda route: route.fulfill(status=503, body="{}"))
    page.route("**/v1/commands?state=unknown*", lambda route: route.abort())
    dashboard.faults.clear()
    dashboard.open("/")
    expect(page.get_by_text("Could not be read, 503.")).to_be_visible()
    expect(page.get_by_text("The server did not answer.")).to_be_visible()
    expect(row(page, "0G020?/005B6F")).to_be_visible()
    page.unroute_all()
    page.get_by_role("button", name="Try again").first.click()
    expect(row(page, "Lobby reader: did the door open?")).to_be_visible()
    dashboard.faults[:] = [fault for fault in dashboard.faults if "Failed to load resource" not in fault]


def test_the_last_doors_on_a_phone(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """On a phone the doors that were opened here last stand first, each with Open; one that is not known any more, and
    what another program wrote there, are left out.
    """
    dashboard = make_dashboard(fleet.server, viewport={"width": 360, "height": 740})
    page = dashboard.page
    dashboard.open("/")
    store = "doors => localStorage.setItem('pushd.doors', doors)"
    page.evaluate(store, json.dumps([fleet.online, fleet.offline, "controlid:1"]))
    dashboard.open("/")
    doors = page.get_by_role("region", name="Doors opened here last")
    expect(doors.get_by_role("listitem")).to_contain_text(["Lobby reader", "Portão Sul"])
    expect(doors.get_by_role("listitem")).to_have_count(2)
    expect(doors.get_by_role("listitem").nth(1)).to_contain_text("Sul · Offline for")
    doors.get_by_role("link", name="Open").first.click()
    expect(page).to_have_url(f"{dashboard.origin}/devices/controlid%3A3206485144263533/open")
    dashboard.check()
    page.evaluate(store, "no JSON")
    dashboard.open("/")
    expect(doors).to_have_count(0)


def test_a_new_server(make_server: MakeServer, make_dashboard: MakeDashboard) -> None:
    """A new server says that nothing is wrong, and of each group when that was last known; it shows three steps, with
    the address for the device, and a tick when one appears.
    """
    server = make_server(usual=OPTIONS).start()
    dashboard = make_dashboard(server)
    page = dashboard.page
    dashboard.open("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing is wrong")
    known = (
        r"Decide \(now\), Outages \(now\), At the door \(now\), Refused \(\d\d:\d\d:\d\d\) and Not delivered \(now\)"
    )
    expect(page.get_by_text(re.compile(f"Last checked: {known}"))).to_be_visible()
    expect(page.get_by_label("Server address for the device")).to_have_value(f"http://127.0.0.1:{_shown_port(server)}")
    server.devices.begin("GET /push?deviceId=77").hang_up()
    expect(page.get_by_text("It appears here by itself. done")).to_be_visible()
    dashboard.check()


def test_the_server_goes_away_and_comes_back(make_server: MakeServer, make_dashboard: MakeDashboard) -> None:
    """While the server is away the page stays and says since when it is not live; then it catches up by itself."""
    (port,) = free_ports(1)
    server = make_server(f"--admin=tcp:{port}:interface={HOST}", usual=[OPTIONS[0], *OPTIONS[2:]]).start()
    dashboard = make_dashboard(server)
    page = dashboard.page
    dashboard.open("/")
    foot = page.locator(".side-foot")
    expect(foot.get_by_text("Live", exact=True)).to_be_visible()
    server.kill()
    expect(foot).to_contain_text("Not live since")
    expect(page.get_by_text(re.compile(r"Decide \(\d\d:\d\d:\d\d\)"))).to_be_visible()
    server.start()
    server.devices.begin("GET /push?deviceId=77").hang_up()
    until(lambda: server.admin.ask("GET /v1/devices/controlid:77").code == 200, "the device is recorded")
    expect(foot.get_by_text("Live", exact=True)).to_be_visible()
    expect(row(page, "00000?/00004D")).to_be_visible()
    dashboard.faults[:] = [fault for fault in dashboard.faults if "ERR_" not in fault]


def _shown_port(server: Server) -> int:
    """The port in the endpoint of the option, which is what the API shows."""
    (endpoint,) = server.admin.ask("GET /v1/info").json["listen"]["devices"]
    return int(endpoint.split(":")[1])
