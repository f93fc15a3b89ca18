"""Tokens: who may use the admin API, for what, and for which devices."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from attrs import field, frozen

from pushd.model.errors import FieldError

MAX_TOKENS = 1000
"""Tokens that may exist at once: all are in memory."""

FILE_TOKEN = "admin"
"""The name of the token in ``admin.token``; no other token may have it."""

LAST_ADMIN = "This is the last admin token that does not expire; make another one first."

OPEN = "open"
"""As an endpoint of a token: the call ``POST .../open``, and no command."""


class Role(StrEnum):
    """What a token allows."""

    VIEWER = "viewer"  # may read
    OPERATOR = "operator"  # may also send, cancel, resolve, approve and mute
    ADMIN = "admin"  # may do everything
    DEVICE = "device"  # an API key that authenticates devices


@frozen(kw_only=True)
class Scope:
    """What a token is limited to; a selector that is None does not limit it, an empty one selects nothing."""

    devices: frozenset[str] | None = None
    sites: frozenset[str] | None = None
    tags: frozenset[str] | None = None
    endpoints: frozenset[str] | None = None

    def covers(self, device: str, site: str | None, tags: Collection[str]) -> bool:
        """Whether a device is in scope: it is one of the devices, in one of the sites, and has all of the tags."""
        return (
            (self.devices is None or device in self.devices)
            and (self.sites is None or site in self.sites)
            and (self.tags is None or (bool(self.tags) and self.tags.issubset(tags)))
        )

    def allows(self, endpoints: Collection[str]) -> bool:
        """Whether commands with all of these endpoints may be sent and read."""
        return self.endpoints is None or (
            bool(endpoints) and OPEN not in endpoints and self.endpoints.issuperset(endpoints)
        )

    @property
    def may_open(self) -> bool:
        """Whether ``POST .../open`` is allowed."""
        return self.endpoints is None or OPEN in self.endpoints


SELECTORS = ("devices", "sites", "tags", "endpoints")
"""The fields of a token or a person that limit it, as in :class:`Scope`."""


def scope_of(limited: Any) -> Scope | None:
    """The scope that the selectors of a token or a person make; None if nothing limits it."""
    selectors = {name: getattr(limited, name) for name in SELECTORS}
    if all(value is None for value in selectors.values()):
        return None
    return Scope(**{name: None if value is None else frozenset(value) for name, value in selectors.items()})


_UNLIMITED = {
    Role.ADMIN: "an admin may do everything; use operator or viewer",
    Role.DEVICE: "devices send no commands",
}


def check_limits(role: Role, fields: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with the selectors of a token or a person with this role, among these fields."""
    return [
        FieldError(f"#/{name}", f"cannot be set for the role {role}: {_UNLIMITED[role]}")
        for name in SELECTORS
        if fields.get(name) is not None and (role is Role.ADMIN or (role is Role.DEVICE and name == "endpoints"))
    ]


class TokenRevision(NamedTuple):
    """Which token admitted a client, by its id, and as of which of its changes."""

    token: str
    revision: int


class Principal(Protocol):
    """Who may use the admin API: a token or a person."""

    @property
    def name(self) -> str:
        """By which commands, events and the audit log know it."""

    @property
    def role(self) -> Role:
        """What it may do."""

    @property
    def scope(self) -> Scope | None:
        """To what it is limited; None: to nothing."""


@frozen(kw_only=True, eq=False)
class Token:
    """A token; timestamps in wall milliseconds.

    Tokens are compared by identity: each change makes another object, so that a client which was admitted by the one
    before is noticed.
    """

    id: str
    name: str
    role: Role
    devices: tuple[str, ...] | None = None
    sites: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    endpoints: tuple[str, ...] | None = None
    expires_at: int | None = None
    expires_elapsed: int | None = None
    """When it expires as elapsed time, so that a step of the wall clock neither ends nor revives it."""
    last_used_at: int | None = None
    created_by: str | None = None
    """The name of the token that made it; None: the server made it."""
    created_at: int = 0
    revision: int | None = None
    """Counts the changes of it and of its secrets; None: no other process makes any."""
    scope: Scope | None = field(init=False)
    """None if nothing limits the token."""

    @scope.default
    def _decide_scope(self) -> Scope | None:
        return scope_of(self)

    @property
    def known_revision(self) -> TokenRevision | None:
        """By which it is compared with the one in the database; None: no other process changes that."""
        return None if self.revision is None else TokenRevision(self.id, self.revision)

    @property
    def is_file(self) -> bool:
        """Whether its secret is in ``admin.token``."""
        return self.name == FILE_TOKEN

    @property
    def is_lasting_admin(self) -> bool:
        """Whether it may do everything, for ever: one such token must exist."""
        return self.role is Role.ADMIN and self.expires_at is None


@frozen(kw_only=True)
class TokenSecret:
    """The SHA-256 of a secret of a token; ``expires_at`` is elapsed time, None for the current secret."""

    digest: bytes
    token: str
    expires_at: int | None = None
