"""Tests of web pages of another origin, which open a door and follow the events, in Chromium."""

import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from attrs import frozen
from playwright.sync_api import Page, expect, sync_playwright

from tests.harness.environment import free_ports
from tests.integration.calls import HOST, TIMEOUT, Port
from tests.integration.conftest import MakeServer
from tests.integration.server import ANY_PORT, ROOT, Server, until
from tests.integration.simulator import running_simulator
from tests.programs import needs_program

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "docs" / "examples"
DEVICE = "controlid:4408801109440198"


@frozen
class Site:
    """A web server with an example, adapted to the server and the token of the test."""

    folder: Path
    port: int

    @property
    def origin(self) -> str:
        """The origin of its pages."""
        return f"http://{HOST}:{self.port}"

    def write(self, server: Server, device: str, token: str, example: str = "open-door.html") -> None:
        """Write the page."""
        text = (EXAMPLES / example).read_text("utf-8")
        text = text.replace("http://127.0.0.1:8081", f"http://{HOST}:{server.admin.number}")
        (self.folder / "index.html").write_text(text.replace(DEVICE, device).replace("pushd_...", token), "utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A web server of another origin."""
    folder = tmp_path / "site"
    folder.mkdir()
    (port,) = free_ports(1)
    with ThreadingHTTPServer((HOST, port), partial(SimpleHTTPRequestHandler, directory=str(folder))) as httpd:
        Thread(target=httpd.serve_forever, daemon=True).start()
        yield Site(folder, port)
        httpd.shutdown()


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of the system's Chromium, without a window."""
    needs_program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT * 1000)
        expect.set_options(timeout=TIMEOUT * 1000)
        yield page
        browser.close()


def click(page: Page, site: Site) -> None:
    """Load the page and click its button."""
    page.goto(site.origin)
    page.get_by_role("button").click()


def test_a_page_opens_one_door(make_server: MakeServer, site: Site, page: Page) -> None:
    """A click opens the door, and the page's token can do nothing else."""
    server = make_server(f"--cors-origin={site.origin}").start()
    with running_simulator(server, "--controlid=1", "--model=iDFlex"):
        until(lambda: server.polling() == 1, "the simulated reader polls")
        (device,) = (found["id"] for found in server.admin.ask("GET /v1/devices").json["items"])
        server.admin.ask(f"PATCH /v1/devices/{device}", {"facts": {"model": "iDFlex"}})
        made = server.admin.ask(
            "POST /v1/tokens", {"name": "lobby", "role": "operator", "devices": [device], "endpoints": ["open"]}
        )
        site.write(server, device, made.json["token"])
        click(page, site)
        expect(page.get_by_role("status")).to_have_text(f"Opened: {device} reported success.")
    sent = Port(server.admin.number, made.json["token"]).ask(
        f"POST /v1/devices/{device}/commands", {"payload": {"endpoint": "load_objects"}}
    )
    assert sent.code == 403
    (command,) = server.admin.ask("GET /v1/commands").json["items"]
    assert (command["created_by"], command["state"]) == ("lobby", "succeeded")


def test_a_page_of_another_origin_reads_nothing(make_server: MakeServer, site: Site, page: Page) -> None:
    """The browser keeps a page whose origin the server does not name from calling it."""
    server = make_server("--cors-origin=https://app.example.org").start()
    site.write(server, DEVICE, server.token)
    click(page, site)
    expect(page.get_by_role("status")).to_contain_text("does not answer")
    assert server.admin.ask("GET /v1/commands").json["items"] == []


def test_a_page_follows_the_events(make_server: MakeServer, site: Site, page: Page) -> None:
    """The page shows each event once, also those of the time in which the server restarts; with a token that is
    revoked it ends.
    """
    (number,) = free_ports(1)
    admin = f"--admin=tcp:{number}:interface={HOST}"
    options = (f"--devices={ANY_PORT}", "--admission=open")
    server = make_server(admin, f"--cors-origin={site.origin}", usual=options).start()
    viewer = server.admin.ask("POST /v1/tokens", {"name": "wall", "role": "viewer", "sites": ["Lisbon"]}).json
    site.write(server, DEVICE, viewer["token"], "follow-events.html")
    page.goto(site.origin)
    status, shown = page.get_by_role("status"), page.get_by_role("listitem")
    expect(status).to_have_text("Connected.")
    names = ["Ümlaut \\n\\n: 1", "data: {}", "x" * 200, "4"]
    for local, name in enumerate(names):
        server.admin.ask("POST /v1/devices", {"id": f"controlid:{local}", "name": name, "site": "Lisbon"})
        server.admin.ask("POST /v1/devices", {"id": f"servereye:{local}", "site": "Porto"})
        if local == 1:
            server.kill()
            expect(status).to_contain_text("Not connected")
            server.start()
    expect(shown).to_have_text([f"device.registered controlid:{local}" for local in range(len(names))])
    expect(status).to_have_text("Connected.")
    server.admin.ask(f"DELETE /v1/tokens/{viewer['id']}")
    expect(status).to_contain_text("Not connected: The token is wrong")
