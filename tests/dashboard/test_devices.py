"""Tests of the list of devices: what is not well comes first, and nothing moves under the finger."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.conftest import MakeDashboard, MakeServer
from tests.dashboard.fleet import HOSTILE, OPTIONS, Fleet
from tests.integration.server import Server, until

pytestmark = pytest.mark.slow(seconds=15)


@pytest.fixture
def own(make_server: MakeServer) -> Server:
    """A server."""
    return make_server(usual=OPTIONS).start()


def register(server: Server, count: int) -> None:
    """Register some readers: Gate 100, Gate 101 and so on."""
    for number in range(100, 100 + count):
        body = {"id": f"controlid:{number}", "name": f"Gate {number}", "facts": {"model": "iDFlex"}}
        assert server.admin.ask("POST /v1/devices", body).code == 201


def row(page: Page, name: str) -> Locator:
    """The row of a device."""
    return page.get_by_role("row").filter(has_text=name)


def test_what_is_not_well_comes_first(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """Offline and pending devices stand above the others, each once; chips count them, and hostile names stay text."""
    dashboard = make_dashboard(fleet.server)
    page = dashboard.page
    dashboard.open("/devices")
    names = page.locator("td.lead a")
    expect(names).to_have_text(["Portão Sul", "0G020?/005B6F", HOSTILE, "Container Lager 3", "Lobby reader"])
    expect(page.get_by_role("button", name="Offline 1")).to_be_visible()
    expect(page.get_by_role("img", name="Portão Sul, last 24 hours:")).to_be_visible()
    page.get_by_role("button", name="Offline").click()
    expect(names).to_have_text(["Portão Sul"])
    assert page.url.endswith("/devices?state=offline")
    page.get_by_label("Site").select_option("North")
    expect(page.get_by_text("No device matches.")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(names).to_have_count(5)
    row(page, "Lobby reader").hover()
    row(page, "Lobby reader").get_by_role("link", name="Open").click()
    expect(page.get_by_role("button", name="Open Lobby reader")).to_be_visible()
    dashboard.check()


def test_pages(own: Server, make_dashboard: MakeDashboard) -> None:
    """A hundred devices are a page; the next one is an address of its own."""
    register(own, 103)
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open("/devices")
    expect(page.locator("td.lead")).to_have_count(100)
    page.get_by_role("link", name="Next").click()
    expect(page.locator("td.lead a")).to_have_text(["Gate 200", "Gate 201", "Gate 202"])
    assert "cursor=" in page.url
    page.reload()
    expect(page.locator("td.lead")).to_have_count(3)
    page.get_by_role("link", name="First page").click()
    expect(page.locator("td.lead")).to_have_count(100)
    dashboard.check()


def test_strips_of_rows_in_view(own: Server, make_dashboard: MakeDashboard) -> None:
    """Only for rows that are seen events are read, at most 25 devices in a request, and each once."""
    register(own, 80)
    dashboard = make_dashboard(own)
    page = dashboard.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/events?device=" in request.url else None)
    dashboard.open("/devices")
    expect(page.get_by_role("img", name="Gate 100, last 24 hours")).to_be_visible()
    devices = [re.findall(r"device=controlid%3A(\d+)", url) for url in asked]
    assert all(len(some) <= 25 for some in devices)
    assert 10 < sum(map(len, devices)) < 60
    page.get_by_role("link", name="Gate 179").scroll_into_view_if_needed()
    expect(page.get_by_role("img", name="Gate 179, last 24 hours")).to_be_visible()
    every = [each for url in asked for each in re.findall(r"device=controlid%3A(\d+)", url)]
    assert len(every) == len(set(every))


def test_changes(own: Server, make_dashboard: MakeDashboard) -> None:
    """A row says what has changed and stays where it is; new devices are offered, not pushed in."""
    register(own, 3)
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open("/devices")
    expect(page.locator(".side-foot").get_by_text("Live", exact=True)).to_be_visible()
    poll = own.devices.begin("GET /push?deviceId=102")
    expect(row(page, "Gate 102").get_by_text("Online")).to_be_attached()
    assert own.admin.ask("PATCH /v1/devices/controlid:101", {"name": "Zulu"}).code == 200
    expect(page.locator("td.lead a")).to_have_text(["Gate 100", "Zulu", "Gate 102"])
    own.send("controlid:101", {"endpoint": "load_objects"}, ttl=3600)
    expect(row(page, "Zulu").locator("td.waiting")).to_have_text("1")
    own.devices.begin("GET /push?deviceId=77").hang_up()
    page.get_by_role("button", name="1 new, show").click()
    expect(page.locator("td.lead a")).to_have_text(["00000?/00004D", "Gate 100", "Gate 102", "Zulu"])
    poll.hang_up()
    dashboard.check()


def test_a_row_that_no_longer_fits(own: Server, make_dashboard: MakeDashboard) -> None:
    """It stays where it is, faded, until the list is read again."""
    register(own, 3)
    for number in range(100, 103):
        assert own.admin.ask(f"PATCH /v1/devices/controlid:{number}", {"site": "North"}).code == 200
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open("/devices?site=North")
    expect(page.locator(".side-foot").get_by_text("Live", exact=True)).to_be_visible()
    assert own.admin.ask("PATCH /v1/devices/controlid:101", {"site": "Sul"}).code == 200
    faded = page.locator("tr[data-misfit]")
    expect(faded.locator("td.lead a")).to_have_text("Gate 101")
    expect(page.locator("td.lead a")).to_have_text(["Gate 100", "Gate 101", "Gate 102"])
    assert own.admin.ask("PATCH /v1/devices/controlid:101", {"site": "North"}).code == 200
    expect(faded).to_have_count(0)
    assert own.admin.ask("PATCH /v1/devices/controlid:102", {"site": "Sul"}).code == 200
    expect(faded).to_have_count(1)
    page.reload()
    expect(page.locator("td.lead a")).to_have_text(["Gate 100", "Gate 101"])
    dashboard.check()


def test_nothing_moves(own: Server, make_dashboard: MakeDashboard) -> None:
    """However much changes, no row and no cell changes its place."""
    register(own, 40)
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open("/devices")
    expect(page.locator(".side-foot").get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_role("img", name="Gate 100, last 24 hours")).to_be_visible()
    page.evaluate(
        """() => {
          window.shifts = [];
          const note = (list) => window.shifts.push(...list.getEntries().map((each) => each.value));
          new PerformanceObserver(note).observe({ type: "layout-shift" });
        }"""
    )
    for number in range(60):
        device = f"controlid:{100 + number % 20}"
        if number % 3:
            fields = {"site": f"Site {number} with a long name", "facts": {"model": f"Model {number}"}}
            assert own.admin.ask(f"PATCH /v1/devices/{device}", fields).code == 200
        else:
            own.send(device, {"endpoint": "load_objects"}, ttl=3600)
    expect(row(page, "Gate 119").locator("td.site")).to_have_text("Site 59 with a long name")
    assert page.evaluate("window.shifts") == []
    dashboard.check()


def test_many_at_once(own: Server, make_dashboard: MakeDashboard) -> None:
    """Rows are selected by key, by range and by the box; what is done with them is one request each."""
    register(own, 6)
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open("/devices")
    row(page, "Gate 100").focus()
    page.keyboard.press("x")
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    page.get_by_label("Select Gate 105").check()
    bar = page.get_by_role("group", name="Selected devices")
    expect(bar).to_contain_text("5 selected")
    bar.get_by_role("button", name="Tag…").click()
    page.get_by_label("Tag to add").fill("gate")
    page.keyboard.press("Enter")
    expect(bar).to_contain_text("5 changed.")
    bar.get_by_role("button", name="Site…").click()
    page.get_by_role("dialog").get_by_label("Site").fill("x" * 300)
    page.keyboard.press("Enter")
    expect(bar).to_contain_text("5 were not:")
    bar.get_by_role("button", name="Mute…").click()
    dialog = page.get_by_role("dialog", name="Mute 5 devices")
    dialog.get_by_label("For").select_option("1")
    dialog.get_by_role("button", name="Mute").click()
    expect(page.locator(".toast")).to_contain_text("5 devices: muted until")
    found = own.admin.ask("GET /v1/devices?tag=gate").json["items"]
    assert [device["name"][-1] for device in found] == list("01235")
    assert all(device["muted_until"] and device["site"] is None for device in found)
    dashboard.check()


def test_approving_many(own: Server, make_dashboard: MakeDashboard) -> None:
    """Devices that wait for approval are let in together."""
    for number in (71, 72):
        own.devices.begin(f"GET /push?deviceId={number}").hang_up()
    until(lambda: len(own.admin.ask("GET /v1/devices?admission=pending").json["items"]) == 2, "both are recorded")
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open("/devices?state=pending")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("No device matches.")).to_be_visible()
    assert len(own.admin.ask("GET /v1/devices?admission=approved").json["items"]) == 2


def test_a_viewer(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """What a viewer may not do is not there."""
    answer = fleet.server.admin.ask("POST /v1/tokens", {"name": "watcher of devices", "role": "viewer"})
    dashboard = make_dashboard(fleet.server, token=answer.json["token"])
    page = dashboard.page
    dashboard.open("/devices")
    expect(row(page, "Lobby reader")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(0)
    expect(page.get_by_role("link", name="Open")).to_have_count(0)
    dashboard.check()
