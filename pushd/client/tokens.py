"""Tokens: who may use the API, and for what."""

from collections.abc import Iterator
from typing import Unpack

from attrs import define

from pushd.client.api import Api, given, to_json
from pushd.client.fields import TokenChanges, TokenLimits
from pushd.client.values import IssuedToken, Token
from pushd.model.admin_api import decimal


@define(eq=False)
class Tokens:
    """The tokens of a server, as ``client.tokens``; its calls need a token of an admin.

    Calls that make a secret, and those that delete, are not repeated if the server may have received them: the secret
    would be lost, or nothing found.
    """

    _api: Api

    def list(self) -> Iterator[Token]:
        """All tokens; their secrets are not stored."""
        return self._api.items(Token, "tokens")

    def get(self, token: str) -> Token:
        """One token, by its id."""
        return self._api.read(Token, "GET", "tokens", token)

    def create(self, name: str, role: str, **limits: Unpack[TokenLimits]) -> IssuedToken:
        """Make a token, whose secret is shown only now; ``role`` is one of :class:`~pushd.model.token.Role`."""
        body = {"name": name, "role": role, **given(limits)}
        return self._api.read(IssuedToken, "POST", "tokens", body=body, may_repeat=False)

    def change(self, token: str, **changes: Unpack[TokenChanges]) -> Token:
        """Change the name of a token, and what limits it; streams and waits with the token end."""
        return self._api.read(Token, "PATCH", "tokens", token, body=to_json(changes))

    def rotate(self, token: str, *, overlap: float = 0) -> IssuedToken:
        """Replace the secret of a token; the old one stays valid for ``overlap`` seconds."""
        query = [("overlap", decimal(overlap))]
        return self._api.read(IssuedToken, "POST", "tokens", token, "rotate", query=query, may_repeat=False)

    def delete(self, token: str) -> None:
        """Revoke a token at once; this cannot be undone."""
        self._api.call("DELETE", "tokens", token, may_repeat=False)
