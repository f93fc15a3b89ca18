"""Log-ins to the dashboard."""

from collections.abc import Mapping, Sequence

from attrs import fields

from pushd.model.audit import Fields
from pushd.model.errors import UnknownSession
from pushd.model.person import Invitation
from pushd.model.session import MAX_AGE, MAX_IDLE, Session
from pushd.model.timestamps import Now
from pushd.store.transaction import ITransaction, Row, Statement, first
from pushd.store.transactions.audit import record_audit
from pushd.store.transactions.people import spend_invitation

_COLUMNS = tuple(field.name for field in fields(Session))
_LISTED = ", ".join(_COLUMNS)

_ALL = Statement("read all sessions", f"SELECT {_LISTED} FROM session")
_BY_ID = Statement("look up a session", f"SELECT {_LISTED} FROM session WHERE id = :id")
_INSERT = Statement(
    "add a session", f"INSERT INTO session ({_LISTED}) VALUES ({', '.join(':' + name for name in _COLUMNS)})"
)
_DELETE = Statement("end a session", "DELETE FROM session WHERE id = :id")


def load(tx: ITransaction) -> Sequence[Session]:
    """All sessions that are stored; some may have ended."""
    return tuple(_to_session(row) for row in tx.rows(_ALL))


def add_session(tx: ITransaction, session: Session, invitation: Invitation | None, replaced: Sequence[str]) -> None:
    """Add a session, in place of these, and use an invitation up."""
    if invitation is not None:
        spend_invitation(tx, invitation)
    for each in replaced:
        tx.run(_DELETE, id=each)
    tx.run(_INSERT, **{name: getattr(session, name) for name in _COLUMNS})
    record_audit(tx, "session.add", _object(session), None, _audited(session))


def delete_session(tx: ITransaction, session: str) -> None:
    """End a session."""
    row = first(tx, _BY_ID, id=session)
    if row is None:
        raise UnknownSession(f"No session {session} is known; it may have ended.")
    tx.run(_DELETE, id=session)
    found = _to_session(row)
    record_audit(tx, "session.delete", _object(found), _audited(found))


_SAVE_USE = Statement(  # another process may have saved a later use
    "save when a session was last used",
    "UPDATE session SET last_used_at = :used_at, used_elapsed = :used_elapsed"
    " WHERE id = :id AND used_elapsed < :used_elapsed",
)
_DELETE_ENDED = Statement(
    "delete sessions that have ended",
    "DELETE FROM session WHERE created_elapsed <= :oldest OR used_elapsed <= :idle OR"
    " (token_digest IS NOT NULL AND token_digest NOT IN"
    " (SELECT digest FROM token_secret JOIN token ON token.id = token_secret.token"
    " WHERE token.expires_elapsed IS NULL OR token.expires_elapsed > :now))",
)


def save_uses(tx: ITransaction, uses: Mapping[str, Now]) -> Sequence[Session]:
    """Save when sessions, by their ids, were last used, and delete those that have ended; returns the others."""
    values = [{"id": name, "used_at": at.wall, "used_elapsed": at.elapsed} for name, at in uses.items()]
    tx.run_all(_SAVE_USE, values)
    tx.run(_DELETE_ENDED, oldest=tx.now.elapsed - MAX_AGE, idle=tx.now.elapsed - MAX_IDLE, now=tx.now.elapsed)
    return load(tx)


def _object(session: Session) -> str:
    """A session as the object of an audit entry."""
    return f"session:{session.id}"


def _audited(session: Session) -> Fields:
    """A session as the audit log shows it."""
    return {"by": "token" if session.person is None else "invitation", "user_agent": session.user_agent}


def _to_session(row: Row) -> Session:
    token_digest = None if row["token_digest"] is None else bytes(row["token_digest"])
    return Session(**{**row, "digest": bytes(row["digest"]), "token_digest": token_digest})
