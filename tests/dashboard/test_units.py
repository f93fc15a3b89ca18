"""Runs the tests of single modules, ``unit/*.js``, in Chromium: each is a module that calls ``test(story, check)``.

They are loaded beside the modules that they test, by a server of their own, and import these by ``/static/...``.
"""

import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser

from pushd.dashboard.assets import STATIC
from tests.integration.calls import HOST
from tools import vendor

pytestmark = pytest.mark.slow(seconds=10)

UNIT = Path(__file__).with_name("unit")

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>unit tests</title>
<script type="importmap">{import_map}</script><body></body></html>"""


class _Files(SimpleHTTPRequestHandler):
    """``/static/`` has the dashboard, ``/unit/`` the tests, ``/`` a page."""

    def translate_path(self, path: str) -> str:
        top, _, rest = path.lstrip("/").partition("/")
        return str({"static": STATIC, "unit": UNIT}.get(top, Path("/nowhere")) / rest)

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        names = {
            name: f"/static/vendor/{package['folder']}/{path}"
            for package in vendor.packages(vendor.FOLDER)
            for name, path in package["imports"].items()
        }
        page = PAGE.format(import_map=json.dumps({"imports": names})).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_arguments: Any) -> None:
        """Write nothing."""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A web server with the modules and their tests."""
    with ThreadingHTTPServer((HOST, 0), partial(_Files)) as httpd:
        Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{httpd.server_port}"
        httpd.shutdown()


@pytest.mark.parametrize("module", sorted(path.name for path in UNIT.glob("test_*.js")))
def test_a_module(browser: Browser, origin: str, module: str) -> None:
    """All stories of a file come true."""
    with browser.new_context(locale="en-GB", timezone_id="UTC") as context:
        page = context.new_page()
        page.goto(origin)
        found = page.evaluate("async (module) => (await import('/unit/run.js')).run(module)", module)
    assert found["stories"], "there are no tests in it"
    assert found["failures"] == []


def test_a_failure_is_found(browser: Browser, origin: str) -> None:
    """A check that fails fails the run."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(origin)
        found = page.evaluate("async (module) => (await import('/unit/run.js')).run(module)", "wrong.js")
    assert [failure.partition(":")[0] for failure in found["failures"]] == ["one is two", "a promise that fails"]
