"""Listens, in a session of its own, to what other nodes commit; and notices when it does not hear them any more."""

import os
import select
from collections.abc import Callable, Collection, Iterable, Mapping
from threading import Thread
from time import monotonic
from typing import Any, Generic, TypeVar

from attrs import define, field
from psycopg import Notify
from psycopg.pq.abc import PGconn
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger

from pushd.model.errors import Unavailable
from pushd.store.postgres.notifications import CHANNEL, Notification
from pushd.store.postgres.session import Connection, Session, reason

T = TypeVar("T")

OnPayload = Callable[[str], None]
"""Called on the reactor's thread with the payload of a notification."""

INTERVAL = 1.0
"""Seconds between two notifications that a node sends itself, to hear whether it still hears."""

MAX_SILENCE = 5.0
"""Seconds without a notification after which the session is given up, and another is opened."""

RETRY_SECONDS = 0.5
"""Seconds between two attempts to listen again."""

ECHO = "pushd_echo"
"""The channel of what nodes send so that they hear something."""


@define(eq=False)
class Listener(Generic[T]):
    """A thread that listens, follows what other nodes have committed, and reports both on the reactor's thread."""

    session: Session
    channels: Mapping[str, OnPayload]
    on_missed: Callable[[float], None]
    """Called when it has begun to listen, again perhaps, with the time since which notifications may have been missed,
    by the monotonic clock.
    """
    follow: Callable[[Connection], T]
    """Called on its thread when other nodes have committed something, or by :meth:`ask`: reads what."""
    on_followed: Callable[[T], None]
    """Called with what was read."""
    on_lost: Callable[[str], None]
    """Called with the reason when it cannot read, or was asked and does not listen."""
    reactor: IReactorFromThreads
    _has_more: bool = field(default=False, init=False)
    """Whether there is something to follow."""
    _is_untaken: bool = field(default=False, init=False)
    """Whether the reactor has yet to take what was read; what is read until then would be the same again, and pile up.
    """
    _asked: bool = field(default=False, init=False)
    _heard_at: float = field(factory=monotonic, init=False)
    """When the reactor last learned of something that was heard, by the monotonic clock."""
    _alive_at: float = field(factory=monotonic, init=False)
    """When the thread last heard something."""
    _wake: tuple[int, int] = field(factory=os.pipe, init=False)
    _closing: bool = field(default=False, init=False)
    _is_listening: bool = field(default=False, init=False)
    _closed: Deferred[None] = field(factory=Deferred, init=False)
    _log = Logger()

    def start(self) -> None:
        """Start the thread; only after twistd has become a daemon."""
        Thread(target=self._loop, name="store-listener", daemon=True).start()

    def close(self) -> Deferred[None]:
        """End the thread and its session."""
        if not self._closing:
            self._closing = True
            self._wake_up()
        return self._closed

    def ask(self) -> None:
        """Follow now; for the reactor's thread."""
        if not (self._asked or self._closing):
            self._asked = True
            self._wake_up()

    def _wake_up(self) -> None:
        os.write(self._wake[1], b"\0")

    @property
    def silence(self) -> float:
        """Seconds since it last heard something, which is about :data:`INTERVAL` at most while it hears; for the
        reactor's thread.
        """
        return monotonic() - self._heard_at

    def _loop(self) -> None:
        while not self._closing:
            try:
                self._listen()
            except Exception as error:  # whatever it is, the thread must go on
                self._give_up(error)
        self.session.close()
        self.reactor.callFromThread(self._close)

    def _close(self) -> None:
        for descriptor in self._wake:
            os.close(descriptor)
        self._closed.callback(None)

    def _give_up(self, error: Exception) -> None:
        self.session.drop()
        if self._is_listening:
            self._is_listening = False
            self._log.warn("Other nodes are not heard: {error}; listening again", error=reason(error))
        if self._is_asked(RETRY_SECONDS):
            self._report(self.on_lost, reason(error))

    def _is_asked(self, seconds: float) -> bool:
        """Whether it is asked within so many seconds."""
        if self._wake[0] in _wait_for([self._wake[0]], seconds):
            os.read(self._wake[0], 100)
        asked, self._asked = self._asked, False
        return asked

    def _listen(self) -> None:
        """Listen until the session is lost, or the listener is closed."""
        connection = self.session.get()
        connection.add_notify_handler(self._on_notify)
        for channel in {ECHO, *self.channels}:
            connection.execute(f"LISTEN {channel}".encode())
        self._alive_at, self._is_listening = monotonic(), True
        self._report(self._begin)
        while not self._closing:
            self.session.renew_plans()
            connection.execute(f"NOTIFY {ECHO}".encode())
            until = monotonic() + INTERVAL
            while not self._closing and (left := until - monotonic()) > 0:
                self._wait(connection.pgconn, left)
                if self._may_follow:
                    self._follow(connection)
                    self._hear_all(connection.pgconn)
            if monotonic() - self._alive_at > MAX_SILENCE:
                raise Unavailable("nothing was heard, not even of this node")

    @property
    def _may_follow(self) -> bool:
        return self._has_more and not self._is_untaken

    def _follow(self, connection: Connection) -> None:
        self._has_more = False
        try:
            followed = self.follow(connection)
        except Exception as error:
            self._report(self.on_lost, reason(error))
            raise
        self._is_untaken = True
        self._report(self._take_followed, followed)

    def _take_followed(self, followed: T) -> None:
        """On the reactor's thread: take what was read, and have more read if there is."""
        try:
            self.on_followed(followed)
        finally:
            self._is_untaken = False
            if self._has_more:  # the thread sets this before it looks at the other: no wake-up is lost
                self._wake_up()

    def _wait(self, pgconn: PGconn, seconds: float) -> None:
        """Wait until something is heard, or it is asked; not at all, if it may follow what was heard before."""
        ready = _wait_for([pgconn.socket, self._wake[0]], 0.0 if self._may_follow else seconds)
        if pgconn.socket in ready:
            pgconn.consume_input()
            self._hear_all(pgconn)
        if self._wake[0] in ready:
            self._has_more |= self._is_asked(0.0)

    def _hear_all(self, pgconn: PGconn) -> None:
        while (found := pgconn.notifies()) is not None:
            self._hear(found.relname.decode(), found.extra.decode())

    def _on_notify(self, notify: Notify) -> None:
        self._hear(notify.channel, notify.payload)

    def _hear(self, channel: str, payload: str) -> None:
        self._alive_at = monotonic()
        if channel == CHANNEL:
            heard = Notification.of_payload(payload)
            if heard.sender == self.session.options.sender:
                return
            if heard.devices is not None:
                self._has_more = True
                return
        self._report(self._take, channel, payload)

    def _begin(self) -> None:
        """On the reactor's thread: it has begun to listen."""
        since, self._heard_at = self._heard_at, monotonic()
        self.on_missed(since)

    def _take(self, channel: str, payload: str) -> None:
        """On the reactor's thread: take a notification."""
        self._heard_at = monotonic()
        if channel in self.channels:
            self.channels[channel](payload)

    def _report(self, call: Callable[..., None], *args: Any) -> None:
        if not self._closing:
            self.reactor.callFromThread(call, *args)


def _wait_for(descriptors: Iterable[int], seconds: float) -> Collection[int]:
    """Those that can be read, after so many seconds at most; a process with many devices has numbers above 1023, which
    ``select`` does not take.
    """
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
