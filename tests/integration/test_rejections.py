"""Tests that whatever keeps a device from appearing is found by ``pushctl rejections`` and ``pushctl doctor``."""

import json
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from socket import create_connection
from typing import Any

import pytest
from attrs import define, frozen

from tests.certificates import make_certificate
from tests.integration.calls import HOST, TIMEOUT
from tests.integration.server import ANY_PORT, Server, environment, ports_in, until

pytestmark = pytest.mark.slow(seconds=60)

OTHER_HOST = "127.0.0.2"
"""Another address of this machine."""


@frozen
class Found:
    """What a call of ``pushctl`` has printed, and its exit code."""

    code: int
    json: Any


@define(eq=False)
class Site:
    """A server, each port of which listens with TLS as well, and the operator's ``pushctl``."""

    server: Server
    certificate: Path
    """For the address of the server alone; only who has this file trusts it."""

    def pushctl(self, *arguments: str, **variables: str) -> Found:
        """Call ``pushctl`` with ``--json``, as an operator, with these environment variables."""
        done = subprocess.run(
            [sys.executable, "-c", "from pushd.pushctl.main import main; main()", *arguments, "--json"],
            env={**environment(), "PUSHD_URL": self.url, "PUSHD_TOKEN": self.server.token, **variables},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.stdout, done.stderr
        return Found(done.returncode, json.loads(done.stdout))

    @property
    def url(self) -> str:
        """The URL of the admin port."""
        return f"http://{HOST}:{self.server.admin.number}"

    @property
    def device_url(self) -> str:
        """The URL of the device port."""
        return f"http://{HOST}:{self.server.devices.number}"

    @property
    def encrypted_ports(self) -> list[int]:
        """The device port and the admin port that are behind TLS."""
        return ports_in(self.server.log)[1:3]

    def register(self, device: str, **fields: Any) -> None:
        """Register a device."""
        assert self.server.admin.ask("POST /v1/devices", {"id": device, **fields}).code == 201

    def issue(self, device: str, what: str) -> str:
        """Make a secret path, or an API key, for a device."""
        issued = self.server.admin.ask(f"POST /v1/devices/{device}/{what}").json
        return str(issued["path" if what == "secret" else "key"])

    def poll(self, path: str, **headers: str) -> None:
        """Poll, and hang up."""
        self.server.devices.begin(f"GET {path}", None, **headers).hang_up()

    def send(self, data: bytes) -> None:
        """Send bytes to the device port, and wait for what it does."""
        with create_connection((HOST, self.server.devices.number), TIMEOUT, (OTHER_HOST, 0)) as connection:
            connection.sendall(data)
            connection.recv(1)

    def rejection(self, reason: str, device: str | None) -> dict[str, Any]:
        """What ``pushctl rejections`` lists for this reason and device, once it does."""
        found: list[dict[str, Any]] = []

        def is_listed() -> bool:
            listed = self.pushctl("rejections").json
            found[:] = [each for each in listed if (each["reason"], each["device"]) == (reason, device)]
            return bool(found)

        until(is_listed, f"{reason} of {device} is listed")
        return found[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that refuses unknown devices."""
    folder = tmp_path_factory.mktemp("site")
    file = make_certificate(folder)
    tls = f"ssl:0:privateKey={file}:certKey={file}:interface={HOST}"
    ports = (f"--devices={ANY_PORT}", f"--devices={tls}", f"--admin={tls}", f"--admin={ANY_PORT}")
    server = Server(folder, (*ports, "--admission=closed"))
    try:
        yield Site(server.start(), file)
    finally:
        server.kill()


def _blocked(site: Site) -> None:
    site.register("controlid:1", admission="blocked")
    site.poll("/push?deviceId=1&uuid=a")


def _closed(site: Site) -> None:
    site.poll("/push?deviceId=2&uuid=a")


def _foreign_address(site: Site) -> None:
    site.register("servereye:elsewhere", allow_from=["198.51.100.0/24"])
    site.poll("/push/elsewhere")


def _missing_secret(site: Site) -> None:
    site.register("controlid:3")
    site.issue("controlid:3", "secret")
    site.poll("/push?deviceId=3&uuid=a")


def _wrong_key(site: Site) -> None:
    site.register("servereye:wrong-key")
    site.issue("servereye:wrong-key", "api-key")
    site.poll("/push/wrong-key", **{"X-Api-Key": "x" * 32})


def _secret_of_another_device(site: Site) -> None:
    site.register("controlid:4")
    site.register("controlid:5")
    site.poll(f"{site.issue('controlid:4', 'secret')}/push?deviceId=5")


def _unknown_secret(site: Site) -> None:
    site.register("controlid:6")
    path = site.issue("controlid:6", "secret")
    site.poll(f"{path[:-1]}/push?deviceId=6")


def _wrong_base(site: Site) -> None:
    site.register("controlid:7")
    site.poll("/controlid/push?deviceId=7&uuid=a")


def _ends_in_push(site: Site) -> None:
    site.register("controlid:8")
    site.poll("/api/push/push?deviceId=8&uuid=a")


def _wrong_version(site: Site) -> None:
    site.register("servereye:c")
    site.poll("/3/push/c")


ABOUT_A_DEVICE: dict[Callable[[Site], None], tuple[str, str, str]] = {
    _blocked: ("blocked", "controlid:1", "pushctl approve controlid:1 --unblock"),
    _closed: ("closed", "controlid:2", "--admission closed"),
    _foreign_address: ("address_not_allowed", "servereye:elsewhere", f"{HOST} is not in allow_from"),
    _missing_secret: ("missing_proof", "controlid:3", "/d/<secret>"),
    _wrong_key: ("wrong_proof", "servereye:wrong-key", "pushctl devices secret servereye:wrong-key"),
    _secret_of_another_device: ("wrong_proof", "controlid:5", "pushctl provision controlid:5 --rotate"),
    _unknown_secret: ("unknown_secret", "controlid:6", "pushctl provision controlid:6 --rotate"),
    _wrong_base: ("wrong_base", "controlid:7", "did you mean --base /controlid?"),
    _ends_in_push: ("push_suffix", "controlid:8", "ends in /push"),
    _wrong_version: ("wrong_base", "servereye:c", "take /3 out"),
}
"""By what goes wrong: the reason, the device, and a part of the remedy."""


@pytest.mark.parametrize("go_wrong", ABOUT_A_DEVICE)
def test_device_that_does_not_appear(site: Site, go_wrong: Callable[[Site], None]) -> None:
    """The reason is listed with the device and a remedy, and the doctor names that remedy as the next step."""
    reason, device, remedy = ABOUT_A_DEVICE[go_wrong]
    go_wrong(site)
    rejection = site.rejection(reason, device)
    assert rejection["address"] == HOST
    assert remedy in rejection["remedy"]
    found = site.pushctl("doctor", "--device", device, "--device-url", site.device_url)
    assert found.code == 8
    (finding,) = (each for each in found.json["findings"] if each["check"] == "device")
    assert (finding["status"], reason in finding["detail"]) == ("wrong", True)
    assert remedy in found.json["next_step"]
    assert rejection in found.json["rejections"]


def _no_device_id(site: Site) -> None:
    site.poll("/push?uuid=a")


def _push_suffix(site: Site) -> None:
    site.poll("/push/push")


def _tls(site: Site) -> None:
    address = (HOST, site.server.devices.number)
    with create_connection(address, TIMEOUT, (OTHER_HOST, 0)) as connection, suppress(OSError):  # there is no answer
        ssl.create_default_context().wrap_socket(connection, server_hostname="localhost")


@pytest.mark.parametrize("size", [1, 1000], ids=["byte by byte", "at once"])
@pytest.mark.parametrize("port", ["devices", "admin"])
def test_tls_on_a_plain_port_is_closed_at_once(site: Site, port: str, size: int) -> None:
    """A client that speaks TLS to a plain port learns at once that this is wrong, however its bytes arrive."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    with create_connection((HOST, getattr(site.server, port).number), TIMEOUT) as connection:
        with suppress(ConnectionError):  # it is closed before all is sent
            for start in range(0, len(hello), size):
                connection.sendall(hello[start : start + size])
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""


def _not_http(site: Site) -> None:
    site.send(b"SSH-2.0-OpenSSH_9.2\r\n")


def _long_path(site: Site) -> None:
    with suppress(ConnectionError):
        site.send(b"GET /push?" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n")


ABOUT_NO_DEVICE: dict[Callable[[Site], None], tuple[str, str | None, str]] = {
    _no_device_id: ("no_device_id", "/push", "/push?deviceId=<number>"),
    _push_suffix: ("push_suffix", "/push/push", "ends in /push"),
    _tls: ("tls_on_plain_port", None, "Use http://"),
    _not_http: ("not_http", None, "not an HTTP/1.1 request"),
    _long_path: ("not_http", None, "more than 16 KiB"),
}
"""By what goes wrong: the reason, the path, and a part of the remedy."""


@pytest.mark.parametrize("go_wrong", ABOUT_NO_DEVICE)
def test_client_that_is_no_known_device(site: Site, go_wrong: Callable[[Site], None]) -> None:
    """What names no device is listed with its reason, and the doctor shows it, too, whatever device is examined."""
    reason, path, remedy = ABOUT_NO_DEVICE[go_wrong]
    go_wrong(site)
    rejection = site.rejection(reason, None)
    assert rejection["path"] == path
    assert remedy in rejection["remedy"]
    assert rejection["address"] == (HOST if path else OTHER_HOST)
    found = site.pushctl("doctor", "--device", "controlid:99", "--device-url", site.device_url)
    assert any(each["reason"] == reason for each in found.json["rejections"])


def test_log_says_nothing_of_refusals(site: Site) -> None:
    """Refusals are listed and not logged, so that no client can fill the disk."""
    before = site.server.log.read_text()
    for _ in range(20):
        _closed(site)
        _no_device_id(site)
        _not_http(site)
    site.rejection("not_http", None)
    assert site.server.log.read_text() == before


@pytest.mark.parametrize(
    ("prefix", "path", "status", "part"),
    [
        ("http", "", "ok", "Control iD at /push, Server-Eye at /push/<containerId>"),
        ("http", "/1", "ok", "Server-Eye"),
        ("http", "/x", "wrong", "No device is served at"),
        ("https", "", "wrong", "does not speak TLS"),
    ],
)
def test_doctor_tries_the_device_port(site: Site, prefix: str, path: str, status: str, part: str) -> None:
    """The doctor says whether an address serves devices; this itself is not listed as a rejection."""
    before = site.pushctl("rejections").json
    url = site.device_url.replace("http", prefix) + path
    found = site.pushctl("doctor", "--device-url", url)
    (finding,) = (each for each in found.json["findings"] if each["check"] == "device_port")
    assert (finding["status"], part in finding["detail"]) == (status, True)
    assert (found.code == 1) is (status == "wrong")
    assert site.pushctl("rejections").json == before


@pytest.mark.parametrize(
    ("scheme", "host", "trusted", "status", "part"),
    [
        ("http", HOST, False, "wrong", "speaks TLS."),
        ("https", HOST, True, "ok", "serves polls"),
        ("https", HOST, False, "warning", "does not trust the authority of its certificate"),
        ("https", "localhost", True, "warning", "its certificate is for another name"),
    ],
)
def test_doctor_tries_tls(site: Site, scheme: str, host: str, trusted: bool, status: str, part: str) -> None:
    """The doctor says whether a port speaks TLS, and what is wrong with its certificate, of both ports."""
    devices, admin = (f"{scheme}://{host}:{number}" for number in site.encrypted_ports)
    variables = {"SSL_CERT_FILE": str(site.certificate)} if trusted else {}
    found = site.pushctl("--url", admin, "doctor", "--device-url", devices, **variables)
    findings = {each["check"]: each for each in found.json["findings"]}
    assert (findings["device_port"]["status"], part in findings["device_port"]["detail"]) == (status, True)
    assert findings["server"]["status"] == ("ok" if status == "ok" else "wrong")
    if status != "ok":
        assert part in findings["server"]["detail"]
        assert found.code == 1


def test_doctor_knows_the_ports_apart(site: Site) -> None:
    """The doctor says when the admin URL is the device port, the reverse, and when nothing listens."""
    device_port = site.pushctl("--url", site.device_url, "doctor", "--device-url", site.url)
    assert device_port.code == 1
    details = {each["check"]: each["detail"] for each in device_port.json["findings"]}
    assert "answers like the device port" in details["server"]
    assert "is the admin port" in details["device_port"]
    nothing = site.pushctl("--url", f"http://{HOST}:1", "doctor", "--device-url", f"http://{HOST}:1")
    assert nothing.code == 1
    assert all("cannot connect" in each["detail"] for each in nothing.json["findings"])
