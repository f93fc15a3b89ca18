"""A real mail server for tests, in a thread of its own, with replies that the test chooses."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as MAIL
from functools import partial
from threading import Event, Thread
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from attrs import define, field, frozen

HOST = "127.0.0.1"
START_TIMEOUT = 20.0
"""Seconds in which the server must have started."""


@frozen
class Received:
    """A mail as it was received."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def mail(self) -> EmailMessage:
        """The parsed mail."""
        return message_from_bytes(self.content, policy=MAIL)


@define(eq=False)
class MailServer:
    """Keeps the mails that it accepts; each reply in ``replies`` is given once."""

    mails: list[Received] = field(factory=list)
    replies: dict[str, list[str]] = field(factory=dict)
    """The replies to a recipient's address, to ``MAIL`` and to ``DATA``, in order; then 250."""
    passwords: dict[str, str] = field(factory=dict)
    hangs: Event = field(factory=Event)
    """While it is set, the server does not reply to a mail's content."""
    waiting: bool = False
    """Whether a client waits for a reply that does not come."""
    connections: int = 0
    port: int = 0
    _protocols: list[SMTP] = field(factory=list)
    _loop: asyncio.AbstractEventLoop = field(init=False)

    def __len__(self) -> int:
        return len(self.mails)

    async def handle_MAIL(self, _s: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        """Reply to a sender."""
        envelope.mail_from = address
        return self._reply("MAIL")

    async def handle_RCPT(self, _s: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        """Reply to a recipient."""
        reply = self._reply(address)
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _s: Any, _session: Any, envelope: Any) -> str:
        """Reply to a mail's content."""
        while self.hangs.is_set():
            self.waiting = True
            await asyncio.sleep(0.01)
        reply = self._reply("DATA")
        if reply.startswith("250"):
            self.mails.append(Received(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content))
        return reply

    def authenticate(self, _s: Any, _session: Any, _envelope: Any, _mechanism: str, shown: Any) -> AuthResult:
        """Check a password."""
        right = (
            isinstance(shown, LoginPassword) and self.passwords.get(shown.login.decode()) == shown.password.decode()
        )
        return AuthResult(success=right, handled=False)

    @contextmanager
    def running(self, **options: Any) -> Iterator["MailServer"]:
        """Listen until the block ends, on the same port as the last time, if there was one."""
        started = Event()
        thread = Thread(target=self._serve, args=(partial(self._build, options), options.pop("tls", None), started))
        thread.start()
        try:
            assert started.wait(START_TIMEOUT)
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

    def _reply(self, what: str) -> str:
        waiting = self.replies.get(what)
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
                with suppress(AttributeError):  # asyncio's, of a TLS transport that was closed twice
                    protocol.transport.abort()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(server.wait_closed())
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()
