"""Tests of the device port behind TLS."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.calls import HOST, Port
from tests.integration.conftest import MakeServer
from tests.integration.server import until

pytestmark = pytest.mark.slow


def make_certificate(folder: Path, *names: str) -> Path:
    """Make a self-signed certificate for this machine and these names; the file with the certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pushd")])
    here = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST)), *map(x509.DNSName, names)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    file = folder / "server.pem"
    file.write_bytes(secret + certificate.public_bytes(pem))
    return file


def test_devices_connect_by_tls(make_server: MakeServer, tmp_path: Path) -> None:
    """A device can poll and report over TLS."""
    file = make_certificate(tmp_path)
    server = make_server(f"--devices=ssl:0:privateKey={file}:certKey={file}:interface={HOST}").start()
    server.admin.ask("POST /v1/devices", {"id": "servereye:one"})
    command = server.send("servereye:one", {"control": "REFRESH_AGENT", "data": "x" * 100_000})
    _, encrypted = server.device_ports
    secure = Port(encrypted, tls=ssl.create_default_context(cafile=str(file)))
    message = secure.ask("GET /push/one").json["data"]
    assert (message["messageId"], message["data"]) == (command, "x" * 100_000)
    assert secure.ask(f"POST /push/one/result/{command}", {"success": True}).code == 200
    held = secure.begin("GET /push/one")
    assert server.command(command)["state"] == "succeeded"
    until(lambda: server.holds("servereye:one"), "the poll is held")
    assert server.stop() == 0
    assert held.answer().json["success"] is False
