"""Tokens of the admin API, and their secrets."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from pushd.model.audit import Fields, changed
from pushd.model.errors import LastAdmin, TooManyTokens, UnknownToken
from pushd.model.timestamps import milliseconds, to_rfc3339
from pushd.model.token import LAST_ADMIN, MAX_TOKENS, SELECTORS, Role, Token, TokenSecret
from pushd.store.copies import StoredToken
from pushd.store.rows import report_corruption
from pushd.store.transaction import ITransaction, Row, Statement, first
from pushd.store.transactions.audit import record_audit
from pushd.store.transactions.principals import check_name, read_selectors, to_columns

_SCALARS = ("id", "name", "expires_at", "expires_elapsed", "last_used_at", "created_by", "created_at")
_COLUMNS = (*_SCALARS, "role", *SELECTORS)
_INSERTED = ", ".join(_COLUMNS)
_LISTED = f"{_INSERTED}, revision"
_COUNT_CHANGE = "revision = revision + 1"
"""Where only one process makes changes, it is null and stays so."""

_ALL = Statement("read all tokens", f"SELECT {_LISTED} FROM token ORDER BY id")
_BY_ID = Statement("look up a token", f"SELECT {_LISTED} FROM token WHERE id = :id")
_COUNT = Statement("count tokens", "SELECT COUNT(*) AS known FROM token")
_BY_NAME = Statement("look up a token by its name", "SELECT id FROM token WHERE name = :name AND id <> :id")
_INSERT = Statement(
    "add a token",
    f"INSERT INTO token ({_INSERTED}) VALUES ({', '.join(':' + name for name in _COLUMNS)}) RETURNING revision",
)
_LASTING_ADMIN = Statement(
    "look for another admin token",
    "SELECT 1 FROM token WHERE role = 'admin' AND expires_at IS NULL AND id <> :id LIMIT 1",
)
_BY_DIGEST = Statement("look up a secret", "SELECT token FROM token_secret WHERE digest = :digest")
_ALL_SECRETS = Statement(
    "read all secrets of tokens", "SELECT digest, token, expires_at FROM token_secret ORDER BY digest"
)
_SECRETS = Statement(
    "look up the secrets of a token", "SELECT digest, token, expires_at FROM token_secret WHERE token = :token"
)
_ADD_SECRET = Statement("add a secret of a token", "INSERT INTO token_secret (digest, token) VALUES (:digest, :token)")


def load(tx: ITransaction) -> tuple[Sequence[Token], Sequence[TokenSecret]]:
    """All tokens, and all of their secrets."""
    return (
        tuple(_to_token(row) for row in tx.rows(_ALL)),
        tuple(_to_secret(row) for row in tx.rows(_ALL_SECRETS)),
    )


def knows(tx: ITransaction, digest: bytes) -> bool:
    """Whether there is a secret with this SHA-256."""
    return first(tx, _BY_DIGEST, digest=digest) is not None


def add_token(tx: ITransaction, token: Token, digest: bytes) -> Token:
    """Add a token with its first secret, and return it."""
    if tx.rows(_COUNT)[0]["known"] >= MAX_TOKENS:
        raise TooManyTokens(f"There are {MAX_TOKENS} tokens already; revoke one that is no longer needed.")
    check_name(tx, token.name, token.id)
    revision = _insert(tx, token, digest)
    record_audit(tx, "token.add", _object(token), None, _audited(token))
    return evolve(token, revision=revision)


def _object(token: Token) -> str:
    """A token as the object of an audit entry."""
    return f"token:{token.id}"


def _audited(token: Token) -> Fields:
    """A token as the audit log compares it."""
    expires_at = None if token.expires_at is None else to_rfc3339(token.expires_at)
    selectors = {name: getattr(token, name) for name in SELECTORS}
    return {"name": token.name, "role": token.role, **selectors, "expires_at": expires_at}


def _insert(tx: ITransaction, token: Token, digest: bytes) -> int | None:
    """Insert a token with its first secret; returns its revision."""
    [row] = tx.rows(_INSERT, **to_columns({name: getattr(token, name) for name in _COLUMNS}))
    tx.run(_ADD_SECRET, token=token.id, digest=digest)
    revision: int | None = row["revision"]
    return revision


def change_token(tx: ITransaction, token: str, changes: Mapping[str, Any]) -> Token:
    """Change fields of a token."""
    before = _look_up(tx, token)
    if "name" in changes:
        check_name(tx, changes["name"], token)
    if changes.get("expires_at") is not None:
        _check_not_last(tx, before)
    values = to_columns(changes)
    if "expires_at" in changes:
        values["expires_elapsed"] = None if changes["expires_at"] is None else tx.now.elapsed_at(changes["expires_at"])
    if values:
        sets = ", ".join([*(f"{name} = :{name}" for name in _COLUMNS if name in values), _COUNT_CHANGE])
        tx.run(Statement("change a token", f"UPDATE token SET {sets} WHERE id = :id"), id=token, **values)
    after = _look_up(tx, token)
    differing = changed(_audited(before), _audited(after))
    if any(differing):
        record_audit(tx, "token.change", _object(after), *differing)
    return after


_RETIRE = Statement(
    "retire a secret of a token",
    "UPDATE token_secret SET expires_at = :until WHERE token = :token AND expires_at IS NULL",
)
_COUNT_ROTATION = Statement(
    "count the change of a token's secrets", f"UPDATE token SET {_COUNT_CHANGE} WHERE id = :id"
)
_DROP_OLD = Statement(
    "drop old secrets of a token", "DELETE FROM token_secret WHERE token = :token AND expires_at IS NOT NULL"
)


def rotate_token(tx: ITransaction, token: str, digest: bytes, overlap: float) -> StoredToken:
    """Add a secret; the current one expires after ``overlap`` seconds, and one before it now. Returns the token with
    all that are left.
    """
    found = _look_up(tx, token)
    tx.run(_DROP_OLD, token=token)
    tx.run(_RETIRE, token=token, until=tx.now.elapsed + milliseconds(overlap))
    if not overlap:
        tx.run(_DROP_OLD, token=token)
    tx.run(_ADD_SECRET, token=token, digest=digest)
    tx.run(_COUNT_ROTATION, id=token)
    record_audit(tx, "token.rotate", _object(found), None, {"name": found.name, "overlap": overlap})
    return _with_secrets(tx, _look_up(tx, token))


def stored_token(tx: ITransaction, token: str) -> StoredToken | None:
    """A token with its secrets, or None."""
    row = first(tx, _BY_ID, id=token)
    return None if row is None else _with_secrets(tx, _to_token(row))


def _with_secrets(tx: ITransaction, token: Token) -> StoredToken:
    return StoredToken(token, [_to_secret(row) for row in tx.rows(_SECRETS, token=token.id)])


_REVISION = Statement("look up the revision of a token", "SELECT revision FROM token WHERE id = :id")


def token_revision(tx: ITransaction, token: str) -> int | None:
    """How often a token was changed, or None if there is none."""
    row = first(tx, _REVISION, id=token)
    return None if row is None else row["revision"]


_DELETE = Statement("revoke a token", "DELETE FROM token WHERE id = :id")
_DELETE_SECRETS = Statement("delete the secrets of a token", "DELETE FROM token_secret WHERE token = :id")


def delete_token(tx: ITransaction, token: str) -> None:
    """Revoke a token."""
    found = _look_up(tx, token)
    _check_not_last(tx, found)
    _delete(tx, token)
    record_audit(tx, "token.delete", _object(found), _audited(found))


def _delete(tx: ITransaction, token: str) -> None:
    tx.run(_DELETE_SECRETS, id=token)
    tx.run(_DELETE, id=token)


def _check_not_last(tx: ITransaction, token: Token) -> None:
    if token.is_lasting_admin and first(tx, _LASTING_ADMIN, id=token.id) is None:
        raise LastAdmin(LAST_ADMIN)


def replace_token(tx: ITransaction, token: Token, digest: bytes) -> None:
    """Add a token in place of the one of the same name."""
    before = first(tx, _BY_NAME, id=token.id, name=token.name)
    if before is not None:
        _delete(tx, before["id"])
    _insert(tx, token, digest)


def is_needed(tx: ITransaction, token: Token) -> bool:
    """Whether an admin token must be made at the start: the file of the one of this name is missing, or there is no
    admin token that lasts.
    """
    is_known = first(tx, _BY_NAME, id=token.id, name=token.name) is not None
    return is_known or not has_lasting_admin(tx)


def has_lasting_admin(tx: ITransaction) -> bool:
    """Whether there is an admin token that does not expire."""
    return first(tx, _LASTING_ADMIN, id="") is not None


_SAVE_USE = Statement("save when a token was last used", "UPDATE token SET last_used_at = :used_at WHERE id = :token")


def save_uses(tx: ITransaction, uses: Mapping[str, int]) -> None:
    """Save when tokens were last used, in wall milliseconds, by their ids."""
    tx.run_all(_SAVE_USE, [{"token": token, "used_at": used_at} for token, used_at in uses.items()])


def _look_up(tx: ITransaction, token: str) -> Token:
    row = first(tx, _BY_ID, id=token)
    if row is None:
        raise UnknownToken(f"No token {token} is known; it may have been revoked.")
    return _to_token(row)


@report_corruption("A token")
def _to_token(row: Row) -> Token:
    plain = {name: row[name] for name in (*_SCALARS, "revision")}
    return Token(role=Role(row["role"]), **plain, **read_selectors(row))


def _to_secret(row: Row) -> TokenSecret:
    return TokenSecret(digest=bytes(row["digest"]), token=row["token"], expires_at=row["expires_at"])
