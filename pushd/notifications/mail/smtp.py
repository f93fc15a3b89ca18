"""Sends one mail over one SMTP connection (RFC 5321), with smtplib in a thread.

Each mail has a daemon thread of its own: a mail server that hangs does not block the reactor, its thread pool or the
end of the process. The name of the server is looked up by the reactor's resolver.
"""

import smtplib
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from threading import Thread
from typing import Any, NoReturn, Protocol

from attrs import define, field, frozen
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pushd.lib.resolver import resolve
from pushd.lib.text import one_line
from pushd.notifications.mail.message import Envelope

TIMEOUT = 30.0
"""Seconds to connect to an address of the server, and for each of its replies."""

TOTAL_TIMEOUT = 90.0
"""Seconds for the whole session, in case the server sends its replies byte by byte."""

MAX_REASON = 500
"""Characters of what a server replied at most."""

_ACCEPTED = (250, 251)

Reply = tuple[int, bytes]
"""A server's reply: code and text."""


class Tls(StrEnum):
    """How the connection to the server is encrypted: after STARTTLS, from the start, or not at all."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@frozen(kw_only=True)
class SmtpServer:
    """The mail server to submit to; with TLS, its certificate must be valid for ``host``."""

    host: str
    port: int
    tls: Tls
    user: str | None = None
    password: str = field(default="", repr=False)


class SmtpError(Exception):
    """The server accepts no mail at all: it cannot be reached, fails, or refuses the login or the sender.

    ``during_content``: it failed while it was sent the content of a mail, which may be why.
    """

    def __init__(self, message: str, *, during_content: bool = False) -> None:
        super().__init__(message)
        self.during_content = during_content


@frozen(kw_only=True)
class SmtpResult:
    """The server's replies: for the recipients that it did not accept the mail for, 5xx or 4xx, and for the others."""

    refused: Mapping[str, str]
    deferred: Mapping[str, str]
    accepted: Mapping[str, str] = field(factory=dict)


class MailTransport(Protocol):
    """Submits mails to a server."""

    async def send(self, envelope: Envelope, mail: bytes) -> SmtpResult:
        """Send a mail to the recipients for whom the server accepts it.

        :raises SmtpError: if it accepts no mail at all.
        """


@define(eq=False)
class SmtpTransport:
    """Sends mails to an SMTP server; ``timeout`` and ``total_timeout`` as :data:`TIMEOUT`, :data:`TOTAL_TIMEOUT`."""

    server: SmtpServer
    reactor: Any
    timeout: float = TIMEOUT
    total_timeout: float = TOTAL_TIMEOUT

    async def send(self, envelope: Envelope, mail: bytes) -> SmtpResult:
        session = _Session(self.server, await self._resolve(), envelope, mail, self.timeout)
        result: Deferred[SmtpResult] = Deferred(lambda _: session.abort())
        result.addTimeout(self.total_timeout, self.reactor)
        Thread(target=self._run, args=(session, result), name="smtp", daemon=True).start()
        try:
            return await result
        except defer.TimeoutError:
            self._fail(f"took longer than {self.total_timeout:g} s", during_content=session.sends_content)
        except SmtpError as error:
            self._fail(str(error), during_content=session.sends_content)

    async def _resolve(self) -> Sequence[str]:
        """The server's IP addresses."""
        finding = resolve(self.reactor, self.server.host, self.server.port)
        try:
            addresses: Sequence[Any] = await finding.addTimeout(self.timeout, self.reactor)
        except defer.TimeoutError:
            self._fail(f"cannot be reached: its name was not resolved within {self.timeout:g} s")
        if not addresses:
            self._fail("cannot be reached: its name cannot be resolved")
        return [address.host for address in addresses]

    def _run(self, session: "_Session", result: Deferred[SmtpResult]) -> None:
        """Run a session in this thread; its result goes to the reactor's."""
        try:
            outcome: SmtpResult | Failure = session.run()
        except Exception:
            outcome = Failure()
        if not session.aborted:
            self.reactor.callFromThread(_fire, result, outcome)

    def _fail(self, why: str, *, during_content: bool = False) -> NoReturn:
        problem = f"{self.server.host}:{self.server.port} {one_line(why, MAX_REASON)}"
        raise SmtpError(problem, during_content=during_content) from None


@define(eq=False)
class _Session:
    """One connection, from connecting to QUIT: :meth:`run` blocks a thread, :meth:`abort` is for any other thread."""

    server: SmtpServer
    addresses: Sequence[str]
    """The server's IP addresses, of which the first that can be reached is used."""
    envelope: Envelope
    mail: bytes
    timeout: float
    aborted: bool = field(default=False, init=False)
    sends_content: bool = field(default=False, init=False)
    """Whether the server is being sent the content of the mail, and has not replied yet."""
    _connection: socket.socket | None = field(default=None, init=False)
    """A duplicate of the connected socket: smtplib's own is replaced when TLS begins."""

    def abort(self) -> None:
        """Close the connection, or let it be closed once it is connected."""
        self.aborted = True
        if self._connection is not None:
            with suppress(OSError):  # closed already
                self._connection.shutdown(socket.SHUT_RDWR)

    def run(self) -> SmtpResult:
        """Send the mail.

        :raises SmtpError: if the server accepts no mail.
        """
        connected = self._connect()
        with connected, connected.dup() as self._connection:
            if self.aborted:
                raise SmtpError("was given up")
            try:
                return self._deliver(connected)
            except smtplib.SMTPResponseException as error:
                raise SmtpError(f"answered {_text((error.smtp_code, _bytes(error.smtp_error)))}") from None
            except smtplib.SMTPServerDisconnected as error:
                if isinstance(error.__context__, TimeoutError):
                    raise SmtpError(f"did not answer within {self.timeout:g} s") from None
                raise SmtpError(f"hung up: {error}") from None
            except smtplib.SMTPException as error:
                raise SmtpError(f"cannot be used: {error}") from None
            except ssl.SSLError as error:
                raise SmtpError(f"failed the TLS handshake: {error}") from None
            except OSError as error:
                raise SmtpError(f"hung up: {error}") from None

    def _connect(self) -> socket.socket:
        problem = ""
        for address in self.addresses:
            try:
                return socket.create_connection((address, self.server.port), self.timeout)
            except OSError as error:
                problem = str(error)
        raise SmtpError(f"cannot be reached: {problem}")

    def _deliver(self, connected: socket.socket) -> SmtpResult:
        host, tls = self.server.host, self.server.tls
        if tls is Tls.TLS:
            connected = ssl.create_default_context().wrap_socket(connected, server_hostname=host)
        client = _Client(connected, host, self.timeout)
        try:
            if tls is Tls.STARTTLS:
                client.starttls(context=ssl.create_default_context())
            client.ehlo_or_helo_if_needed()
            if self.server.user is not None:
                _log_in(client, self.server.user, self.server.password)
            replies = self._submit(client)
            with suppress(smtplib.SMTPException):  # what the server says to QUIT changes nothing
                client.putcmd("QUIT")
        finally:
            client.close()
        failed = {to: reply for to, reply in replies.items() if reply[0] not in _ACCEPTED}
        return SmtpResult(
            refused={to: _text(reply) for to, reply in failed.items() if reply[0] >= 500},
            deferred={to: _text(reply) for to, reply in failed.items() if reply[0] < 500},
            accepted={to: _text(reply) for to, reply in replies.items() if to not in failed},
        )

    def _submit(self, client: smtplib.SMTP) -> Mapping[str, Reply]:
        """The reply for each recipient; ``SMTP.sendmail`` would not tell them if the server refuses the content."""
        reply = client.mail(self.envelope.sender)
        if reply[0] not in _ACCEPTED:
            raise SmtpError(f"accepts no mail from {self.envelope.sender}: {_text(reply)}")
        replies = {to: client.rcpt(to) for to in self.envelope.recipients}
        accepted = [to for to, reply in replies.items() if reply[0] in _ACCEPTED]
        if accepted:
            self.sends_content = True
            replies |= dict.fromkeys(accepted, _data(client, self.mail))
            self.sends_content = False
        return replies


class _Client(smtplib.SMTP):
    """An SMTP client on a connected socket; the constructor reads the greeting."""

    def __init__(self, connected: socket.socket, host: str, timeout: float) -> None:
        self._connected = connected
        super().__init__(host, timeout=timeout)

    def _get_socket(self, *_: object) -> socket.socket:
        return self._connected


def _data(client: smtplib.SMTP, mail: bytes) -> Reply:
    try:
        return client.data(mail)
    except smtplib.SMTPDataError as error:
        return error.smtp_code, _bytes(error.smtp_error)


def _log_in(client: smtplib.SMTP, user: str, password: str) -> None:
    if user.isascii() and password.isascii():
        client.login(user, password)
        return
    # smtplib knows ASCII only; of the mechanisms, PLAIN is the one that is defined for UTF-8 (RFC 4616)
    credentials = b64encode(f"\0{user}\0{password}".encode()).decode("ascii")
    code, text = client.docmd("AUTH", f"PLAIN {credentials}")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, text)


def _fire(result: Deferred[SmtpResult], outcome: SmtpResult | Failure) -> None:
    if result.called:  # it was cancelled meanwhile
        return
    if isinstance(outcome, Failure):
        result.errback(outcome)
    else:
        result.callback(outcome)


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode("ascii", "replace")


def _text(reply: Reply) -> str:
    return one_line(f"{reply[0]} {reply[1].decode('ascii', 'replace')}", MAX_REASON)
