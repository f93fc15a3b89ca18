"""Tests of the server behind nginx, with the configuration file of the documentation.

``make test-nginx`` runs them with 2,000 simulated devices, ``make test`` with fewer.
"""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit
from socket import create_connection, socket
from time import monotonic, sleep
from typing import Any

import pytest
from attrs import frozen

from tests.certificates import make_certificate
from tests.integration.calls import HOST, TIMEOUT, Port
from tests.integration.server import TWISTD, Server, environment
from tests.programs import needs_program

DEVICES = int(os.environ.get("NGINX_DEVICES", "500"))
"""More than Debian's 768 ``worker_connections`` hold at two for each device."""

LIMIT = 60 + DEVICES / 10
"""Seconds in which all devices must have connected, on a busy machine."""

FILE = Path(__file__).parents[2] / "docs" / "examples" / "nginx.conf"
COMMANDS = 20
"""How many devices get a command."""

PAYLOADS = {"servereye": {"control": "REFRESH_AGENT"}, "controlid": {"endpoint": "system_information"}}

pytestmark = pytest.mark.slow(seconds=60)


@frozen
class Proxy:
    """A running server behind nginx, and the admin port as operators reach it."""

    server: Server
    admin: Port
    devices_port: int

    def devices(self) -> Iterator[dict[str, Any]]:
        """All devices, as the list shows them."""
        cursor = ""
        while True:
            page = self.admin.ask(f"GET /v1/devices?limit=500{cursor}").json
            yield from page["items"]
            if page["next"] is None:
                return
            cursor = f"&cursor={page['next']}"


def free_ports(count: int) -> list[int]:
    """Ports that are free now."""
    probes = [socket() for _ in range(count)]
    for probe in probes:
        probe.bind((HOST, 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def configuration(folder: Path, certificate: Path, listens: Sequence[int], upstreams: Sequence[int]) -> Path:
    """The file of the documentation, for other ports and other places of files."""
    text = FILE.read_text()
    files = getrlimit(RLIMIT_NOFILE)[1]  # only root may raise it
    for shipped, here in (
        ("user www-data;", "daemon off;"),
        ("worker_processes auto;", "worker_processes 1;"),  # in the worst case, all devices are at one worker
        ("worker_rlimit_nofile 65536;", f"worker_rlimit_nofile {min(files, 65536)};"),
        ("/run/nginx.pid", str(folder / "nginx.pid")),
        ("/var/log/nginx/error.log", "stderr"),
        ("/etc/pushd/cert.pem", str(certificate)),
        ("/etc/pushd/key.pem", str(certificate)),
        ("listen 443 ", f"listen {HOST}:{listens[0]} "),
        ("listen 8443 ", f"listen {HOST}:{listens[1]} "),
        ("127.0.0.1:8080", f"{HOST}:{upstreams[0]}"),
        ("127.0.0.1:8081", f"{HOST}:{upstreams[1]}"),
    ):
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, here)
    file = folder / "nginx.conf"
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The server, and simulated devices that reach it through nginx."""
    needs_program("nginx")
    folder = tmp_path_factory.mktemp("nginx")
    certificate = make_certificate(folder)
    *listens, devices, admin = free_ports(4)
    endpoints = (f"--devices=tcp:{devices}:interface={HOST}", f"--admin=tcp:{admin}:interface={HOST}")
    server = Server(folder, (*endpoints, "--admission=open", f"--trusted-proxy={HOST}"))
    programs: list[subprocess.Popen[bytes]] = []
    try:
        server.start()
        file = configuration(folder, certificate, listens, (devices, admin))
        with (folder / "nginx.log").open("wb") as log:
            programs.append(subprocess.Popen(["nginx", "-c", str(file)], stderr=log))
        until_connected(listens[0])
        with (folder / "devices.log").open("wb") as log:
            programs.append(
                subprocess.Popen(
                    [
                        *(sys.executable, str(TWISTD), "--nodaemon", "--pidfile=", "pushd-simulate"),
                        *(f"--server=https://{HOST}:{listens[0]}", f"--ramp={DEVICES / 50}", "--timeout=45"),
                        *(f"--controlid={DEVICES // 2}", f"--servereye={DEVICES - DEVICES // 2}"),
                    ],
                    cwd=folder,
                    env={**environment(), "SSL_CERT_FILE": str(certificate)},
                    stdout=log,
                )
            )
        tls = ssl.create_default_context(cafile=str(certificate))
        yield Proxy(server, Port(listens[1], server.token, tls), listens[0])
    finally:
        for program in programs:
            program.terminate()
        for program in programs:
            program.wait(TIMEOUT)
        if server.starts:
            server.kill()


def until_connected(port: int) -> None:
    """Wait until a port takes connections."""
    deadline = monotonic() + TIMEOUT
    while True:
        try:
            create_connection((HOST, port), TIMEOUT).close()
            return
        except ConnectionRefusedError:
            assert monotonic() < deadline
            sleep(0.1)


def test_all_devices_are_held_through_nginx(proxy: Proxy) -> None:
    """Each device of a fleet has its poll held, with the address from which it came, and gets its commands."""
    deadline = monotonic() + LIMIT
    polling: list[dict[str, Any]] = []
    while len(polling) < DEVICES * 0.95:  # a few are between two polls at any time
        assert monotonic() < deadline, f"only {len(polling)} of {DEVICES} devices poll"
        sleep(1)
        polling = [device for device in proxy.devices() if device["polling"]]
    assert {device["last_address"] for device in polling} == {HOST}
    for device in polling[:: len(polling) // COMMANDS]:
        line = f"POST /v1/devices/{device['id']}/commands?wait=30"
        answer = proxy.admin.ask(line, {"payload": PAYLOADS[device["dialect"]], "ttl": 120})
        assert (answer.code, answer.json["state"]) == (200, "succeeded")
    assert sum(1 for device in proxy.devices() if device["presence"] == "online") == DEVICES


def test_events_are_not_buffered(proxy: Proxy) -> None:
    """A client of the stream gets an event when it happens, not when nginx has collected enough of them."""
    admin = proxy.admin
    assert admin.tls is not None
    with admin.tls.wrap_socket(admin.connect(), server_hostname=HOST) as stream:
        stream.settimeout(TIMEOUT)
        stream.sendall(
            b"GET /v1/events/stream?device=controlid:77 HTTP/1.1\r\nHost: pushd\r\n"
            + f"Authorization: Bearer {admin.token}\r\n\r\n".encode()
        )
        received = stream.recv(65536)
        assert received.startswith(b"HTTP/1.1 200 ")
        for change, event in (
            ("POST /v1/devices", b"device.registered"),
            ("PATCH /v1/devices/controlid:77", b"device.changed"),
        ):
            body = {"id": "controlid:77"} if change.startswith("POST") else {"name": "Front"}
            assert admin.ask(change, body).code in (200, 201)
            while event not in received:
                more = stream.recv(65536)
                assert more, "the stream has ended"
                received += more


def test_a_result_that_is_too_large_is_the_servers_to_judge(proxy: Proxy) -> None:
    """The device gets the usual answer, and the command says at once how large its result was."""
    device, size = "controlid:78", 18 * 2**20
    assert proxy.admin.ask("POST /v1/devices", {"id": device}).code == 201
    devices = Port(proxy.devices_port, tls=proxy.admin.tls)
    command = proxy.admin.ask(f"POST /v1/devices/{device}/commands", {"payload": PAYLOADS["controlid"]}).json["id"]
    assert devices.ask("GET /push?deviceId=78&uuid=a").code == 200
    answer = devices.ask("POST /result?deviceId=78&uuid=a", b"x" * size)
    assert (answer.code, answer.body) == (200, b"")
    settled = proxy.admin.ask(f"GET /v1/commands/{command}").json
    assert settled["state"] == "unknown"
    assert str(size) in settled["error"]


def test_an_operators_body_that_is_too_large_is_a_problem(proxy: Proxy) -> None:
    """The operator gets the server's own error, not a page of nginx."""
    answer = proxy.admin.ask("POST /v1/devices/controlid:77/commands", b" " * (18 * 2**20))
    assert (answer.code, answer.headers["content-type"]) == (413, "application/problem+json")


def test_nginx_reports_no_error(proxy: Proxy) -> None:
    """Nothing is lost on the way: nginx has connections and files enough for all devices."""
    log = (proxy.server.folder / "nginx.log").read_text()
    assert "worker_connections are not enough" not in log
    assert "[alert]" not in log
    assert "[error]" not in log
