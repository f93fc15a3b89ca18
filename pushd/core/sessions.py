"""Sessions: log-ins to the dashboard, found by the secrets in their cookies, and ended."""

from collections.abc import Sequence

from attrs import define, evolve, field, frozen

from pushd.core.clients import Client, Means
from pushd.core.clocks import Clocks
from pushd.core.credentials import csrf_token, digest, make_secret
from pushd.core.people import People
from pushd.core.tokens import Tokens
from pushd.core.waiters import Waits
from pushd.model.actor import Actor
from pushd.model.errors import NotPermitted, UnknownSession
from pushd.model.person import Invitation, Person
from pushd.model.session import MAX_SESSIONS, Session
from pushd.model.timestamps import Now
from pushd.model.token import Principal, Role
from pushd.model.uuid7 import IdSource
from pushd.store.filters import Principals
from pushd.store.interface import IStore


@frozen(kw_only=True)
class Browser:
    """From where a log-in comes, as far as it is known."""

    address: str | None
    user_agent: str | None


@define(eq=False)
class Sessions:
    """All sessions, in memory and in the store."""

    store: IStore
    clocks: Clocks
    ids: IdSource
    tokens: Tokens
    people: People
    _sessions: dict[str, Session] = field(factory=dict, init=False)
    """By id; some may have ended."""
    _by_digest: dict[bytes, Session] = field(factory=dict, init=False)
    _used: dict[str, Now] = field(factory=dict, init=False)
    """When sessions, by id, were last used by this process."""
    _saved: dict[str, Now] = field(factory=dict, init=False)
    """What of that is saved."""
    _waits: dict[str, tuple[Principal, Waits]] = field(factory=dict, init=False)
    """What waits for clients of sessions, by id, and who these were when they began to wait."""

    def __attrs_post_init__(self) -> None:
        self.tokens.subscribe(self._end_waits)
        self.people.subscribe(self._on_person_end)

    def load(self, stored: Principals) -> None:
        """Take over the stored sessions, at the start, and when another process has changed some."""
        sessions = {session.id: session for session in stored.sessions}
        for gone in self._sessions.keys() - sessions.keys():
            self._forget(self._sessions[gone])
        for session in sessions.values():
            self._keep(session)

    # Who a client is.

    def find(self, secret: str) -> Client | None:
        """The client with this secret in its cookie, whose session counts as used now; None if there is none."""
        session = self._by_digest.get(digest(secret))
        principal = None if session is None else self.principal(session)
        if session is None or principal is None:
            return None
        self._used[session.id] = self.clocks.now()
        return Client(principal, self._waits_of(session, principal), Means.SESSION, csrf_token(secret), session)

    def principal(self, session: Session) -> Principal | None:
        """Whose session it is; None if it has ended."""
        if self._with_use(session).ends_elapsed <= self.clocks.elapsed_now():
            return None
        if session.token_digest is not None:
            return self.tokens.of_digest(session.token_digest)
        return self.people.find(session.person or "")

    def end_expired(self) -> None:
        """End what waits for clients of sessions that have ended; to be called every second.

        While something waits, such as an event stream, the session is in use.
        """
        for name, (_, waits) in list(self._waits.items()):
            session = self._sessions[name]
            if self.principal(session) is None:
                self._forget(session)
            elif waits:
                self._used[name] = self.clocks.now()

    # Log-ins.

    async def log_in_by_token(self, secret: str, browser: Browser, replaced: Session | None) -> str | None:
        """Log in with the secret of a token; a session that this browser had before ends. Returns the secret for the
        cookie, which is not stored; None if the secret of the token is wrong.

        :raises NotPermitted: if the token is a key of devices.
        """
        token = self.tokens.find(secret)
        if token is None:
            return None
        if token.role is Role.DEVICE:
            raise NotPermitted(f"The token {token.name} is an API key of devices, and cannot log in.")
        return await self._add(token, browser, replaced, token_digest=digest(secret))

    async def log_in_by_invitation(self, secret: str, browser: Browser, replaced: Session | None) -> str | None:
        """The same with the secret of an invitation, which is used up.

        :raises NotAuthenticated: if it was used meanwhile.
        """
        invitation = self.people.find_invitation(secret)
        if invitation is None:
            return None
        person = self.people.get(invitation.person)
        cookie = await self._add(person, browser, replaced, invitation=invitation)
        self.people.forget_invitation(invitation)
        return cookie

    async def _add(
        self,
        principal: Principal,
        browser: Browser,
        replaced: Session | None,
        *,
        token_digest: bytes | None = None,
        invitation: Invitation | None = None,
    ) -> str:
        now, secret = self.clocks.now(), make_secret()
        session = Session(
            id=self.ids.make(now.wall),
            digest=digest(secret),
            token_digest=token_digest,
            person=None if invitation is None else invitation.person,
            address=browser.address,
            user_agent=browser.user_agent,
            created_at=now.wall,
            last_used_at=now.wall,
            created_elapsed=now.elapsed,
            used_elapsed=now.elapsed,
        )
        ended = self._ended_by_log_in(principal, replaced)
        by = Actor(name=principal.name, address=browser.address)
        await self.store.by(by).add_session(session, invitation, [each.id for each in ended])
        for each in ended:
            if each.id in self._sessions:
                self._forget(each)
        self._keep(session)
        return secret

    def _ended_by_log_in(self, principal: Principal, replaced: Session | None) -> Sequence[Session]:
        """The sessions that end because there is a new one: that which it replaces, and those that are too many."""
        others = [
            session
            for session in self._sessions.values()
            if session is not replaced and (other := self.principal(session)) and other.name == principal.name
        ]
        others.sort(key=lambda session: self._with_use(session).used_elapsed)
        too_many = others[: max(len(others) + 1 - MAX_SESSIONS, 0)]
        return too_many if replaced is None else [replaced, *too_many]

    # Management.

    def all(self) -> Sequence[tuple[Session, Principal]]:
        """All sessions, by id, with whose they are and when they were last used."""
        return [
            (self._with_use(self._sessions[name]), principal)
            for name in sorted(self._sessions)
            if (principal := self.principal(self._sessions[name])) is not None
        ]

    def get(self, session: str) -> tuple[Session, Principal]:
        """One session.

        :raises UnknownSession: if there is none.
        """
        found = self._sessions.get(session)
        principal = None if found is None else self.principal(found)
        if found is None or principal is None:
            raise UnknownSession(f"No session {session} is known; it may have ended.")
        return self._with_use(found), principal

    async def end(self, session: str, by: Actor) -> None:
        """End a session, and what waits for its client.

        :raises UnknownSession: if there is none.
        """
        self.get(session)
        await self.store.by(by).delete_session(session)
        if session in self._sessions:
            self._forget(self._sessions[session])

    async def save_uses(self) -> None:
        """Save when sessions were last used, learn when they were by way of other processes, and drop those that have
        ended; to be called every minute, and at the end.
        """
        uses = {name: at for name, at in self._used.items() if at is not self._saved.get(name)}
        for session in await self.store.save_session_uses(uses):
            if session.id in self._sessions:
                self._keep(session)
        self._saved |= {name: at for name, at in uses.items() if name in self._sessions}
        for session in [each for each in self._sessions.values() if self.principal(each) is None]:
            self._forget(session)

    def _with_use(self, session: Session) -> Session:
        """A session with when it was last used."""
        used = self._used.get(session.id)
        if used is None or used.elapsed <= session.used_elapsed:
            return session
        return evolve(session, last_used_at=used.wall, used_elapsed=used.elapsed)

    def _keep(self, session: Session) -> None:
        self._sessions[session.id] = self._by_digest[session.digest] = session

    def _forget(self, session: Session) -> None:
        """A session has ended, and what waits for its client ends."""
        del self._sessions[session.id], self._by_digest[session.digest]
        self._used.pop(session.id, None)
        self._saved.pop(session.id, None)
        _, waits = self._waits.pop(session.id, (None, None))
        if waits is not None:
            waits.end()

    def _waits_of(self, session: Session, principal: Principal) -> Waits:
        """What waits for clients of a session, to be added to."""
        admitted, waits = self._waits.get(session.id, (None, None))
        if waits is None or admitted is not principal:
            waits = Waits()
            self._waits[session.id] = (principal, waits)
        return waits

    def _on_person_end(self, person: Person) -> None:
        """A person was changed, or deleted: then the sessions end."""
        self._end_waits(person)
        if self.people.find(person.name) is None:
            for session in [each for each in self._sessions.values() if each.person == person.name]:
                self._forget(session)

    def _end_waits(self, principal: Principal) -> None:
        """A token or a person was changed or has ended: what waits in their sessions ends."""
        for name, (admitted, waits) in list(self._waits.items()):
            if admitted is principal:
                del self._waits[name]
                waits.end()
