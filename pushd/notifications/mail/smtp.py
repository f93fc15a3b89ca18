"""SMTP (RFC 5321), the client's side: one mail in one connection, to whoever of its recipients the server takes it
for.
"""

from collections.abc import Mapping
from enum import StrEnum
from io import BytesIO
from typing import Any, NoReturn, Protocol

from attrs import define, field, frozen
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.mail.smtp import (
    DNSNAME,
    SUCCESS,
    CramMD5ClientAuthenticator,
    ESMTPClient,
    LOGINAuthenticator,
    PLAINAuthenticator,
)
from twisted.python.failure import Failure

from pushd.lib.text import one_line
from pushd.notifications.mail.message import Envelope

MAX_LINE = 500
"""Characters that are kept of what a mail server says."""

PATIENCE = 30.0
"""Seconds that a connection, or one answer of the server, may take."""

CONVERSATION = 90.0
"""Seconds that all of it may take, with a server that drips."""


class Tls(StrEnum):
    """How the way to the server is secured."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@frozen(kw_only=True)
class SmtpServer:
    """Who takes our mails; its certificate must be one for ``host``."""

    host: str
    port: int
    tls: Tls
    user: str | None = None
    password: str = field(default="", repr=False)


class SmtpError(Exception):
    """The server took no mail, whoever it was for: it is away, or cannot be trusted, or does not trust us."""


@frozen(kw_only=True)
class SmtpResult:
    """For whom a mail was not taken, and why: for good, or for now."""

    refused: Mapping[str, str]
    deferred: Mapping[str, str]


class MailTransport(Protocol):
    """Brings mails to a server."""

    async def send(self, envelope: Envelope, mail: bytes) -> SmtpResult:
        """Send a mail; done when the server has taken it, for those of the recipients that it takes mails for.

        :raises NotTaken: if it takes none.
        """


class Conversation(ESMTPClient):
    """One connection, for one mail; ``taken`` fires when it is clear what became of that."""

    debug = False  # else passwords would be kept in its log, and told with errors

    def __init__(self, server: SmtpServer, envelope: Envelope, mail: bytes, patience: float) -> None:
        context = optionsForClientTLS(server.host) if server.tls is Tls.STARTTLS else None
        super().__init__(server.password.encode(), context, DNSNAME)
        self.timeout = patience  # type: ignore[assignment]  # Twisted says None, and means seconds too
        self.requireTransportSecurity = server.tls is Tls.STARTTLS
        self.requireAuthentication = server.user is not None
        if server.user is not None:
            for authenticator in (PLAINAuthenticator, LOGINAuthenticator, CramMD5ClientAuthenticator):
                self.registerAuthenticator(authenticator(server.user.encode()))
        self.taken: Deferred[SmtpResult] = Deferred(lambda _: self._hang_up())
        self._envelope = envelope
        self._mail = mail

    def getMailFrom(self) -> str:
        return self._envelope.sender

    def getMailTo(self) -> list[bytes]:
        return [recipient.encode("ascii") for recipient in self._envelope.recipients]

    def getMailData(self) -> BytesIO:
        """The mail, with each line that begins with a dot begun with two (RFC 5321 section 4.5.2)."""
        return BytesIO(self._mail.replace(b"\r\n.", b"\r\n.."))

    def transformChunk(self, chunk: bytes) -> bytes:
        """Nothing is left to be transformed; Twisted's own forgets dots where one chunk ends and the next begins."""
        self.resetTimeout()
        return chunk

    def esmtpState_starttls(self, code: int, resp: bytes) -> None:
        """Begin TLS; whatever came in the clear behind the permission is nobody's word."""
        self.clearLineBuffer()
        super().esmtpState_starttls(code, resp)

    def smtpState_msgSent(self, code: int, resp: bytes | str) -> None:
        """The server has taken the mail for some, or for nobody; say goodbye."""
        self._end(self._outcome(code, resp))
        self._disconnectFromServer()

    def sendError(self, exc: Exception) -> None:
        """Something that keeps the server from taking any mail."""
        self._end(SmtpError(f"does not agree: {one_line(str(exc), MAX_LINE)}"))
        super().sendError(exc)

    def timeoutConnection(self) -> None:
        """The server is silent."""
        self._end(SmtpError(f"did not answer within {self.timeout:g} s"))
        self._hang_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end, whoever wanted it."""
        super().connectionLost(reason)
        self._end(SmtpError(f"hung up: {one_line(reason.getErrorMessage(), MAX_LINE)}"))

    def _hang_up(self) -> None:
        assert ITCPTransport.providedBy(self.transport)
        self.transport.abortConnection()

    def _outcome(self, code: int, resp: bytes | str) -> SmtpResult | SmtpError:
        if not self.toAddressesResult:
            return SmtpError(f"takes no mail from {self._envelope.sender}: {_answer(code, resp)}")
        answers = {to: (said, why) for to, said, why in self.toAddressesResult}
        answers |= dict.fromkeys(self.successAddresses, (code, resp))
        not_taken = {to.decode("ascii"): said for to, said in answers.items() if said[0] not in SUCCESS}
        refused = {to: _answer(*said) for to, said in not_taken.items() if said[0] >= 500}
        return SmtpResult(refused=refused, deferred={to: _answer(*not_taken[to]) for to in not_taken.keys() - refused})

    def _end(self, result: SmtpResult | SmtpError) -> None:
        if not self.taken.called:
            if isinstance(result, SmtpError):
                self.taken.errback(result)
            else:
                self.taken.callback(result)


def _answer(code: int, text: bytes | str) -> str:
    said = text if isinstance(text, str) else text.decode("ascii", "replace")
    return f"{code} {one_line(said, MAX_LINE)}"


@define(eq=False)
class SmtpCarrier:
    """See :class:`MailTransport`."""

    server: SmtpServer
    reactor: Any
    patience: float = PATIENCE
    conversation: float = CONVERSATION

    async def send(self, envelope: Envelope, mail: bytes) -> SmtpResult:
        try:
            conversation = Conversation(self.server, envelope, mail, self.patience)
            await connectProtocol(self._endpoint(), conversation)
        except (CancelledError, ConnectingCancelledError):
            raise CancelledError from None
        except Exception as error:
            self._refuse(error, "cannot be reached: ")
        try:
            return await conversation.taken.addTimeout(self.conversation, self.reactor)
        except SmtpError as error:
            self._refuse(error)
        except defer.TimeoutError:
            self._refuse(SmtpError(f"took longer than {self.conversation:g} s"))

    def _endpoint(self) -> IStreamClientEndpoint:
        host, port = self.server.host, self.server.port
        endpoint = HostnameEndpoint(self.reactor, host, port, timeout=self.patience)
        return wrapClientTLS(optionsForClientTLS(host), endpoint) if self.server.tls is Tls.TLS else endpoint

    def _refuse(self, error: Exception, how: str = "") -> NoReturn:
        raise SmtpError(f"{self.server.host}:{self.server.port} {how}{one_line(str(error), MAX_LINE)}") from None
