"""A real mail server for tests, on a thread of its own, which answers as it is told to."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as MAIL
from functools import partial
from threading import Event, Thread
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from attrs import define, field, frozen

HOST = "127.0.0.1"
PATIENCE = 20.0
"""Seconds in which a mail of these tests should have come."""


@frozen
class Received:
    """A mail as it came."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def mail(self) -> EmailMessage:
        """The mail, read."""
        return message_from_bytes(self.content, policy=MAIL)


@define(eq=False)
class MailServer:
    """What came, and what is said; an answer is said once for each time that it is in the list."""

    mails: list[Received] = field(factory=list)
    answers: dict[str, list[str]] = field(factory=dict)
    """What is said to a recipient's address, to ``MAIL`` and to ``DATA``; else it is 250."""
    passwords: dict[str, str] = field(factory=dict)
    hangs: Event = field(factory=Event)
    """Whether it says nothing more once it has a mail's content."""
    waiting: bool = False
    """Whether somebody waits for its answer, and may for long."""
    connections: int = 0
    port: int = 0
    _protocols: list[SMTP] = field(factory=list)
    _loop: asyncio.AbstractEventLoop = field(init=False)

    def __len__(self) -> int:
        return len(self.mails)

    async def handle_MAIL(self, _s: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        """A sender."""
        envelope.mail_from = address
        return self._answer("MAIL")

    async def handle_RCPT(self, _s: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        """A recipient."""
        answer = self._answer(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _s: Any, _session: Any, envelope: Any) -> str:
        """A mail's content."""
        while self.hangs.is_set():
            self.waiting = True
            await asyncio.sleep(0.01)
        answer = self._answer("DATA")
        if answer.startswith("250"):
            self.mails.append(Received(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content))
        return answer

    def authenticate(self, _s: Any, _session: Any, _envelope: Any, _mechanism: str, shown: Any) -> AuthResult:
        """Whether a password is the right one."""
        right = (
            isinstance(shown, LoginPassword) and self.passwords.get(shown.login.decode()) == shown.password.decode()
        )
        return AuthResult(success=right, handled=False)

    @contextmanager
    def running(self, **options: Any) -> Iterator["MailServer"]:
        """Listen, on the same port as the last time if there was one, until the block ends."""
        started = Event()
        thread = Thread(target=self._serve, args=(partial(self._build, options), options.pop("tls", None), started))
        thread.start()
        try:
            assert started.wait(PATIENCE)
            yield self
        finally:
            self.hangs.clear()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()

    def _build(self, options: dict[str, Any]) -> SMTP:
        self.connections += 1
        protocol = SMTP(self, hostname="mail.test", loop=self._loop, authenticator=self.authenticate, **options)
        self._protocols.append(protocol)
        return protocol

    def _answer(self, what: str) -> str:
        waiting = self.answers.get(what)
        return waiting.pop(0) if waiting else "250 OK"

    def _serve(self, build: Callable[[], SMTP], tls: ssl.SSLContext | None, started: Event) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(build, HOST, self.port, ssl=tls))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        server.close()
        for protocol in self._protocols:
            if isinstance(protocol.transport, asyncio.Transport):
                protocol.transport.abort()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(server.wait_closed())
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()
