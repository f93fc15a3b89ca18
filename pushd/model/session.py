"""Sessions: log-ins to the dashboard."""

from attrs import frozen

from pushd.model.timestamps import DAY

MAX_AGE = 30 * DAY
"""Milliseconds after which a session ends."""

MAX_IDLE = DAY // 2
"""Milliseconds without a request after which it ends before."""

MAX_SESSIONS = 100
"""Sessions of one token or person; a further one ends the one that was not used for longest."""

MAX_USER_AGENT = 256
"""Characters of the name of a browser that are kept."""


@frozen(kw_only=True, eq=False)
class Session:
    """A log-in; timestamps in wall milliseconds."""

    id: str
    digest: bytes
    """The SHA-256 of the secret in the cookie."""
    token_digest: bytes | None = None
    """The SHA-256 of the secret of the token that logged in: the session ends with it."""
    person: str | None = None
    """The name of the person who logged in instead."""
    address: str | None = None
    user_agent: str | None = None
    created_at: int
    last_used_at: int
    created_elapsed: int
    used_elapsed: int

    @property
    def ends_elapsed(self) -> int:
        """When it ends unless it is used, as elapsed time."""
        return min(self.created_elapsed + MAX_AGE, self.used_elapsed + MAX_IDLE)
