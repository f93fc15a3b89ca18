"""Tests of how the dashboard is served."""

import gzip
import re
from base64 import b64encode
from hashlib import sha256

import pytest

from pushd.dashboard.assets import STATIC, TYPES, load_assets
from pushd.model.event import EventType
from tests.connection import Response, request
from tests.in_memory_server import InMemoryServer

BROWSER = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
PAGES = ("/", "/devices", "/devices/controlid:7/open", "/login", "/nothing/of/the/kind")


def get(server: InMemoryServer, path: str, *headers: str) -> Response:
    """The answer to a GET, without a token."""
    return server.call(request(f"GET {path}", b"", *headers)).answer()


@pytest.mark.parametrize("path", PAGES)
def test_every_path_is_the_page(server: InMemoryServer, path: str) -> None:
    """A browser gets the page for every address, which the page itself reads."""
    answer = get(server, path, BROWSER)
    assert (answer.code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.body.startswith(b"<!doctype html>")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/devices", "/push?deviceId=7", "/v2/devices"])
def test_a_client_that_is_no_browser(server: InMemoryServer, path: str) -> None:
    """A device or a program at a wrong path gets an error, and no page that it takes for an answer."""
    get(server, path, "Accept: */*").problem(404)


def test_the_api_is_left_as_it_was(server: InMemoryServer) -> None:
    """A browser does not get the page in place of the API."""
    assert get(server, "/healthz", BROWSER).json == {"status": "ok"}
    get(server, "/v1/nothing", BROWSER).problem(404)
    get(server, "/metrics", BROWSER).problem(401)
    assert b"openapi" in get(server, "/openapi.json", BROWSER).body
    assert server.call(request("POST /devices", b"", BROWSER)).answer().code == 405


def test_what_the_page_may_do(server: InMemoryServer) -> None:
    """The policy lets the page run its own files and the import map that it contains, and nothing else."""
    answer = get(server, "/", BROWSER)
    (import_map,) = re.findall(rb'<script type="importmap">(.*?)</script>', answer.body)
    digest = b64encode(sha256(import_map).digest()).decode()
    directives = dict(each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == f"'self' 'sha256-{digest}'"
    assert directives["style-src"] == "'self'"
    assert directives["require-trusted-types-for"] == "'script'"
    assert directives["trusted-types"] == "pushd-worker"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.body.count(b"<script") == 2
    assert b"style=" not in answer.body


def test_no_other_site_keeps_a_handle_on_the_window(server: InMemoryServer) -> None:
    """Where browsers keep to that: over TLS, and on localhost. There they say how a page was asked for."""
    name = "cross-origin-opener-policy"
    assert get(server, "/devices", BROWSER, "Sec-Fetch-Mode: navigate").headers[name] == "same-origin"
    assert name not in get(server, "/devices", BROWSER).headers


def test_files_are_kept_by_browsers(server: InMemoryServer) -> None:
    """Files have a path with their version, and may be kept for ever; those of another version are not there."""
    base = f"/assets/{load_assets().version}"
    answer = get(server, f"{base}/main.js")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.body == (STATIC / "main.js").read_bytes()
    get(server, "/assets/0123456789abcdef/main.js").problem(404)
    get(server, f"{base}/vendor/vendor.toml").problem(404)
    get(server, f"{base}/../app.py").problem(404)
    get(server, f"{base}/..%2f..%2fapp.py").problem(404)


def test_compression(server: InMemoryServer) -> None:
    """A browser that takes gzip gets it."""
    path = f"/assets/{load_assets().version}/theme.css"
    plain, compressed = get(server, path), get(server, path, "Accept-Encoding: br, GZIP")
    assert compressed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(compressed.body) == plain.body
    assert "content-encoding" not in get(server, path, "Accept-Encoding: gzip;q=0").headers
    assert plain.headers["vary"] == compressed.headers["vary"] == "Accept-Encoding"


def test_the_page_asks_for_all_events() -> None:
    """The page reads every type of event that there is: a browser hands over only those that are asked for."""
    text = (STATIC / "feed-reader.js").read_text("utf-8")
    asked = set(re.findall(r'^  "(\w+\.\w+)",$', text, re.MULTILINE))
    assert asked == {str(each) for each in EventType}


def test_all_that_the_page_names_is_there(server: InMemoryServer) -> None:
    """Each file that the page names is served, each module that a module imports exists, and no file has a type that
    is not served.
    """
    named = re.findall(rb'["\'](/assets/[^"\']+)["\']', get(server, "/", BROWSER).body)
    assert len(named) > 30
    for path in named:
        assert get(server, path.decode()).code == 200, path
    for module in STATIC.rglob("*.js"):
        for name in re.findall(r'(?:from|import\()\s*"(\.[^"]+\.js)"', module.read_text("utf-8")):
            assert (module.parent / name).is_file(), f"{module} imports {name}"
    left_out = {path.suffix for path in STATIC.rglob("*") if path.is_file()} - TYPES.keys()
    assert left_out <= {".html", ".toml", ""}, "LICENSE has no suffix"
