"""Actor: who changes something on the admin port."""

from attrs import frozen

from pushd.model.token import TokenRevision

UNKNOWN = ""
"""In place of a name: it is not known who it is."""


@frozen(kw_only=True)
class Actor:
    """A client of the admin port, by the name of its token or person, and its IP address, if that is known."""

    name: str
    address: str | None = None
    token: TokenRevision | None = None
    """The token by which it was admitted, if another process may change that."""
