"""Tests of :mod:`pushd.lib.tls`, through a listener's endpoint."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.protocols.tls import TLSMemoryBIOFactory

from pushd.config import ConfigError
from pushd.lib.tls import RENEWAL_SECONDS
from pushd.listeners import listener
from tests.certificates import make_certificate

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # by Twisted


@define(eq=False)
class TLSServer:
    """A listener with TLS, whose clients connect in memory."""

    file: Path
    prefix: str = ""
    reactor: Any = field(factory=MemoryReactorClock)
    _factory: TLSMemoryBIOFactory = field(init=False)

    def __attrs_post_init__(self) -> None:
        listener("--devices", self.endpoint, Factory.forProtocol(Protocol), self.reactor).startService()
        ((_, factory, context_factory, *_),) = self.reactor.sslServers
        self._factory = TLSMemoryBIOFactory(context_factory, False, factory, self.reactor)

    @property
    def endpoint(self) -> str:
        """The endpoint that the operator gave."""
        return f"{self.prefix}ssl:443:privateKey={self.file}:certKey={self.file}"

    def served(self, *alpn: str) -> bytes:
        """The certificate that a new client is given, after a handshake in which it offers these protocols."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(alpn or ("h2", "http/1.1"))
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(to_client, to_server)
        protocol = self._factory.buildProtocol(None)
        assert protocol is not None
        protocol.makeConnection(transport := StringTransport())
        while True:
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                protocol.dataReceived(to_server.read())
                to_client.write(transport.value())
                transport.clear()
            else:
                certificate = client.getpeercert(binary_form=True)
                assert certificate is not None
                return certificate

    def renew(self) -> None:
        """Replace the certificate by a new one, and let the time pass after which it is used."""
        make_certificate(self.file.parent)
        self.reactor.advance(RENEWAL_SECONDS)


@pytest.fixture
def tls(tmp_path: Path) -> TLSServer:
    """A listener with TLS."""
    return TLSServer(make_certificate(tmp_path))


def test_renewed_certificate_is_used(tls: TLSServer) -> None:
    """A renewed certificate is given to new clients without a restart; until it is, nothing changes."""
    first = tls.served()
    tls.reactor.advance(RENEWAL_SECONDS)
    assert tls.served() == first
    tls.renew()
    second = tls.served()
    assert second != first
    assert tls.served() == second


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-200]),
        lambda file: file.write_bytes(file.read_bytes()[:150] + make_certificate(file.parent / "other").read_bytes()),
    ],
    ids=["missing", "empty", "cut", "mixed"],
)
def test_unusable_renewed_certificate(tls: TLSServer, spoil: Callable[[Path], object]) -> None:
    """If a renewed certificate cannot be used, the one before stays in use, with one log line until it is mended."""
    (tls.file.parent / "other").mkdir()
    first = tls.served()
    spoil(tls.file)
    with capturedLogs() as logs:
        for _ in range(3):
            tls.reactor.advance(RENEWAL_SECONDS)
            assert tls.served() == first
    (logged,) = [event for event in logs if event["log_level"] >= LogLevel.warn]
    assert formatEvent(logged).startswith(f"--devices {tls.endpoint}: the certificate cannot be read again, ")
    tls.renew()
    assert tls.served() != first


def test_key_of_another_certificate(tmp_path: Path) -> None:
    """A key that does not belong to the certificate is refused at the start, not at the first connection."""
    (tmp_path / "other").mkdir()
    key, other = make_certificate(tmp_path), make_certificate(tmp_path / "other")
    certificate = tmp_path / "certificate.pem"
    certificate.write_text(other.read_text()[other.read_text().index("-----BEGIN CERTIFICATE") :])
    with pytest.raises(ConfigError, match="is not a valid endpoint"):
        listener("--devices", f"ssl:443:privateKey={key}:certKey={certificate}", Factory(), MemoryReactorClock())


@pytest.mark.parametrize("prefix", ["", "haproxy:"])
def test_client_of_another_protocol(tmp_path: Path, prefix: str) -> None:
    """A client that does not offer HTTP/1.1 is refused with the alert that says so; one that does is not."""
    tls = TLSServer(make_certificate(tmp_path), prefix)
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        tls.served("h2")
    assert tls.served("h2", "http/1.1")
