"""People log in to a running server over real sockets: with a link, by TLS, and by way of a proxy on a Unix socket."""

import ssl
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from socket import AF_UNIX, socket
from typing import Any

import pytest
import requests

from tests.certificates import make_certificate
from tests.integration.calls import HOST, TIMEOUT
from tests.integration.conftest import MakeServer
from tests.integration.server import ANY_PORT, Server, ports_in

pytestmark = pytest.mark.slow


def invitation(server: Server, name: str) -> str:
    """The secret in the link for a new person."""
    assert server.admin.ask("POST /v1/people", {"name": name, "role": "operator"}).code == 201
    url: str = server.admin.ask(f"POST /v1/people/{name}/invite").json["url"]
    base, _, secret = url.partition("/login#invite=")
    assert base == f"http://{HOST}:{server.admin.number}"
    return secret


def test_a_person_in_a_browser(make_server: MakeServer) -> None:
    """A person logs in with a link, follows events, changes a device, and is still logged in after a restart, until an
    admin ends the session: then the open stream ends, too.
    """
    server = make_server().start()
    base = f"http://{HOST}:{server.admin.number}"
    with requests.Session() as browser:
        browser.headers["Origin"] = base
        answer = browser.post(f"{base}/v1/session", json={"invite": invitation(server, "ana")}, timeout=TIMEOUT)
        assert (answer.status_code, answer.json()["name"]) == (201, "ana")
        server.admin.ask("POST /v1/devices", {"id": "controlid:7"})
        csrf = {"X-CSRF-Token": answer.json()["csrf"]}
        change = {"muted_until": "2999-01-01T00:00:00Z"}
        device = f"{base}/v1/devices/controlid:7"
        assert browser.patch(device, json=change, timeout=TIMEOUT).status_code == 403
        assert browser.patch(device, json=change, headers=csrf, timeout=TIMEOUT).status_code == 200
        events = server.admin.ask("GET /v1/events?type=device.changed").json["items"]
        assert [each["by"] for each in events] == ["ana"]
        cookies = browser.cookies
    assert server.stop() == 0
    server.start()
    base = f"http://{HOST}:{server.admin.number}"
    with requests.get(f"{base}/v1/events/stream", cookies=cookies, stream=True, timeout=TIMEOUT) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith(b"retry:")
        [session] = server.admin.ask("GET /v1/sessions").json["items"]
        assert (session["name"], session["address"]) == ("ana", HOST)
        assert server.admin.ask(f"DELETE /v1/sessions/{session['id']}").code == 204
        assert b"retry:" not in b"".join(lines)  # it has an end
    assert requests.get(f"{base}/v1/session", cookies=cookies, timeout=TIMEOUT).status_code == 401


def test_a_log_in_by_tls(make_server: MakeServer, tmp_path: Path) -> None:
    """Over TLS the cookie is for TLS and for this host alone, and head and body of the log-in may come apart."""
    file = make_certificate(tmp_path)
    tls = f"ssl:0:privateKey={file}:certKey={file}:interface={HOST}"
    server = make_server(f"--devices={ANY_PORT}", f"--admin={tls}", f"--admin={ANY_PORT}", usual=()).start()
    port = ports_in(server.log)[1]
    context = ssl.create_default_context(cafile=str(file))
    with closing(socket()) as plain:
        plain.settimeout(TIMEOUT)
        plain.connect((HOST, port))
        with context.wrap_socket(plain, server_hostname=HOST) as client:
            body = b'{"token": "%s"}' % server.token.encode()
            head = f"POST /v1/session HTTP/1.1\r\nHost: {HOST}:{port}\r\nOrigin: https://{HOST}:{port}\r\n"
            client.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode())
            client.sendall(body)
            answer = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    assert answer.startswith("HTTP/1.1 201")
    assert "Set-Cookie: __Host-pushd-session=" in answer
    assert "; HttpOnly; SameSite=Strict; Secure\r\n" in answer


class UnixConnection(HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("pushd.example", timeout=TIMEOUT)
        self.path = path

    def connect(self) -> None:
        """Open the connection."""
        self.sock: Any = socket(AF_UNIX)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(str(self.path))


def status(connection: HTTPConnection, **headers: str) -> int:
    """The status of a call with these headers."""
    with closing(connection):
        connection.request("GET", "/v1/session", headers=headers)
        return connection.getresponse().status


def test_a_proxy_on_a_unix_socket(make_server: MakeServer, tmp_path: Path) -> None:
    """A proxy that connects to a Unix socket names people in a header, which counts on no other connection."""
    path = tmp_path / "admin.sock"
    server = make_server(
        f"--devices={ANY_PORT}",
        f"--admin=unix:{path}:mode=600",
        f"--admin={ANY_PORT}",
        "--auth-header=X-Remote-User",
        "--auth-proxy=unix",
        usual=(),
    ).start()
    assert server.admin.ask("POST /v1/people", {"name": "ana", "role": "viewer"}).code == 201
    ana = {"X-Remote-User": "ana"}
    assert status(UnixConnection(path), **ana) == 200
    assert status(UnixConnection(path), **{"X-Remote-User": "eva"}) == 403
    assert status(UnixConnection(path)) == 401
    assert status(HTTPConnection(HOST, server.admin.number, timeout=TIMEOUT), **ana) == 401
