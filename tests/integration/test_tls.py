"""Tests of the ports behind TLS, with the clients that people use."""

import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.certificates import make_certificate
from tests.integration.calls import HOST, Port
from tests.integration.conftest import MakeServer
from tests.integration.server import ANY_PORT, Server, ports_in, until
from tests.programs import needs_program

pytestmark = pytest.mark.slow


@frozen
class Encrypted:
    """A running server whose two ports are behind TLS, each beside a plain one."""

    server: Server
    certificate: Path

    @property
    def ports(self) -> list[int]:
        """The device port and the admin port that are behind TLS."""
        return ports_in(self.server.log)[1:3]

    def port(self, number: int, *alpn: str) -> Port:
        """A port as a client reaches it that offers these protocols by ALPN."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if alpn:
            context.set_alpn_protocols(alpn)
        return Port(number, self.server.token, context)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    """A server with TLS on both ports."""
    folder = tmp_path_factory.mktemp("tls")
    file = make_certificate(folder)
    tls = f"ssl:0:privateKey={file}:certKey={file}:interface={HOST}"
    endpoints = (f"--devices={ANY_PORT}", f"--devices={tls}", f"--admin={tls}", f"--admin={ANY_PORT}")
    server = Server(folder, (*endpoints, "--admission=open"))
    try:
        yield Encrypted(server.start(), file)
    finally:
        server.kill()


def test_devices_connect_by_tls(encrypted: Encrypted) -> None:
    """A device can poll and report over TLS."""
    server = encrypted.server
    server.admin.ask("POST /v1/devices", {"id": "servereye:one"})
    command = server.send("servereye:one", {"control": "REFRESH_AGENT", "data": "x" * 100_000})
    secure = encrypted.port(encrypted.ports[0])
    message = secure.ask("GET /push/one").json["data"]
    assert (message["messageId"], message["data"]) == (command, "x" * 100_000)
    assert secure.ask(f"POST /push/one/result/{command}", {"success": True}).code == 200
    assert server.command(command)["state"] == "succeeded"


def test_poll_by_tls_is_answered_at_the_stop(make_server: MakeServer, tmp_path: Path) -> None:
    """A poll that is held over TLS is answered when the server stops."""
    file = make_certificate(tmp_path)
    server = make_server(f"--devices=ssl:0:privateKey={file}:certKey={file}:interface={HOST}").start()
    secure = Port(server.device_ports[1], tls=ssl.create_default_context(cafile=str(file)))
    held = secure.begin("GET /push/one")
    until(lambda: server.holds("servereye:one"), "the poll is held")
    assert server.stop() == 0
    assert held.answer().json["success"] is False


@pytest.mark.parametrize("alpn", [("http/1.1",), ("h2", "http/1.1"), ("http/1.1", "h2"), ("http/1.0", "http/1.1")])
def test_clients_that_offer_protocols(encrypted: Encrypted, alpn: tuple[str, ...]) -> None:
    """A client that offers protocols by ALPN, as most do, gets HTTP/1.1 on both ports."""
    devices, admin = (encrypted.port(number, *alpn) for number in encrypted.ports)
    assert devices.ask("GET /push/offers/signoff").code == 200
    assert admin.ask("GET /v1/devices").code == 200
    for port in (devices, admin):
        assert port.tls is not None
        with port.tls.wrap_socket(port.connect(), server_hostname=HOST) as socket:
            assert socket.selected_alpn_protocol() == "http/1.1"


def test_client_without_http_1(encrypted: Encrypted) -> None:
    """A client that offers only protocols that the server does not have is refused with the alert that says so."""
    for number in encrypted.ports:
        port = encrypted.port(number, "h2")
        assert port.tls is not None
        with pytest.raises(ssl.SSLError) as refused, port.tls.wrap_socket(port.connect(), server_hostname=HOST):
            pass
        assert "alert no application protocol" in str(refused.value)
    assert "Traceback" not in encrypted.server.log.read_text()


def test_curl(encrypted: Encrypted) -> None:
    """Curl, which offers HTTP/2 and HTTP/1.1, can talk to both ports."""
    needs_program("curl")
    for number, path in zip(encrypted.ports, ("/push/curl/signoff", "/healthz"), strict=True):
        command = ["curl", "--fail", "--silent", "--show-error", "--cacert", str(encrypted.certificate)]
        done = subprocess.run(
            [*command, f"https://{HOST}:{number}{path}"], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)


NODE_CLIENT = """
const [ca, port, path] = process.argv.slice(1);
const options = {host: "%s", port, path, ca: require("fs").readFileSync(ca), ALPNProtocols: ["h2", "http/1.1"]};
require("https").get(options, response => {
    console.log(response.statusCode, response.socket.alpnProtocol);
    response.resume();
});
"""


def test_node(encrypted: Encrypted) -> None:
    """Node, in which one of the vendor's clients is written, can talk to both ports."""
    needs_program("node")
    for number, path in zip(encrypted.ports, ("/push/node/signoff", "/healthz"), strict=True):
        command = ["node", "-e", NODE_CLIENT % HOST, str(encrypted.certificate), str(number), path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("200 http/1.1\n", "")
