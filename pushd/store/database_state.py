"""What a look at a database finds, without opening it as a server does."""

from attrs import frozen

from pushd.store.transactions.transfer import Transfer


@frozen(kw_only=True)
class DatabaseState:
    """What a database is; ``version`` 0 is an empty one. Of one of an earlier version, only that and its devices are
    known.
    """

    version: int
    newest: int
    """The version that this program would bring it to."""
    devices: int = 0
    knows_token: bool | None = None
    """Whether the secret that was asked about is that of a token."""
    transfer: Transfer | None = None
    """The move to or from another database, if there is one."""
    is_copy: bool = False
    """Whether it lacks what happened later, as a restored backup does."""
