"""Tests of the pages of commands: the list, one command, and the inbox of those whose outcome is unknown."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.conftest import MakeDashboard, MakeServer
from tests.dashboard.fleet import OPTIONS, Fleet
from tests.integration.server import Server, until

pytestmark = pytest.mark.slow(seconds=15)

SCRIPT = "<script>document.title = 'run'</script><img src=x onerror=alert(1)>"


@pytest.fixture
def own(make_server: MakeServer) -> Fleet:
    """A server with a little of everything, for a test that changes it."""
    fleet = Fleet(make_server(usual=OPTIONS).start())
    fleet.fill()
    return fleet


def row(page: Page, text: str) -> Locator:
    """The row of a table with this text."""
    return page.locator("tbody tr").filter(has_text=text)


def token_of(server: Server, role: str, **scope: object) -> str:
    """A new token."""
    made = server.admin.ask("POST /v1/tokens", {"name": f"a {role}", "role": role, **scope})
    assert made.code == 201, made.body
    return str(made.json["token"])


def report(server: Server, uuid: str, result: object) -> None:
    """Report a result as the device :attr:`Fleet.online`."""
    number = Fleet.online.partition(":")[2]
    kind = {"Content-Type": "application/json"}
    assert server.devices.ask(f"POST /result?deviceId={number}&uuid={uuid}", result, **kind).code == 200


def test_the_list_and_its_filters(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """The list says what was sent and what became of it; its filters are in the address, and can be cleared."""
    dashboard = make_dashboard(fleet.server)
    page = dashboard.page
    dashboard.open("/commands")
    expect(row(page, "execute_actions")).to_contain_text("Lobby reader")
    expect(row(page, "REFRESH_AGENT")).to_contain_text("Queued")
    page.get_by_label("State").select_option("unknown")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert page.url.endswith("/commands?state=unknown")
    page.get_by_label("Endpoint").fill("no_such")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No command matches.")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(row(page, "system_information")).to_contain_text("Succeeded")
    assert page.url.endswith("/commands")
    dashboard.check()


def test_the_list_is_live(own: Fleet, make_dashboard: MakeDashboard) -> None:
    """A new command appears by itself, and its row says what becomes of it, faded where the filter leaves it out."""
    dashboard = make_dashboard(own.server)
    page = dashboard.page
    dashboard.open("/commands")
    expect(page.locator(".side-foot").get_by_text("Live", exact=True)).to_be_visible()
    own.server.send(own.online, {"endpoint": "get_configuration"}, trace="ticket 7")
    expect(row(page, "ticket 7")).to_contain_text("Queued")
    page.get_by_label("State").select_option("queued")
    expect(page.locator("tbody tr")).to_have_count(2)
    own.poll(own.online, "u9")
    expect(row(page, "ticket 7")).to_contain_text("Sent")
    report(own.server, "u9", {"response": {}})
    expect(row(page, "ticket 7")).to_contain_text("Succeeded")
    expect(page.locator("tr[data-misfit]")).to_contain_text("ticket 7")
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_command_is_cancelled_and_sent_again(own: Fleet, make_dashboard: MakeDashboard) -> None:
    """A queued command says why it waits; cancelled, it can be sent again once, and each leads to the other."""
    dashboard = make_dashboard(own.server)
    page = dashboard.page
    dashboard.open(f"/commands/{own.queued}")
    expect(page.get_by_role("heading", level=1)).to_have_text("REFRESH_AGENT")
    expect(page.get_by_text("The device has never polled.")).to_be_visible()
    page.get_by_role("button", name="Cancel command").click()
    expect(page.get_by_text("Cancelled by admin before it was sent")).to_be_visible()
    assert own.server.command(own.queued)["state"] == "cancelled"
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("link", name="Repeats another command")).to_be_visible()
    again = page.url.rpartition("/")[2]
    assert own.server.command(again)["resend_of"] == own.queued
    page.get_by_role("link", name="Repeats another command").click()
    expect(page.get_by_role("link", name="It was sent again")).to_be_visible()
    expect(page.get_by_role("button", name="Send again")).to_have_count(0)
    dashboard.check()


def test_a_decision_with_a_note(own: Fleet, make_dashboard: MakeDashboard) -> None:
    """An unknown command says what is known; the decision and its note stand in its timeline."""
    dashboard = make_dashboard(own.server)
    page = dashboard.page
    dashboard.open(f"/commands/{own.unknown}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Open the door execute_actions")
    expect(page.get_by_text("It is not known whether the door opened.")).to_be_visible()
    steps = page.locator("ol.line li")
    expect(steps).to_contain_text(["Queued by admin", "Sent to the device, attempt 1 of 1", "No answer within 1 s."])
    page.get_by_label("Note: how do you know?").fill("seen on the camera")
    page.get_by_role("button", name="It opened").click()
    expect(steps.last).to_contain_text("admin said that it succeeded")
    expect(steps.last).to_contain_text("seen on the camera")
    command = own.server.command(own.unknown)
    assert (command["state"], command["evidence"]) == ("succeeded", "operator")
    expect(page.get_by_role("button", name="It opened")).to_have_count(0)


def test_a_late_answer_turns_the_page(own: Fleet, make_dashboard: MakeDashboard) -> None:
    """The answer of a device that comes late still counts, and the open page says so."""
    dashboard = make_dashboard(own.server)
    page = dashboard.page
    dashboard.open(f"/commands/{own.unknown}")
    expect(page.locator(".side-foot").get_by_text("Live", exact=True)).to_be_visible()
    report(own.server, "u1", {"response": {}})
    expect(page.locator("ol.line li").last).to_contain_text("The answer came after its time was over.")
    expect(page.get_by_text("The device reported success after")).to_be_visible()


def test_hostile_and_large_content(own: Fleet, make_dashboard: MakeDashboard) -> None:
    """Markup and scripts in payloads and results stay text; a long result is folded, a large one only saved."""
    server = own.server
    payload = {"endpoint": "load_objects", "body": {"object": SCRIPT}}
    sent = server.send(own.online, payload, trace=SCRIPT)
    own.poll(own.online, "u8")
    report(server, "u8", {"response": {"users": [SCRIPT] * 100}})
    dashboard = make_dashboard(server)
    page = dashboard.page
    dashboard.open(f"/commands/{sent}")
    expect(page.locator("main pre").first).to_contain_text("<script>document.title")
    assert page.locator("main script, main img").count() == 0
    assert page.title() != "run"
    result = page.get_by_role("region", name="Result")
    before = result.locator("pre").inner_text().count("<script>")
    result.get_by_role("button", name="Show all").click()
    expect(result.get_by_role("button", name="Show all")).to_have_count(0)
    assert before < result.locator("pre").inner_text().count("<script>") == 100
    with page.expect_download() as download:
        result.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == f"{sent}-result.json"
    dashboard.check()

    large = server.send(own.online, {"endpoint": "load_objects", "body": {"object": "users"}})
    own.poll(own.online, "u7")
    report(server, "u7", {"response": {"users": "x" * 300_000}})
    until(lambda: server.command(large)["state"] == "succeeded", "the result is stored")
    dashboard.open(f"/commands/{large}")
    expect(page.get_by_role("region", name="Result")).to_contain_text("Too large to be shown here.")


def test_the_inbox(own: Fleet, make_dashboard: MakeDashboard) -> None:
    """Keys decide only the row that has the focus; a decided row stays, struck through, until the page is left."""
    dashboard = make_dashboard(own.server)
    page = dashboard.page
    dashboard.open("/unknown")
    question = row(page, "Lobby reader: did the door open?")
    page.get_by_label("Note: how do you know?").press_sequentially("Camera 2")
    assert own.server.command(own.unknown)["state"] == "unknown"
    question.focus()
    page.keyboard.press("2")
    expect(question).to_contain_text("Failed")
    expect(question).to_contain_text("decided by admin")
    expect(question.locator(".what")).to_have_css("text-decoration-line", "line-through")
    command = own.server.command(own.unknown)
    assert (command["state"], command["error"]) == ("failed", "Camera 2")
    page.get_by_role("link", name="Alerts").first.click()
    page.get_by_role("link", name="Unknown").first.click()
    expect(page.get_by_text("Nothing is unknown.")).to_be_visible()
    dashboard.check()


def test_what_a_viewer_may_not(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """A viewer sees commands and has no button that acts; a page of administrators says for whom it is."""
    dashboard = make_dashboard(fleet.server, token=token_of(fleet.server, "viewer"))
    page = dashboard.page
    acts = page.locator("main").get_by_role("button").filter(has_not_text="Download")
    for path in (
        f"/commands/{fleet.unknown}",
        f"/commands/{fleet.queued}",
        "/unknown",
        f"/alerts/{fleet.alert}",
        "/alerts",
    ):
        dashboard.open(path)
        expect(page.locator("h1")).to_be_visible()
        expect(acts).to_have_count(0)
    menu = page.get_by_role("navigation", name="Main").first
    expect(menu.get_by_role("link", name="Settings")).to_be_visible()
    for name in ("Webhooks", "Tokens", "People", "Audit"):
        expect(menu.get_by_role("link", name=name)).to_have_count(0)
        dashboard.open(f"/{name.lower()}")
        expect(page.locator("main")).to_contain_text("This is not for your role (viewer)")
    dashboard.check()


def test_an_outage(own: Fleet, make_dashboard: MakeDashboard) -> None:
    """An outage rises, is acknowledged and clears while the page of alerts is open; its own page says how long."""
    dashboard = make_dashboard(own.server)
    page = dashboard.page
    dashboard.open("/alerts")
    alert = page.get_by_role("listitem").filter(has_text="Portão Sul offline since")
    alert.get_by_role("button", name="Acknowledge").click()
    expect(alert).to_contain_text("acknowledged by admin")
    poll = own.server.devices.begin(f"GET /push?deviceId={own.offline.partition(':')[2]}&uuid=u5")
    expect(alert).to_have_count(0)
    past = row(page, "Portão Sul offline since")
    expect(past).to_contain_text("admin")
    past.get_by_role("link").click()
    expect(page.get_by_text("Over; it lasted")).to_be_visible()
    expect(page.get_by_role("region", name="1 device")).to_contain_text("Portão Sul")
    expect(page.get_by_role("region", name="Facts")).to_contain_text("Acknowledged by")
    poll.hang_up()
    dashboard.check()
