"""Clients of the admin port: who each of them is, and what waits for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from attrs import frozen

from pushd.core.waiters import Waits
from pushd.model.errors import NotAuthenticated
from pushd.model.session import Session
from pushd.model.token import Principal, Token, TokenRevision


class Means(StrEnum):
    """How a client shows who it is."""

    TOKEN = "token"
    SESSION = "session"
    PROXY = "proxy"


@frozen(eq=False)
class Client:
    """Who sends a request."""

    principal: Principal
    waits: Waits
    """What waits for it, to be added to; it ends when the client may no longer do what it may now."""
    means: Means = Means.TOKEN
    csrf_token: str | None = None
    """What its changes must carry if a browser authenticates them by itself, at the request of any page."""
    session: Session | None = None

    @property
    def name(self) -> str:
        """By which commands, events and the audit log know it."""
        return self.principal.name

    @property
    def token(self) -> TokenRevision | None:
        """The token that admits it, if another process may change that."""
        return self.principal.known_revision if isinstance(self.principal, Token) else None

    def check(self) -> None:
        """Check that the client still may do what it could when it sent the request.

        :raises NotAuthenticated: if its token or session was changed or has ended.
        """
        if self.waits.has_ended:
            raise NotAuthenticated("What you may do was changed, or has ended, meanwhile.")

    @contextmanager
    def waiting(self) -> Iterator[Waits]:
        """Wait for the client: what is added to the result ends with its token or session.

        :raises NotAuthenticated: if that has ended, before or while it waited.
        """
        self.check()
        yield self.waits
        self.check()
