"""Fixtures of the tests of the dashboard."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.dashboard.browser import Dashboard
from tests.dashboard.fleet import OPTIONS, Fleet
from tests.in_memory_server import build_server, server
from tests.integration.calls import HOST
from tests.integration.conftest import MakeServer, make_server
from tests.integration.server import Server
from tests.programs import needs_program, npm_install

__all__ = ["MakeServer", "build_server", "make_server", "server"]

AXE = "axe-core@4.14.1"

LAN_NAME = "doors.test"
"""A name of the server in a local network: over plain HTTP, browsers trust its pages less than those of localhost."""

MakeDashboard = Callable[..., Dashboard]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a window; for a module alone, as other tests have one of their own."""
    needs_program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                f"--host-resolver-rules=MAP {LAN_NAME} {HOST}",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A server with a little of everything; tests that change it make their own."""
    server = Server(tmp_path_factory.mktemp("fleet"), OPTIONS)
    try:
        fleet = Fleet(server.start())
        fleet.fill()
        yield fleet
    finally:
        server.kill()


@pytest.fixture
def make_dashboard(browser: Browser) -> Iterator[MakeDashboard]:
    """Opens the dashboard of a server, logged in with its admin token unless another is given; what a page did wrong
    fails the test at its end.
    """
    made: list[Dashboard] = []

    def make(
        server: Server, *, token: str | None = None, log_in: bool = True, host: str = HOST, **options: object
    ) -> Dashboard:
        options = {"viewport": {"width": 1600, "height": 900}, "locale": "en-GB", **options}
        context = browser.new_context(**options)  # type: ignore[arg-type]
        dashboard = Dashboard(context, f"http://{host}:{server.admin.number}")
        made.append(dashboard)
        if log_in and host == HOST:
            dashboard.have_session(token or server.token)
        elif log_in:  # only the browser knows the name
            dashboard.log_in(token or server.token)
        return dashboard

    yield make
    for dashboard in made:
        dashboard.context.close()
    for dashboard in made:
        assert not dashboard.faults, "\n".join(dashboard.faults)


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, which checks pages for accessibility; it runs in the page."""
    folder: Path = tmp_path_factory.mktemp("axe")
    (folder / "package.json").write_text('{"private": true}')
    npm_install(folder, AXE)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
