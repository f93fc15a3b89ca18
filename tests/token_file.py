"""``admin.token`` in memory, and the token that the start of a server makes for it."""

from attrs import define

from pushd.core.credentials import digest
from pushd.core.tokens import Tokens
from pushd.model.errors import StoreRefused
from pushd.model.token import Token
from tests.results import result_of


@define(eq=False)
class MemoryTokenFile:
    """The secret in the file; None if there is no file."""

    secret: str | None = None
    is_read_only: bool = False

    def read_token(self) -> str | None:
        """The secret in the file."""
        return self.secret

    def write_token(self, secret: str) -> None:
        """Write a secret."""
        self._change(secret)

    def delete_token(self) -> None:
        """Delete the file."""
        self._change(None)

    def _change(self, secret: str | None) -> None:
        if self.is_read_only:
            raise StoreRefused("admin.token cannot be written: Read-only file system.")
        self.secret = secret


def add_file_token(tokens: Tokens, secret: str) -> Token:
    """Store the token of the file, and load it as the start of a server does."""
    token, hashed = tokens.make_file_token(), digest(secret)
    result_of(tokens.store.add_token(token, hashed))
    tokens.load(result_of(tokens.store.principals()))
    return token
