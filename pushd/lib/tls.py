"""TLS of a server: negotiates HTTP/1.1, and uses a renewed certificate without a restart."""

from collections.abc import Callable, Sequence

from attrs import define, field
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.ssl import CertificateOptions
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

HTTP_1_1 = b"http/1.1"
"""The name of HTTP/1.1 in ALPN."""

RENEWAL_SECONDS = 10.0
"""How long new connections use a certificate before its files are read again."""

_HANDSHAKE = b"\x16\x03"
"""How the first record of TLS begins (RFC 8446, section 5.1)."""

_NO_APPLICATION_PROTOCOL = [("SSL routines", "", "no application protocol")]


def begins_tls(data: bytes) -> bool:
    """Whether a client that has sent this first, however little it is, speaks TLS."""
    return data != b"" and _HANDSHAKE.startswith(data[: len(_HANDSHAKE)])


def uses_tls(transport: object) -> bool:
    """Whether a connection is encrypted, also if a proxy says by the PROXY protocol for which client it connects."""
    return isinstance(transport, TLSMemoryBIOProtocol) or isinstance(
        getattr(transport, "transport", None), TLSMemoryBIOProtocol
    )


@implementer(IOpenSSLServerConnectionCreator)
@define(eq=False)
class RenewableCertificate:
    """Gives each TLS connection the certificate that is in its files, read every :data:`RENEWAL_SECONDS` at most.

    A certificate that cannot be used, because its files cannot be read or are being written, is logged once, and the
    one before stays in use.
    """

    name: str
    """What listens, for the log."""
    clock: IReactorTime
    read: Callable[[], CertificateOptions]
    """Reads the certificate and its key."""
    _current: CertificateOptions = field(init=False)
    _read_at: float = field(init=False)
    _error: str | None = field(default=None, init=False)
    """Why the newest certificate cannot be used."""
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._current = _usable(self.read())
        self._read_at = self.clock.seconds()

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """The TLS side of a new connection."""
        now = self.clock.seconds()
        if now - self._read_at >= RENEWAL_SECONDS:
            self._read_at = now
            self._renew()
        return self._current.serverConnectionForTLS(protocol)

    def _renew(self) -> None:
        try:
            newest = _usable(self.read())
        except Exception as error:  # files that cannot be read, no PEM, or a key that does not fit the certificate
            reason = str(error)
            if reason != self._error:
                self._log.error(
                    "{name}: the certificate cannot be read again, the one read before stays in use: {error}",
                    name=self.name,
                    error=reason,
                )
            self._error = reason
            return
        self._error = None
        if _certificates(newest) != _certificates(self._current):  # the same context resumes sessions
            self._current = newest
            self._log.info("{name}: the certificate was renewed", name=self.name)


def _usable(certificate: CertificateOptions) -> CertificateOptions:
    """Check that the key fits the certificate, and have it negotiate HTTP/1.1."""
    certificate.getContext().set_alpn_select_callback(_select_protocol)
    return certificate


def _select_protocol(_connection: SSL.Connection, offered: Sequence[bytes]) -> bytes:
    """Select HTTP/1.1; the alert ``no_application_protocol`` refuses a client that does not offer it."""
    if HTTP_1_1 not in offered:
        raise SSL.Error(_NO_APPLICATION_PROTOCOL)
    return HTTP_1_1


def _certificates(options: CertificateOptions) -> list[bytes]:
    assert options.certificate is not None, "a server has one"
    chain = [options.certificate, *options.extraCertChain]
    return [crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate) for certificate in chain]
