"""Tests of the pages of administrators: webhooks, tokens, people, the audit log and the settings."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Locator, Page, expect

from pushd.model.event import EventType
from tests.dashboard.accessibility import cut_off, violations
from tests.dashboard.conftest import MakeDashboard, MakeServer
from tests.dashboard.fleet import HOSTILE, OPTIONS, Fleet
from tests.integration.calls import HOST, Port
from tests.integration.server import Server

pytestmark = pytest.mark.slow(seconds=15)


@pytest.fixture
def own(make_server: MakeServer) -> Server:
    """A server for a test that changes it."""
    return make_server(usual=OPTIONS).start()


class _Taker(BaseHTTPRequestHandler):
    """Takes every message of a webhook."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def receiver() -> Iterator[str]:
    """The URL of a receiver that takes every message, without a path."""
    with ThreadingHTTPServer((HOST, 0), _Taker) as httpd:
        Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{httpd.server_port}"
        httpd.shutdown()


def row(page: Page, text: str) -> Locator:
    """The row of a table with this text."""
    return page.locator("tbody tr").filter(has_text=text)


def test_a_token_is_made_used_rotated_and_revoked(own: Server, make_dashboard: MakeDashboard) -> None:
    """A token made in the page works within its scope; its secret is shown once, and is nowhere afterwards."""
    dashboard = make_dashboard(own)
    page = dashboard.page
    own.admin.ask("POST /v1/devices", {"id": "controlid:7", "site": "North"})
    own.admin.ask("POST /v1/devices", {"id": "controlid:8", "site": "Sul"})
    dashboard.open("/tokens")
    expect(row(page, "admin.token")).to_contain_text("all devices")
    page.get_by_role("button", name="Make token…").click()
    dialog = page.get_by_role("dialog", name="Make a token")
    dialog.get_by_label("Role").select_option("viewer")
    dialog.get_by_label("Sites").fill("North")
    dialog.get_by_role("button", name="Make token").click()
    expect(dialog.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("Name")).to_be_focused()
    dialog.get_by_label("Name").fill("shop terminal")
    dialog.get_by_role("button", name="Make token").click()
    secret = read_once(page)
    (device,) = Port(own.admin.number, secret).ask("GET /v1/devices").json["items"]
    assert device["id"] == "controlid:7"
    token = row(page, "shop terminal")
    expect(token).to_contain_text("North")
    assert secret not in page.content()

    token.get_by_role("button", name="Rotate…").click()
    page.get_by_role("dialog").get_by_role("button", name="Make a new secret").click()
    newer = read_once(page)
    assert Port(own.admin.number, secret).ask("GET /v1/devices").code == 401
    assert Port(own.admin.number, newer).ask("GET /v1/devices").code == 200

    token.get_by_role("button", name="Change…").click()
    dialog = page.get_by_role("dialog", name="Change shop terminal")
    dialog.get_by_label("Sites").fill("North\nSul")
    dialog.get_by_role("button", name="Save").click()
    expect(token).to_contain_text("North and Sul")

    token.get_by_role("button", name="Revoke…").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke token").click()
    expect(token).to_have_count(0)
    assert Port(own.admin.number, newer).ask("GET /v1/devices").code == 401
    dashboard.check()


def test_the_token_of_this_session_is_rotated(own: Server, make_dashboard: MakeDashboard) -> None:
    """A new secret of the token that logged in ends the session, but is shown before the log-in is asked for."""
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open("/tokens")
    row(page, "admin.token").get_by_role("button", name="Rotate…").click()
    page.get_by_role("dialog").get_by_role("button", name="Make a new secret").click()
    secret = read_once(page)
    assert secret == own.token
    again = page.get_by_role("dialog", name="Log in to go on")
    again.get_by_label("Token").fill(secret)
    again.get_by_role("button", name="Log in").click()
    expect(again).to_have_count(0)
    expect(row(page, "admin.token")).to_be_visible()


def read_once(page: Page) -> str:
    """The secret of the dialog that shows it once, which neither Escape nor a click outside closes."""
    dialog = page.get_by_role("dialog").filter(has_text="Shown only now.")
    secret = dialog.get_by_role("textbox").input_value()
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="I have stored it").click()
    expect(dialog).to_have_count(0)
    assert secret
    return secret


def test_the_last_admin_stays(own: Server, make_dashboard: MakeDashboard) -> None:
    """The last token of an administrator cannot be revoked, and the dialog says why."""
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open("/tokens")
    row(page, "admin.token").get_by_role("button", name="Revoke…").click()
    dialog = page.get_by_role("dialog", name="Revoke admin?")
    dialog.get_by_role("button", name="Revoke token").click()
    expect(dialog.locator(".fault")).not_to_be_empty()
    assert own.admin.ask("GET /v1/tokens").code == 200


def test_a_webhook_is_made_tested_and_followed(own: Server, make_dashboard: MakeDashboard, receiver: str) -> None:
    """A webhook made in the page is tested in place; its deliveries are listed and repeated; its secret is renewed."""
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open("/webhooks")
    page.get_by_role("button", name="Add webhook…").click()
    dialog = page.get_by_role("dialog", name="Add a webhook")
    types = dialog.get_by_role("group", name="Events").get_by_role("checkbox")
    expect(types).to_have_count(len(EventType))
    for kind in EventType:
        expect(dialog.get_by_label(kind, exact=True)).not_to_be_checked()
    dialog.get_by_label("device.registered", exact=True).check()
    dialog.get_by_label("URL").fill(f"{receiver}/hook/secret-x9Qa")
    dialog.get_by_role("button", name="Add").click()
    first = read_once(page)
    assert first.startswith("whsec_")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{receiver}/***x9Qa")
    page.get_by_role("button", name="Test").click()
    expect(page.locator(".said").filter(has_text="Answered 200 after")).to_be_visible()
    expect(page.get_by_text("Nothing was delivered yet.")).to_be_visible()
    own.admin.ask("POST /v1/devices", {"id": "controlid:7"})
    deliveries = page.get_by_role("table", name="Deliveries").locator("tbody tr")
    expect(deliveries).to_have_count(1)
    own.admin.ask("POST /v1/devices", {"id": "controlid:8"})
    expect(deliveries).to_have_count(2)
    deliveries.last.get_by_role("button", name="Repeat all after it").click()
    page.get_by_role("button", name="1 new, show").click()
    expect(deliveries).to_have_count(3)
    page.get_by_role("button", name="New secret…").click()
    page.get_by_role("dialog").get_by_role("button", name="Make a new secret").click()
    assert read_once(page) != first
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete webhook").click()
    expect(page.get_by_text("No system is notified yet.")).to_be_visible()
    dashboard.check()


def test_a_person_is_added_and_logs_in(own: Server, make_dashboard: MakeDashboard) -> None:
    """A person is added and invited by a link; the log-in is listed, and ends when the administrator ends it."""
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open("/people")
    expect(page.get_by_text("There are no people yet")).to_be_visible()
    page.get_by_role("button", name="Add person…").click()
    dialog = page.get_by_role("dialog", name="Add a person")
    dialog.get_by_label("Name").fill("ana")
    dialog.get_by_role("button", name="Add and invite").click()
    expect(page.get_by_role("dialog")).to_contain_text("Valid for 10 minutes")
    link = read_once(page)
    expect(row(page, "invited until")).to_contain_text("operator")
    invited = make_dashboard(own, log_in=False)
    invited.page.goto(link)
    invited.page.get_by_role("button", name="Log in with this invitation").click()
    expect(invited.page.locator(".side-foot")).to_contain_text("ana · operator")
    dashboard.open("/people")
    session = row(page, "by invitation")
    expect(row(page, "1 session")).to_contain_text("ana")
    session.get_by_role("button", name="End").click()
    expect(session).to_have_count(0)
    expect(invited.page.get_by_role("dialog", name="Log in to go on")).to_be_visible()
    row(page, "operator").get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete person").click()
    expect(page.get_by_text("There are no people yet")).to_be_visible()
    dashboard.check()


def test_the_audit_log(own: Server, make_dashboard: MakeDashboard) -> None:
    """The newest change stands first, with what it changed; names that are markup are text; filters find objects."""
    own.admin.ask("POST /v1/devices", {"id": "controlid:7", "name": "Lobby"})
    own.admin.ask("PATCH /v1/devices/controlid:7", {"name": HOSTILE})
    own.admin.ask("POST /v1/tokens", {"name": "shop terminal", "role": "viewer"})
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open("/audit")
    expect(page.locator("tbody tr").first).to_contain_text("session.add")
    change = row(page, "device.change")
    expect(change.locator("del")).to_have_text("Lobby")
    expect(change.locator("ins")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0
    page.get_by_label("Object").fill("device:controlid:7")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(2)
    change.get_by_role("link").click()
    expect(page).to_have_url(f"{dashboard.origin}/devices/controlid%3A7")
    dashboard.check()


def test_settings(own: Server, make_dashboard: MakeDashboard) -> None:
    """The options are shown as the server runs with them; a test mail without recipients says what is missing."""
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open("/settings")
    options = page.get_by_role("region", name="Options")
    expect(options).to_contain_text("webhook-allow127.0.0.0/8")
    expect(options).to_contain_text("mail-tonot set")
    page.get_by_role("button", name="Send a test mail").click()
    expect(page.locator(".said.fault")).to_contain_text("--mail-to")
    dashboard.check()


@pytest.mark.parametrize("width", [320, 1600])
def test_the_dialogs_are_accessible(fleet: Fleet, make_dashboard: MakeDashboard, axe: str, width: int) -> None:
    """The dialogs of these pages are accessible, and fit into a small window."""
    dashboard = make_dashboard(fleet.server, viewport={"width": width, "height": 900})
    page = dashboard.page
    for path, button in (("/webhooks", "Add webhook…"), ("/tokens", "Make token…"), ("/people", "Add person…")):
        dashboard.open(path)
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert violations(page, axe) == [], path
        assert cut_off(page) == [], path
        dashboard.check()
