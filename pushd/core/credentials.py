"""API tokens, and how secrets are made and hashed."""

from hashlib import sha256
from secrets import token_urlsafe

from attrs import define, field

from pushd.core.clocks import Clocks
from pushd.model.token import Role, Token
from pushd.model.uuid7 import IdSource
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore

SECRET_BYTES = 24
"""192 random bits."""


def make_secret() -> str:
    """A new secret, safe in a path and in a header."""
    return token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> bytes:
    """The hash under which a secret is stored and looked up.

    A secret with so many random bits needs no salt, and a lookup by hash leaks nothing through its timing.
    """
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


@define(eq=False)
class Tokens:
    """API tokens, by the hash of their secret."""

    store: IStore
    clocks: Clocks
    ids: IdSource
    _tokens: dict[bytes, Token] = field(factory=dict, init=False)

    def load(self, snapshot: StartupSnapshot) -> None:
        """Start with the stored tokens."""
        self._tokens.update((token.digest, token) for token in snapshot.tokens)

    def find(self, secret: str) -> Token | None:
        """The token with this secret."""
        return self._tokens.get(digest(secret))

    async def issue(self, name: str, role: Role) -> str:
        """Make a token, and revoke the older one of the same name; returns its secret, which is not stored.

        It is valid at once, and durable when this returns.
        """
        secret = make_secret()
        token = self.make(name, role, secret)
        self._tokens = {hashed: old for hashed, old in self._tokens.items() if old.name != name}
        self._tokens[token.digest] = token
        await self.store.set_token(token, self.clocks.now())
        return secret

    def make(self, name: str, role: Role, secret: str) -> Token:
        """A token with this secret, which is not stored yet."""
        return Token(id=self.ids.make(), name=name, role=role, digest=digest(secret))
