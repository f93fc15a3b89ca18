"""Tokens: who may use the admin port."""

from attrs import define, field

from pushd.core.clocks import Clocks
from pushd.core.secrets import digest, make_secret
from pushd.model.token import Role, Token
from pushd.model.uuid7 import IdSource
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore


@define(eq=False)
class Tokens:
    """Tokens by the hash of their secret."""

    store: IStore
    clocks: Clocks
    ids: IdSource
    _tokens: dict[bytes, Token] = field(factory=dict, init=False)

    def load(self, known: StartupSnapshot) -> None:
        """Start from what the store knows."""
        self._tokens.update((token.digest, token) for token in known.tokens)

    def find(self, secret: str) -> Token | None:
        """The token with this secret, looked up by its hash."""
        return self._tokens.get(digest(secret))

    async def issue(self, name: str, role: Role) -> str:
        """Make a token, and revoke the one of the same name; the secret is shown only here."""
        secret = make_secret()
        await self.set(name, role, secret)
        return secret

    async def set(self, name: str, role: Role, secret: str) -> None:
        """Make ``secret`` the token of this name, at once; it outlives this process once that is durable."""
        token = Token(id=self.ids.make(), name=name, role=role, digest=digest(secret))
        self._tokens = {hashed: old for hashed, old in self._tokens.items() if old.name != name}
        self._tokens[token.digest] = token
        await self.store.set_token(token, self.clocks.now())
