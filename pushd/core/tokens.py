"""Tokens: who a client is, what it may do, and the end of its waits when its token ends."""

from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NoReturn, Protocol

from attrs import asdict, define, evolve, field
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from pushd.core.clocks import Clocks
from pushd.core.credentials import digest, make_token_secret
from pushd.core.waiters import Waits
from pushd.lib.cancellable_waits import delay
from pushd.model.actor import Actor
from pushd.model.errors import (
    FieldError,
    InvalidFields,
    LastAdmin,
    NameTaken,
    NotAuthenticated,
    OutcomeInDoubt,
    PushdError,
    StoreRefused,
    Unavailable,
    UnknownToken,
)
from pushd.model.timestamps import to_rfc3339
from pushd.model.token import FILE_TOKEN, LAST_ADMIN, Role, Token, TokenSecret, check_limits
from pushd.model.uuid7 import IdSource
from pushd.store.copies import StoredToken
from pushd.store.filters import Principals
from pushd.store.interface import IStore

REFUSAL_DELAY = 1.0
"""Seconds before a wrong token is refused."""

MAX_REFUSALS = 64
"""Clients with a wrong token that wait for their refusal; more are refused at once."""

INVALID_TOKEN = "The token is wrong, revoked or expired."


class ITokenFile(Protocol):
    """The file ``admin.token``."""

    def read_token(self) -> str | None:
        """The secret in the file; None if there is no file.

        :raises StoreRefused: if it cannot be read.
        """

    def write_token(self, secret: str) -> object:
        """Write a secret, durably.

        :raises StoreRefused: if it cannot be written.
        """

    def delete_token(self) -> None:
        """Delete the file, durably, if there is one.

        :raises StoreRefused: if it cannot be deleted.
        """


@define(eq=False)
class Tokens:
    """All tokens, in memory and in the store: found by the hash of a secret, made, changed, rotated and revoked."""

    store: IStore
    clocks: Clocks
    ids: IdSource
    file: ITokenFile
    _tokens: dict[str, Token] = field(factory=dict, init=False)
    """By id."""
    _secrets: dict[str, Sequence[TokenSecret]] = field(factory=dict, init=False)
    """The secrets of each token, by its id."""
    _by_digest: dict[bytes, Token] = field(factory=dict, init=False)
    """By the hash of each secret that is valid; for one that was replaced, a copy that expires with it."""
    _waits: dict[Token, Waits] = field(factory=dict, init=False)
    """By each of those: what waits for a client with it."""
    _used: dict[str, float] = field(factory=dict, init=False)
    """When tokens, by id, were used since that was last saved, in wall seconds."""
    _saved: dict[str, int] = field(factory=dict, init=False)
    """When others were, in wall milliseconds."""
    _refusals: int = field(default=0, init=False)
    _changing_file: DeferredLock = field(factory=DeferredLock, init=False)
    _listeners: list[Callable[[Token], None]] = field(factory=list, init=False)
    _log = Logger()

    def load(self, stored: Principals) -> None:
        """Take over the stored tokens, at the start, and when another process has changed some: these end."""
        secrets: dict[str, list[TokenSecret]] = defaultdict(list)
        for secret in stored.token_secrets:
            secrets[secret.token].append(secret)
        for gone in self._tokens.keys() - {token.id for token in stored.tokens}:
            self._forget(gone)
        for token in stored.tokens:
            self._take_over(StoredToken(token, secrets[token.id]))

    async def read_again(self, token: str) -> None:
        """Take over what the database has of a token: another process has just changed it."""
        stored = await self.store.stored_token(token)
        if stored is None:
            self._forget(token)
        else:
            self._take_over(stored)

    def _take_over(self, stored: StoredToken) -> None:
        token = stored.token
        known = self._tokens.get(token.id)
        if known is None or _lasting(known) != _lasting(token):
            self._keep(token, stored.secrets)
        elif known.revision != token.revision or set(self._secrets[token.id]) != set(stored.secrets):
            self._keep_rotated(token, stored.secrets)

    def subscribe(self, listener: Callable[[Token], None]) -> None:
        """Call ``listener`` with each token that was changed, was revoked, or has expired."""
        self._listeners.append(listener)

    # Who a client is.

    def find(self, secret: str) -> Token | None:
        """The valid token with this secret, which counts as used now."""
        token = self.of_digest(digest(secret))
        if token is not None:
            self._used[token.id] = self.clocks.wall()
        return token

    def of_digest(self, hashed: bytes) -> Token | None:
        """The valid token with a secret whose SHA-256 this is."""
        token = self._by_digest.get(hashed)
        if token is None or (token.expires_elapsed is not None and self._is_expired(token)):
            return None
        return token

    def knows(self, secret: str) -> bool:
        """Whether a secret is one of a token's, expired or not."""
        return digest(secret) in self._by_digest

    async def refuse(self, message: str = INVALID_TOKEN) -> NoReturn:
        """A client has sent a wrong secret: answer that slowly, unless too many wait for it.

        :raises NotAuthenticated: always.
        """
        if self._refusals < MAX_REFUSALS:
            self._refusals += 1
            try:
                await delay(self.clocks.clock, REFUSAL_DELAY)
            finally:
                self._refusals -= 1
        raise NotAuthenticated(message)

    def waits(self, token: Token) -> Waits:
        """What waits for clients of a token, to be added to; it ends with the token.

        :raises NotAuthenticated: if the token was changed or revoked, or has expired, meanwhile.
        """
        waits = self._waits.get(token)
        if waits is None:
            raise NotAuthenticated(INVALID_TOKEN)
        return waits

    def end_expired(self) -> None:
        """End what waits for clients of tokens that have expired; to be called every second."""
        for token in [token for token in self._waits if self._is_expired(token)]:
            self._end(token)

    # Management.

    def all(self) -> Sequence[Token]:
        """All tokens, by id, with when they were last used."""
        return [self._shown(self._tokens[name]) for name in sorted(self._tokens)]

    def get(self, token: str) -> Token:
        """One token, with when it was last used.

        :raises UnknownToken: if there is none.
        """
        return self._shown(self._get(token))

    async def add(self, name: str, role: Role, by: Actor | None = None, **fields: Any) -> tuple[Token, str]:
        """Make a token, with its selectors and ``expires_at``; returns it and its secret, which is not stored.

        :raises InvalidFields: if the role does not take such selectors, or it would have expired already.
        :raises NameTaken: or :exc:`TooManyTokens`.
        """
        check_not_reserved(name)
        self._check(role, fields)
        created_by = None if by is None else by.name
        token, secret = self._make(name, role, created_by=created_by, **fields), make_token_secret()
        hashed = digest(secret)
        token = await self.store.by(by).add_token(token, hashed)
        self._keep(token, [TokenSecret(digest=hashed, token=token.id)])
        return token, secret

    def make_file_token(self) -> Token:
        """A token for ``admin.token``, which is not stored yet."""
        return self._make(FILE_TOKEN, Role.ADMIN)

    async def change(self, token: str, changes: Mapping[str, Any], by: Actor | None = None) -> Token:
        """Change the name, selectors or ``expires_at`` of a token; what waits for its clients ends.

        :raises UnknownToken: or :exc:`InvalidFields`, :exc:`NameTaken`, :exc:`LastAdmin`.
        """
        before = self._get(token)
        name = changes.get("name", before.name)
        if name != before.name:
            check_not_reserved(name)
            check_not_reserved(before.name)
        self._check(before.role, changes)
        after = await self.store.by(by).change_token(token, changes)
        self._keep(after, self._secrets[token])
        return self._shown(after)

    async def rotate(self, token: str, overlap: float, by: Actor | None = None) -> tuple[Token, str]:
        """Give a token a new secret, and return both; the current secret stays valid for ``overlap`` seconds.

        :raises UnknownToken: if there is none.
        """
        found, secret = self._get(token), make_token_secret()

        async def rotate() -> None:
            stored = await self.store.by(by).rotate_token(token, digest(secret), overlap)
            self._get(token)  # it may have been revoked meanwhile
            self._keep_rotated(stored.token, stored.secrets)

        await self._with_file(found, lambda: self.file.write_token(secret), rotate)
        return self.get(token), secret

    async def delete(self, token: str, by: Actor | None = None) -> None:
        """Revoke a token.

        :raises UnknownToken: if there is none.
        :raises LastAdmin: if it is the last one of an admin that does not expire.
        """
        found = self._get(token)
        if [each for each in self._tokens.values() if each.is_lasting_admin] == [found]:
            raise LastAdmin(LAST_ADMIN)  # as the store does, but before the file is deleted

        async def delete() -> None:
            await self.store.by(by).delete_token(token)
            self._forget(token)
            self._used.pop(token, None)
            self._saved.pop(token, None)

        await self._with_file(found, self.file.delete_token, delete)

    async def save_uses(self) -> None:
        """Save when tokens were last used; to be called every minute, and at the end."""
        uses = {name: round(seconds * 1000) for name, seconds in self._used.items()}
        if uses:
            await self.store.save_token_uses(uses)
            self._saved |= {name: used for name, used in uses.items() if name in self._tokens}
            self._used = {name: used for name, used in self._used.items() if round(used * 1000) != uses.get(name)}

    def _make(self, name: str, role: Role, **fields: Any) -> Token:
        expires_at, now = fields.get("expires_at"), self.clocks.now()
        return Token(
            id=self.ids.make(now.wall),
            name=name,
            role=role,
            expires_elapsed=None if expires_at is None else now.elapsed_at(expires_at),
            created_at=now.wall,
            **fields,
        )

    def _check(self, role: Role, fields: Mapping[str, Any]) -> None:
        """Check what a token with this role is to have."""
        errors = check_limits(role, fields)
        expires_at, now = fields.get("expires_at"), self.clocks.wall_now()
        if expires_at is not None and expires_at <= now:
            errors.append(FieldError("#/expires_at", f"must be in the future; it is {to_rfc3339(now)} now"))
        if errors:
            raise InvalidFields(errors)

    async def _with_file(
        self, token: Token, change_file: Callable[[], object], change: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Make a change; if the secret of the token is in ``admin.token``, the file is changed first, so that the
        file never has a secret that was valid, and is not. One such change after the other: each that fails puts
        back what the file had before.
        """
        if not token.is_file:
            await change()
            return
        async with self._changing_file:
            self._get(token.id)  # it may have been revoked meanwhile
            try:
                before = self.file.read_token()
                change_file()
            except StoreRefused as error:
                raise Unavailable(str(error)) from error
            try:
                await change()
            except OutcomeInDoubt:
                raise
            except PushdError:
                self._put_back(before)
                raise

    def _put_back(self, secret: str | None) -> None:
        """Let ``admin.token`` have this secret again; with None, there was no file."""
        try:
            if secret is None:
                self.file.delete_token()
            else:
                self.file.write_token(secret)
        except StoreRefused as error:
            self._log.error("admin.token holds another secret than before: {error}", error=str(error))

    def _get(self, token: str) -> Token:
        found = self._tokens.get(token)
        if found is None:
            raise UnknownToken(f"No token {token} is known; it may have been revoked.")
        return found

    def _shown(self, token: Token) -> Token:
        """A token with when it was last used."""
        used = self._used.get(token.id)
        last = self._saved.get(token.id, token.last_used_at) if used is None else round(used * 1000)
        return evolve(token, last_used_at=last)

    def _is_expired(self, token: Token) -> bool:
        return token.expires_elapsed is not None and token.expires_elapsed <= self.clocks.elapsed_now()

    def _keep(self, token: Token, secrets: Sequence[TokenSecret]) -> None:
        """Keep a new or changed token with its secrets."""
        self._forget(token.id)
        self._tokens[token.id], self._secrets[token.id] = token, secrets
        for secret in secrets:
            found = self._by_digest[secret.digest] = _found_by(token, secret)
            self._waits[found] = Waits()

    def _keep_rotated(self, token: Token, secrets: Sequence[TokenSecret]) -> None:
        """Keep a token that has another secret; what waits for clients with one that is still valid goes on."""
        waits = {
            secret.digest: self._waits.pop(self._by_digest[secret.digest], Waits())
            for secret in secrets
            if secret.digest in self._by_digest
        }
        self._keep(token, secrets)
        for hashed, waiting in waits.items():
            self._waits[self._by_digest[hashed]] = waiting

    def _forget(self, token: str) -> None:
        self._tokens.pop(token, None)
        for secret in self._secrets.pop(token, ()):
            self._end(self._by_digest.pop(secret.digest))

    def _end(self, token: Token) -> None:
        """What waits for clients of a token ends."""
        waits = self._waits.pop(token, None)
        if waits is not None:
            waits.end()
        for listener in self._listeners:
            listener(token)


def check_not_reserved(name: str) -> None:
    """:raises NameTaken: if a name is that of the token in ``admin.token``."""
    if name == FILE_TOKEN:
        raise NameTaken(f"The name {FILE_TOKEN} is reserved for the token in admin.token.")


def _lasting(token: Token) -> dict[str, Any]:
    """What of a token changes only if it is changed, but for its secrets."""
    return asdict(evolve(token, last_used_at=None, revision=None), recurse=False)


def _found_by(token: Token, secret: TokenSecret) -> Token:
    """What is found by a secret: the token; if the secret expires before it, a copy that does so, too."""
    if secret.expires_at is None:
        return token
    expires = secret.expires_at if token.expires_elapsed is None else min(secret.expires_at, token.expires_elapsed)
    return evolve(token, expires_elapsed=expires)
