"""People: who uses the dashboard, and what each of them may do there."""

from attrs import field, frozen

from pushd.model.token import Role, Scope, scope_of

MAX_PEOPLE = 1000
"""People that may exist at once: all are in memory."""

INVITATION_SECONDS = 600.0
"""How long an invitation is valid."""

ROLES = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
"""The roles that a person may have."""


@frozen(kw_only=True, eq=False)
class Person:
    """A person; timestamps in wall milliseconds.

    People are compared by identity: each change makes another object, so that a client which was admitted by the one
    before is noticed.
    """

    name: str
    role: Role
    devices: tuple[str, ...] | None = None
    sites: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    endpoints: tuple[str, ...] | None = None
    secret: str = field(repr=False)
    """Random: what changes must carry by way of a proxy that authenticates people follows from it."""
    created_by: str | None = None
    """The name of the token or person that added it."""
    created_at: int
    scope: Scope | None = field(init=False)
    """None if nothing limits the person."""

    @scope.default
    def _decide_scope(self) -> Scope | None:
        return scope_of(self)


@frozen(kw_only=True)
class Invitation:
    """A link with which a person logs in once; ``expires_at`` is elapsed time."""

    person: str
    digest: bytes
    """The SHA-256 of the secret in the link."""
    expires_at: int
