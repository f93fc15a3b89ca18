"""Listeners: the endpoints of the command line as services; an endpoint that cannot be opened is one line of text."""

from collections.abc import Callable
from socket import AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, socket

from attrs import define
from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Service
from twisted.application.strports import service as strports_service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory, IReactorCore, IReactorTime
from twisted.internet.ssl import CertificateOptions

from pushd.config import ConfigError
from pushd.lib.tls import RenewableCertificate
from pushd.lib.twisted_patches import keep_half_closed, tls_certificate, use_certificate

BACKLOG = 16384
"""Connections that wait to be accepted, as far as the system allows: after a restart all devices connect at once."""

_KINDS_WITH_IPV4_DEFAULT = frozenset({"tcp", "ssl"})
_KINDS_WITH_BACKLOG = frozenset({"tcp", "tcp6", "ssl", "unix"})


@define(eq=False)
class Listener(Service):
    """Listens at one endpoint; error messages name it as the option gave it."""

    option: str
    """As given: ``--devices``, or ``PUSHD_DEVICES``."""
    endpoint: str
    _service: StreamServerEndpointService

    def privilegedStartService(self) -> None:
        """Listen while the process may still open ports below 1024; connections wait until the reactor runs.

        :raises ConfigError: if the endpoint cannot be opened.
        """
        super().privilegedStartService()
        self._listen(self._service.privilegedStartService)

    def startService(self) -> None:
        """Listen, unless it does already.

        :raises ConfigError: if the endpoint cannot be opened.
        """
        super().startService()
        self._listen(self._service.startService)

    def stopService(self) -> Deferred[None]:
        """Stop listening; open connections stay."""
        super().stopService()
        stopped: Deferred[None] = self._service.stopService()
        return stopped

    def _listen(self, start: Callable[[], None]) -> None:
        try:
            start()
        except CannotListenError as error:
            host = "any" if error.interface in ("", "::") else error.interface
            address = f"{host}:{error.port}"
            raise self._refused(f"Couldn't listen on {address}: {_reason(error.socketError)}") from error
        except (OSError, OverflowError) as error:
            raise self._refused(f"Couldn't listen: {_reason(error)}") from error

    def _refused(self, why: str) -> ConfigError:
        return ConfigError(f"{why} ({self.option} {self.endpoint}).")


def listener(option: str, endpoint: str, factory: IProtocolFactory, reactor: IReactorCore) -> Listener:
    """A service that listens once it is started; only a certificate is read before, and again when it was renewed.

    :raises ConfigError: if ``endpoint`` is not a Twisted endpoint, or its certificate cannot be read.
    """
    description = _completed(endpoint)
    try:
        service = strports_service(description, factory, reactor)
        keep_half_closed(service.endpoint)
        if tls_certificate(service.endpoint) is not None:
            _renew_certificate(service.endpoint, f"{option} {endpoint}", description, reactor)
        return Listener(option, endpoint, service)
    except OSError as error:
        raise _invalid(option, endpoint, f"{error.filename}: {_reason(error)}") from error
    except Exception as error:  # endpoints are plugins, each parses its arguments in its own way
        raise _invalid(option, endpoint, _reason(error)) from error


def _renew_certificate(endpoint: object, name: str, description: str, reactor: IReactorCore) -> None:
    """Have a TLS endpoint use the certificate that is in the files of its description now."""

    def read() -> CertificateOptions:
        certificate = tls_certificate(serverFromString(reactor, description))
        assert certificate is not None, "the description is of a TLS endpoint"
        return certificate

    use_certificate(endpoint, RenewableCertificate(name, IReactorTime(reactor), read))


def _completed(endpoint: str) -> str:
    """The endpoint with what it does not give itself: our backlog, and all addresses of this machine."""
    kind, _, rest = endpoint.partition(":")
    if kind == "haproxy":
        return f"{kind}:{_completed(rest)}"
    if kind in _KINDS_WITH_BACKLOG and "backlog=" not in rest:
        endpoint += f":backlog={BACKLOG}"
    if kind in _KINDS_WITH_IPV4_DEFAULT and "interface=" not in rest and _serves_ipv4_and_ipv6():
        endpoint += r":interface=\:\:"
    return endpoint


def _serves_ipv4_and_ipv6() -> bool:
    """Whether a socket that listens at ``::`` takes connections over IPv4, too: unless the system says otherwise."""
    try:
        with socket(AF_INET6) as probe:
            probe.bind(("::", 0))
            return not probe.getsockopt(IPPROTO_IPV6, IPV6_V6ONLY)
    except OSError:
        return False


def _invalid(option: str, endpoint: str, why: str) -> ConfigError:
    return ConfigError(f"{option}: {endpoint} is not a valid endpoint such as tcp:8080: {why}.")


def _reason(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or str(error).rstrip(".")
