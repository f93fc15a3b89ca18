"""Tests of logging in, and of sessions that end."""

import re
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.dashboard.browser import Dashboard
from tests.dashboard.conftest import MakeDashboard, MakeServer
from tests.dashboard.fleet import OPTIONS, Fleet
from tests.harness.environment import free_ports
from tests.integration.calls import HOST
from tests.integration.server import Server, until
from tests.programs import needs_program

pytestmark = pytest.mark.slow(seconds=10)


def test_a_token_logs_in(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """Who opens an address without a session logs in with a token, and is where they wanted to be; the token is kept
    nowhere in the browser.
    """
    dashboard = make_dashboard(fleet.server, log_in=False)
    page = dashboard.page
    dashboard.open("/alerts")
    expect(page.get_by_label("Token")).to_be_focused()
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Enter a token")).to_be_visible()
    page.get_by_label("Token").fill(fleet.server.token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Alerts")).to_be_visible()
    stored = page.evaluate(
        "[JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, location.href]"
    )
    assert fleet.server.token not in "".join(stored)
    dashboard.check()


def test_a_wrong_token(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """A wrong token is said at the field, which keeps what was typed."""
    dashboard = make_dashboard(fleet.server, log_in=False)
    dashboard.open("/login")
    dashboard.page.get_by_label("Token").fill("pushd_wrong")
    dashboard.page.get_by_role("button", name="Log in").click()
    expect(dashboard.page.get_by_text("The token is wrong, revoked or expired")).to_be_visible()
    expect(dashboard.page.get_by_label("Token")).to_have_value("pushd_wrong")
    expect(dashboard.page.get_by_label("Token")).to_have_attribute("aria-invalid", "true")


def test_logging_out(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """After the log-out nothing of the page is left, and the session has ended."""
    dashboard = make_dashboard(fleet.server)
    dashboard.open("/devices")
    dashboard.page.get_by_role("button", name="Log out").click()
    expect(dashboard.page.get_by_label("Token")).to_be_visible()
    dashboard.open("/devices")
    expect(dashboard.page.get_by_label("Token")).to_be_visible()


def test_an_old_invitation(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """The invitation leaves the address at once, and is spent by the button alone; an old one says whom to ask."""
    dashboard = make_dashboard(fleet.server, log_in=False)
    page = dashboard.page
    spent: list[str] = []
    page.on("request", lambda request: spent.append(request.method) if request.url.endswith("/v1/session") else None)
    dashboard.open("/login#invite=old-or-wrong")
    expect(page.get_by_role("button", name="Log in with this invitation")).to_be_visible()
    assert page.url == f"{dashboard.origin}/login"
    assert "POST" not in spent
    page.get_by_role("button", name="Log in with this invitation").click()
    expect(page.get_by_text("This link was used or is too old. Ask for a new one.")).to_be_visible()
    assert spent.count("POST") == 1


def test_an_invitation(make_server: MakeServer, make_dashboard: MakeDashboard) -> None:
    """An invitation logs in once, also over another session, and is that person from then on."""
    server = make_server().start()
    assert server.admin.ask("POST /v1/people", {"name": "ana", "role": "operator"}).code == 201
    invitation = server.admin.ask("POST /v1/people/ana/invite").json["url"].partition("#")[2]
    dashboard = make_dashboard(server)
    page = dashboard.page
    dashboard.open(f"/login#{invitation}")
    page.get_by_role("button", name="Log in with this invitation").click()
    expect(page.locator(".side-foot")).to_contain_text("ana · operator")
    expect(page).to_have_url(f"{dashboard.origin}/")
    dashboard.open(f"/login#{invitation}")
    page.get_by_role("button", name="Log in with this invitation").click()
    expect(page.get_by_text("This link was used or is too old.")).to_be_visible()
    dashboard.check()


PROXY = """
defaults
    mode http
    timeout connect 3s
    timeout client 75s
    timeout server 75s
listen operators
    bind {host}:{port}
    http-request set-header X-Remote-User ana
    http-request set-header X-Pushd-Auth-Secret between-the-two
    server pushd {host}:{admin}
"""


def test_a_proxy_that_authenticates(make_server: MakeServer, browser: Browser, tmp_path: Path) -> None:
    """A person whom a proxy names is logged in without a log-in page, and may do what the role allows."""
    needs_program("haproxy")
    secret, config, port = tmp_path / "proxy.secret", tmp_path / "haproxy.cfg", free_ports(1)[0]
    secret.write_text("between-the-two")
    secret.chmod(0o600)
    options = ("--auth-header=X-Remote-User", f"--auth-proxy={HOST}/32", f"--auth-secret-file={secret}")
    server = make_server(*options, f"--base-url=http://{HOST}:{port}").start()
    assert server.admin.ask("POST /v1/people", {"name": "ana", "role": "operator"}).code == 201
    config.write_text(PROXY.format(host=HOST, port=port, admin=server.admin.number))
    with subprocess.Popen(["haproxy", "-db", "-f", str(config)], stderr=subprocess.DEVNULL) as proxy:
        try:
            until(lambda: is_listening(port), "the proxy listens")
            dashboard = Dashboard(
                browser.new_context(viewport={"width": 1600, "height": 900}), f"http://{HOST}:{port}"
            )
            dashboard.open("/devices")
            foot = dashboard.page.locator(".side-foot")
            expect(foot).to_contain_text("ana · operator")
            expect(foot.get_by_text("Live", exact=True)).to_be_visible()
            expect(dashboard.page.get_by_role("link", name="Tokens")).to_have_count(0)
            dashboard.check()
            dashboard.context.close()
        finally:
            proxy.kill()


def is_listening(port: int) -> bool:
    """Whether something accepts connections on a port."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex((HOST, port)) == 0


def test_a_session_that_ends(make_server: MakeServer, make_dashboard: MakeDashboard) -> None:
    """When the session ends while the page is open, what was typed stays, a dialog asks to log in, and what was to be
    done goes on.
    """
    server = make_server().start()
    dashboard = make_dashboard(server)
    page = dashboard.page
    dashboard.open("/")
    expect(page.locator(".side-foot").get_by_text("Live", exact=True)).to_be_visible()
    page.get_by_role("combobox", name="Search").fill("lobby")
    _end_sessions(server)
    expect(page.get_by_role("dialog", name="Log in to go on")).to_be_visible()
    page.get_by_role("dialog").get_by_label("Token").fill(server.token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("combobox", name="Search")).to_have_value("lobby")
    expect(page.locator(".side-foot").get_by_text("Live", exact=True)).to_be_visible()


def test_two_tabs(make_server: MakeServer, make_dashboard: MakeDashboard) -> None:
    """A tab goes on with the session that another one has begun since."""
    server = make_server(usual=OPTIONS).start()
    server.devices.begin("GET /push?deviceId=77").hang_up()
    dashboard = make_dashboard(server)
    dashboard.open("/")
    other = dashboard.new_page()
    other.goto(f"{dashboard.origin}/")
    other.get_by_role("button", name="Log out").click()
    other.get_by_label("Token").fill(server.token)
    other.keyboard.press("Enter")
    expect(other.get_by_role("heading", level=1)).to_be_visible()
    dashboard.page.get_by_role("button", name="Block").click()
    expect(dashboard.page.get_by_role("dialog")).to_have_count(0)
    until(lambda: server.admin.ask("GET /v1/devices/controlid:77").json["admission"] == "blocked", "it is blocked")


def test_a_viewer_is_shown_what_a_viewer_may(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """What a role may not do is not there; the address of a page for admins says so."""
    made = fleet.server.admin.ask("POST /v1/tokens", {"name": "watcher", "role": "viewer", "sites": ["North"]}).json
    dashboard = make_dashboard(fleet.server, token=made["token"])
    page = dashboard.page
    dashboard.open("/")
    menu = page.get_by_role("navigation", name="Main")
    expect(menu.get_by_role("link")).to_have_text(
        [re.compile(each) for each in ("Now", "Devices", "Commands", "Unknown", "Alerts")]
    )
    expect(page.get_by_text("Lobby reader: did the door open?")).to_be_visible()
    expect(page.get_by_role("button", name="It opened")).to_have_count(0)
    expect(page.locator(".side-foot")).to_contain_text("watcher · viewer · some devices")
    dashboard.open("/tokens")
    expect(page.get_by_text("This is not for your role (viewer)")).to_be_visible()
    dashboard.check()


def _end_sessions(server: Server) -> None:
    for session in server.admin.ask("GET /v1/sessions").json["items"]:
        assert server.admin.ask(f"DELETE /v1/sessions/{session['id']}").code == 204
