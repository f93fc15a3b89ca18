"""Tests of :mod:`pushd.notifications.mail.smtp`, against a real mail server."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock, LoopingCall, deferLater
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pushd.notifications.mail.message import Envelope
from pushd.notifications.mail.smtp import Conversation, SmtpCarrier, SmtpError, SmtpResult, SmtpServer, Tls
from tests.notifications.certificates import Authority
from tests.notifications.mailserver import HOST, MailServer

ANA, BOB = "ana@example.org", "bob@example.org"
MAIL = (
    b"Subject: hello\r\n\r\n.\r\n..two dots\r\n"
    + b"a line that is sixty-two bytes long, and is repeated very often\r\n" * 600
)
EVERYBODY = Envelope(sender="pushd@example.org", recipients=(ANA, BOB))
GOOD = SmtpResult(refused={}, deferred={})


def carrier(
    server: MailServer, tls: Tls = Tls.NONE, host: str = HOST, patience: float = 10, **login: str
) -> SmtpCarrier:
    """Who brings mails to a server."""
    from twisted.internet import reactor

    return SmtpCarrier(SmtpServer(host=host, port=server.port, tls=tls, **login), reactor, patience)


async def refusal(by: SmtpCarrier) -> str:
    """Why the mail was not taken."""
    with pytest.raises(SmtpError) as refused:
        await by.send(EVERYBODY, MAIL)
    return str(refused.value)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this machine trusts."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A server without anything special."""
    with MailServer().running() as server:
        yield server


async def test_mail_arrives_as_it_is(server: MailServer) -> None:
    """A mail arrives once, byte for byte, at all of its recipients, lines that are dots included."""
    assert await carrier(server).send(EVERYBODY, MAIL) == GOOD
    (received,) = server.mails
    assert (received.sender, received.recipients) == (EVERYBODY.sender, (ANA, BOB))
    assert received.content == MAIL


@pytest.mark.parametrize("shift", range(-2, 3))
async def test_dot_where_a_chunk_ends_is_not_lost(server: MailServer, shift: int) -> None:
    """A mail that is sent in pieces arrives whole, even if a line that begins with a dot begins a piece."""
    line = b"x" * 62 + b"\r\n"
    mail = line * 255 + b"x" * (62 + shift) + b"\r\n.dot\r\n"
    assert mail.index(b".") == 2**14 + shift
    await carrier(server).send(EVERYBODY, mail)
    assert server.mails[0].content == mail


async def test_way_is_secured_by_starttls(authority: Authority) -> None:
    """With STARTTLS the mail goes over TLS, to a server whose certificate is for its name."""
    with MailServer().running(tls_context=authority.server("localhost"), require_starttls=True) as server:
        assert await carrier(server, Tls.STARTTLS, "localhost").send(EVERYBODY, MAIL) == GOOD
    assert len(server) == 1


async def test_way_is_secured_from_the_start(authority: Authority) -> None:
    """With TLS from the start the mail goes to a server whose certificate is for its name."""
    with MailServer().running(tls=authority.server("localhost")) as server:
        assert await carrier(server, Tls.TLS, "localhost").send(EVERYBODY, MAIL) == GOOD
    assert len(server) == 1


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.TLS])
async def test_certificate_for_another_name_is_not_trusted(authority: Authority, tls: Tls) -> None:
    """A server that shows a certificate of somebody else is told nothing."""
    context = authority.server("elsewhere.test")
    options: dict[str, Any] = {"tls": context} if tls is Tls.TLS else {"tls_context": context}
    with MailServer(passwords={"us": "secret"}).running(**options) as server:
        said = await refusal(carrier(server, tls, "localhost", user="us", password="secret"))
    assert "localhost" in said
    assert "DNSMismatch" in said
    assert not server.mails


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.TLS])
async def test_certificate_of_nobody_known_is_not_trusted(tmp_path: Path, tls: Tls) -> None:
    """A server whose certificate is signed by nobody whom this machine trusts is told nothing."""
    context = Authority(tmp_path).server("localhost")
    options: dict[str, Any] = {"tls": context} if tls is Tls.TLS else {"tls_context": context}
    with MailServer().running(**options) as server:
        assert "certificate verify failed" in await refusal(carrier(server, tls, "localhost"))
    assert not server.mails


async def test_server_without_starttls_gets_no_mail(server: MailServer) -> None:
    """A server that does not offer STARTTLS, or from which somebody hid that it does, is told nothing."""
    assert "does not support secure communication" in await refusal(carrier(server, Tls.STARTTLS))
    assert not server.mails


async def test_right_password_lets_us_in(authority: Authority) -> None:
    """A server that knows us by name and password takes our mails."""
    options = {"tls_context": authority.server("localhost"), "auth_required": True}
    with MailServer(passwords={"us": "sécret"}).running(**options) as server:
        assert (
            await carrier(server, Tls.STARTTLS, "localhost", user="us", password="sécret").send(EVERYBODY, MAIL)
            == GOOD
        )


async def test_wrong_password_is_told_and_not_shown(authority: Authority) -> None:
    """A wrong password is the server's to refuse, in words in which it does not stand."""
    with MailServer(passwords={"us": "secret"}).running(tls_context=authority.server("localhost")) as server:
        said = await refusal(carrier(server, Tls.STARTTLS, "localhost", user="us", password="wrong-one"))
    assert "535" in said
    assert "wrong-one" not in said
    assert "d3Jvbmctb25l" not in said
    assert not server.mails


async def test_server_that_wants_no_password_is_suspicious(server: MailServer) -> None:
    """If we are to show who we are, and the server offers no way to, it gets no mail."""
    assert "Authentication" in await refusal(carrier(server, user="us", password="secret"))


async def test_recipients_are_refused_one_by_one(server: MailServer) -> None:
    """Who is refused, for good or for now, does not keep the mail from the others."""
    server.answers = {ANA: ["550 no such user"], BOB: ["250 OK"]}
    assert await carrier(server).send(EVERYBODY, MAIL) == SmtpResult(refused={ANA: "550 no such user"}, deferred={})
    server.answers = {ANA: ["250 OK"], BOB: ["451 try again"]}
    assert await carrier(server).send(EVERYBODY, MAIL) == SmtpResult(refused={}, deferred={BOB: "451 try again"})
    assert [mail.recipients for mail in server.mails] == [(BOB,), (ANA,)]


async def test_nobody_may_have_it(server: MailServer) -> None:
    """A mail that all recipients refuse is not sent."""
    server.answers = {ANA: ["550 no"], BOB: ["450 later"]}
    assert await carrier(server).send(EVERYBODY, MAIL) == SmtpResult(
        refused={ANA: "550 no"}, deferred={BOB: "450 later"}
    )
    assert not server.mails


@pytest.mark.parametrize(("answer", "kind"), [("554 spam", "refused"), ("452 full", "deferred")])
async def test_content_is_refused(server: MailServer, answer: str, kind: str) -> None:
    """A mail whose content is refused is refused for all whom the server would have taken it for."""
    server.answers = {"DATA": [answer], BOB: ["550 no"]}
    taken = await carrier(server).send(EVERYBODY, MAIL)
    assert getattr(taken, kind)[ANA] == answer
    assert taken.refused[BOB] == "550 no"


async def test_sender_is_refused(server: MailServer) -> None:
    """A server that does not take mails from us says nothing about the recipients."""
    server.answers = {"MAIL": ["553 not you"]}
    assert "takes no mail from pushd@example.org: 553 not you" in await refusal(carrier(server))


async def test_server_is_away() -> None:
    """Where nobody listens, no mail is taken."""
    with socket.create_server((HOST, 0)) as listening:
        away = MailServer(port=listening.getsockname()[1])
    assert f"{HOST}:{away.port} cannot be reached" in await refusal(carrier(away))


async def test_silent_server_is_left(server: MailServer) -> None:
    """A server that has the mail and says nothing is left; whether it took it nobody knows."""
    server.hangs.set()
    assert "did not answer within 0.3 s" in await refusal(carrier(server, patience=0.3))


async def test_server_that_never_greets_is_left() -> None:
    """A server that takes the connection and says nothing is left, too."""
    with socket.create_server((HOST, 0)) as listening:
        mute = MailServer(port=listening.getsockname()[1])
        assert "did not answer within 0.2 s" in await refusal(carrier(mute, patience=0.2))


async def test_server_that_drips_is_left() -> None:
    """A server that goes on talking, and never comes to its point, is left as well."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    listening = reactor.listenTCP(0, Factory.forProtocol(Dripping), interface=HOST)
    by = carrier(MailServer(port=listening.getHost().port))
    by.conversation = 0.3
    assert "took longer than 0.3 s" in await refusal(by)
    await listening.stopListening()


class Dripping(Protocol):
    """A greeting without an end."""

    def connectionMade(self) -> None:
        """Begin to talk."""
        self.call = LoopingCall(self.talk)
        self.call.start(0.02)

    def talk(self) -> None:
        """Another line."""
        assert self.transport is not None
        self.transport.write(b"220-and\r\n")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Be silent."""
        self.call.stop()


def test_words_in_the_clear_are_not_taken_for_secured_ones(clock: Clock) -> None:
    """What somebody on the way puts behind the server's permission to begin TLS is not read as said within it."""
    transport = Transport()
    server = SmtpServer(host="localhost", port=25, tls=Tls.STARTTLS)
    conversation = Conversation(server, EVERYBODY, MAIL, 30)
    vars(conversation)["callLater"] = clock.callLater
    conversation.makeConnection(transport)
    conversation.dataReceived(b"220 hello\r\n250-mail.test\r\n250 STARTTLS\r\n")
    conversation.dataReceived(b"220 go ahead\r\n250 I am the server, trust me\r\n")
    said = [line.split()[0] for line in transport.value().splitlines()]
    assert said == [b"EHLO", b"STARTTLS", b"EHLO"]
    conversation.connectionLost()
    conversation.taken.addErrback(lambda failure: failure.trap(SmtpError))


class Transport(StringTransport):
    """A transport that can be secured."""

    def startTLS(self, context: object) -> None:
        """See :class:`twisted.internet.interfaces.ITLSTransport`."""


async def test_sending_can_be_cancelled(server: MailServer) -> None:
    """Who no longer wants to send hangs up at once."""
    server.hangs.set()
    by = carrier(server)
    sending = Deferred.fromCoroutine(by.send(EVERYBODY, MAIL))
    while not server.waiting:
        await deferLater(by.reactor, 0.01)
    sending.cancel()
    with pytest.raises(CancelledError):
        await sending
