"""Tests of :mod:`pushd.notifications.mail.smtp`, against a real mail server."""

import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from threading import enumerate as enumerate_threads
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall, deferLater
from twisted.python.failure import Failure

from pushd.notifications.mail.message import Envelope
from pushd.notifications.mail.smtp import SmtpError, SmtpResult, SmtpServer, SmtpTransport, Tls
from tests.notifications.certificates import Authority
from tests.notifications.mail_server import HOST, MailServer

ANA, BOB = "ana@example.org", "bob@example.org"
MAIL = (
    b"Subject: hello\r\n\r\n.\r\n..two dots\r\n"
    + b"a line that is sixty-two bytes long, and is repeated very often\r\n" * 600
)
ENVELOPE = Envelope(sender="pushd@example.org", recipients=(ANA, BOB))
ACCEPTED = SmtpResult(refused={}, deferred={}, accepted={ANA: "250 OK", BOB: "250 OK"})


def transport(
    server: MailServer,
    tls: Tls = Tls.NONE,
    host: str = HOST,
    timeout: float = 10,
    login: tuple[str, str] | None = None,
) -> SmtpTransport:
    """A transport to a server; ``login`` is user name and password."""
    from twisted.internet import reactor

    user, password = login or (None, "")
    return SmtpTransport(
        SmtpServer(host=host, port=server.port, tls=tls, user=user, password=password), reactor, timeout
    )


async def error(by: SmtpTransport) -> str:
    """Why the server accepts no mail."""
    with pytest.raises(SmtpError) as raised:
        await by.send(ENVELOPE, MAIL)
    return str(raised.value)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """A certificate authority that this machine trusts."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A server without TLS and authentication."""
    with MailServer().running() as server:
        yield server


async def test_mail_arrives_unchanged(server: MailServer) -> None:
    """A mail arrives once, byte for byte, with all of its recipients, lines that are dots included."""
    assert await transport(server).send(ENVELOPE, MAIL) == ACCEPTED
    (received,) = server.mails
    assert (received.sender, received.recipients) == (ENVELOPE.sender, (ANA, BOB))
    assert received.content == MAIL


@pytest.mark.parametrize("shift", range(-2, 3))
async def test_dots_in_a_long_mail(server: MailServer, shift: int) -> None:
    """A long mail arrives whole, wherever a line begins with a dot."""
    line = b"x" * 62 + b"\r\n"
    mail = line * 255 + b"x" * (62 + shift) + b"\r\n.dot\r\n"
    assert mail.index(b".") == 2**14 + shift
    await transport(server).send(ENVELOPE, mail)
    assert server.mails[0].content == mail


async def test_starttls(authority: Authority) -> None:
    """With STARTTLS the mail is sent over TLS, to a server whose certificate is valid for its name."""
    with MailServer().running(tls_context=authority.server("localhost"), require_starttls=True) as server:
        assert await transport(server, Tls.STARTTLS, "localhost").send(ENVELOPE, MAIL) == ACCEPTED
    assert len(server) == 1


async def test_implicit_tls(authority: Authority) -> None:
    """With TLS from the start the mail is sent to a server whose certificate is valid for its name."""
    with MailServer().running(tls=authority.server("localhost")) as server:
        assert await transport(server, Tls.TLS, "localhost").send(ENVELOPE, MAIL) == ACCEPTED
    assert len(server) == 1


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.TLS])
async def test_certificate_for_another_name(authority: Authority, tls: Tls) -> None:
    """A server whose certificate is for another name gets neither password nor mail."""
    context = authority.server("elsewhere.test")
    options: dict[str, Any] = {"tls": context} if tls is Tls.TLS else {"tls_context": context}
    with MailServer(passwords={"pushd": "secret"}).running(**options) as server:
        reason = await error(transport(server, tls, "localhost", login=("pushd", "secret")))
    assert "localhost" in reason
    assert "Hostname mismatch" in reason
    assert not server.mails


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.TLS])
async def test_certificate_of_an_unknown_authority(tmp_path: Path, tls: Tls) -> None:
    """A server whose certificate is signed by an authority that this machine does not trust gets no mail."""
    context = Authority(tmp_path).server("localhost")
    options: dict[str, Any] = {"tls": context} if tls is Tls.TLS else {"tls_context": context}
    with MailServer().running(**options) as server:
        assert "certificate verify failed" in await error(transport(server, tls, "localhost"))
    assert not server.mails


async def test_server_without_starttls(server: MailServer) -> None:
    """A server that does not offer STARTTLS, or whose offer was removed by an attacker, gets no mail."""
    assert "STARTTLS extension not supported" in await error(transport(server, Tls.STARTTLS))
    assert not server.mails


@pytest.mark.parametrize("excluded", [[], ["PLAIN"]])
async def test_authentication(authority: Authority, excluded: list[str]) -> None:
    """A server that requires authentication accepts mails with the right user name and password."""
    options = {
        "tls_context": authority.server("localhost"),
        "auth_required": True,
        "auth_exclude_mechanism": excluded,
    }
    with MailServer(passwords={"pushd": "secret"}).running(**options) as server:
        by = transport(server, Tls.STARTTLS, "localhost", login=("pushd", "secret"))
        assert await by.send(ENVELOPE, MAIL) == ACCEPTED


async def test_password_that_is_not_ascii(authority: Authority) -> None:
    """Any password can be sent, and is refused if it is wrong."""
    options = {"tls_context": authority.server("localhost"), "auth_required": True}
    with MailServer(passwords={"pushd": "sécret"}).running(**options) as server:
        by = transport(server, Tls.STARTTLS, "localhost", login=("pushd", "sécret"))
        assert await by.send(ENVELOPE, MAIL) == ACCEPTED
        by = transport(server, Tls.STARTTLS, "localhost", login=("pushd", "wröng"))
        assert "answered 535" in await error(by)


async def test_wrong_password(authority: Authority) -> None:
    """A wrong password is an error that does not contain the password."""
    with MailServer(passwords={"pushd": "secret"}).running(tls_context=authority.server("localhost")) as server:
        reason = await error(transport(server, Tls.STARTTLS, "localhost", login=("pushd", "wrong-one")))
    assert "535" in reason
    assert "wrong-one" not in reason
    assert "d3Jvbmctb25l" not in reason
    assert not server.mails


async def test_server_without_authentication(server: MailServer) -> None:
    """If a login is configured, a server that does not offer authentication gets no mail."""
    assert "AUTH extension not supported" in await error(transport(server, login=("pushd", "secret")))


async def test_recipients_are_refused_one_by_one(server: MailServer) -> None:
    """The other recipients of a mail get it if one is refused, for good or for now."""
    server.replies = {ANA: ["550 no such user"], BOB: ["250 OK"]}
    assert await transport(server).send(ENVELOPE, MAIL) == SmtpResult(
        refused={ANA: "550 no such user"}, deferred={}, accepted={BOB: "250 OK"}
    )
    server.replies = {ANA: ["250 OK"], BOB: ["451 try again"]}
    assert await transport(server).send(ENVELOPE, MAIL) == SmtpResult(
        refused={}, deferred={BOB: "451 try again"}, accepted={ANA: "250 OK"}
    )
    assert [mail.recipients for mail in server.mails] == [(BOB,), (ANA,)]


async def test_all_recipients_are_refused(server: MailServer) -> None:
    """A mail that is refused for all recipients is not sent."""
    server.replies = {ANA: ["550 no"], BOB: ["450 later"]}
    assert await transport(server).send(ENVELOPE, MAIL) == SmtpResult(
        refused={ANA: "550 no"}, deferred={BOB: "450 later"}
    )
    assert not server.mails


@pytest.mark.parametrize(("reply", "kind"), [("554 spam", "refused"), ("452 full", "deferred")])
async def test_content_is_refused(server: MailServer, reply: str, kind: str) -> None:
    """A mail whose content is refused is refused for all recipients that were accepted."""
    server.replies = {"DATA": [reply], BOB: ["550 no"]}
    result = await transport(server).send(ENVELOPE, MAIL)
    assert getattr(result, kind)[ANA] == reply
    assert result.refused[BOB] == "550 no"


async def test_sender_is_refused(server: MailServer) -> None:
    """A refused sender is an error that concerns all mails."""
    server.replies = {"MAIL": ["553 not you"]}
    assert "accepts no mail from pushd@example.org: 553 not you" in await error(transport(server))


async def test_server_is_down() -> None:
    """If nothing listens at the server's address, that is the error."""
    with socket.create_server((HOST, 0)) as listening:
        down = MailServer(port=listening.getsockname()[1])
    assert f"{HOST}:{down.port} cannot be reached" in await error(transport(down))


async def test_server_that_does_not_confirm_the_mail(server: MailServer) -> None:
    """A server that has received the mail and does not reply times out."""
    server.hangs.set()
    with pytest.raises(SmtpError, match=r"did not answer within 0\.3 s") as raised:
        await transport(server, timeout=0.3).send(ENVELOPE, MAIL)
    assert raised.value.during_content


@pytest.mark.parametrize("answers", [False, True])
async def test_name_that_cannot_be_resolved(server: MailServer, answers: bool) -> None:
    """A mail server whose name does not exist, or is not answered by the name server, cannot be reached."""
    sending = transport(server, timeout=0.2)
    sending.reactor = Names(answers)
    reason = "its name cannot be resolved" if answers else "its name was not resolved within 0.2 s"
    assert await error(sending) == f"{HOST}:{server.port} cannot be reached: {reason}"


class Names:
    """A reactor that finds no name, or does not answer."""

    def __init__(self, answers: bool) -> None:
        self.nameResolver = self
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        from twisted.internet import reactor

        return getattr(reactor, name)

    def resolveHostName(self, receiver: Any, *_: Any) -> None:
        """Look up a name."""
        if self._answers:
            receiver.resolutionComplete()


async def test_server_that_does_not_greet() -> None:
    """A server that accepts the connection and sends nothing times out."""
    with socket.create_server((HOST, 0)) as listening:
        silent = MailServer(port=listening.getsockname()[1])
        assert "did not answer within 0.2 s" in await error(transport(silent, timeout=0.2))


async def test_server_that_sends_its_greeting_for_ever() -> None:
    """A session with a server that sends lines for ever ends after its total timeout, and so does its thread."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    listening = reactor.listenTCP(0, Factory.forProtocol(Dripping), interface=HOST)
    by = transport(MailServer(port=listening.getHost().port))
    by.total_timeout = 0.3
    assert "took longer than 0.3 s" in await error(by)
    await threads_end()
    await listening.stopListening()


class Dripping(Protocol):
    """A greeting without an end."""

    def connectionMade(self) -> None:
        self.call = LoopingCall(self.send_line)
        self.call.start(0.02)

    def send_line(self) -> None:
        """Send another line of a reply that never ends."""
        assert self.transport is not None
        self.transport.write(b"220-and\r\n")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.call.stop()


async def test_plaintext_after_starttls_is_not_read(authority: Authority) -> None:
    """A reply that an attacker inserts in plaintext after the reply to STARTTLS is not taken for one within TLS."""
    context = authority.server("localhost")
    commands: list[str] = []

    def serve(listening: socket.socket) -> None:
        plain, _ = listening.accept()
        plain.sendall(b"220 hello\r\n")
        commands.append(read_command(plain))
        plain.sendall(b"250-mail.test\r\n250 STARTTLS\r\n")
        commands.append(read_command(plain))
        plain.sendall(b"220 go ahead\r\n250 inserted\r\n")
        with context.wrap_socket(plain, server_side=True) as secure:
            commands.append(read_command(secure))
            secure.sendall(b"250 mail.test\r\n")
            commands.append(read_command(secure))
            secure.sendall(b"554 no\r\n")
            secure.recv(1000)

    with socket.create_server((HOST, 0)) as listening:
        thread = Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        server = MailServer(port=listening.getsockname()[1])
        assert "554 no" in await error(transport(server, Tls.STARTTLS, "localhost"))
        thread.join()
    assert commands == ["EHLO", "STARTTLS", "EHLO", "MAIL"]


def read_command(connection: socket.socket) -> str:
    """The next command that a client sends."""
    return connection.recv(1000).split()[0].decode().upper()


@pytest.mark.parametrize("tls", [Tls.NONE, Tls.TLS])
async def test_sending_can_be_cancelled(authority: Authority, tls: Tls) -> None:
    """A mail that is cancelled ends at once, and so does its thread, though the server never replies."""
    options = {"tls": authority.server("localhost")} if tls is Tls.TLS else {}
    with MailServer().running(**options) as server:
        server.hangs.set()
        by = transport(server, tls, "localhost" if tls is Tls.TLS else HOST)
        sending = Deferred.fromCoroutine(by.send(ENVELOPE, MAIL))
        while not server.waiting:
            await deferLater(by.reactor, 0.01)
        sending.cancel()
        with pytest.raises(CancelledError):
            await sending
        await threads_end()


async def test_cancelling_before_the_greeting() -> None:
    """A mail that is cancelled while the server has not said anything leaves no thread."""
    with socket.create_server((HOST, 0)) as listening:
        by = transport(MailServer(port=listening.getsockname()[1]))
        sending = Deferred.fromCoroutine(by.send(ENVELOPE, MAIL))
        await deferLater(by.reactor, 0.05)
        sending.cancel()
        with pytest.raises(CancelledError):
            await sending
        await threads_end()


async def threads_end() -> None:
    """Wait until no thread sends a mail any more."""
    from twisted.internet import reactor

    for _ in range(500):
        if not any(thread.name == "smtp" for thread in enumerate_threads()):
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("a thread still runs")
