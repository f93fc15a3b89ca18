"""People, and their invitations."""

from collections.abc import Mapping, Sequence
from typing import Any

from pushd.model.audit import changed
from pushd.model.errors import InvalidFields, NotAuthenticated, TooManyPeople, UnknownPerson
from pushd.model.person import MAX_PEOPLE, Invitation, Person
from pushd.model.timestamps import to_rfc3339
from pushd.model.token import SELECTORS, Role, check_limits
from pushd.store.rows import report_corruption
from pushd.store.transaction import ITransaction, Row, Statement, first
from pushd.store.transactions.audit import record_audit
from pushd.store.transactions.principals import check_name, read_selectors, to_columns

_PLAIN = ("name", "secret", "created_by", "created_at")
_COLUMNS = (*_PLAIN, "role", *SELECTORS)
_LISTED = ", ".join(_COLUMNS)

_ALL = Statement("read all people", f"SELECT {_LISTED} FROM person")
_BY_NAME = Statement("look up a person", f"SELECT {_LISTED} FROM person WHERE name = :name")
_COUNT = Statement("count people", "SELECT COUNT(*) AS known FROM person")
_INSERT = Statement(
    "add a person", f"INSERT INTO person ({_LISTED}) VALUES ({', '.join(':' + name for name in _COLUMNS)})"
)
_INVITATIONS = Statement("read all invitations", "SELECT person, digest, expires_at FROM invitation")


def load(tx: ITransaction) -> tuple[Sequence[Person], Sequence[Invitation]]:
    """All people, and all invitations."""
    return (
        tuple(_to_person(row) for row in tx.rows(_ALL)),
        tuple(_to_invitation(row) for row in tx.rows(_INVITATIONS)),
    )


def add_person(tx: ITransaction, person: Person) -> None:
    """Add a person."""
    if tx.rows(_COUNT)[0]["known"] >= MAX_PEOPLE:
        raise TooManyPeople(f"There are {MAX_PEOPLE} people already; delete one who is no longer needed.")
    check_name(tx, person.name)
    tx.run(_INSERT, **to_columns({name: getattr(person, name) for name in _COLUMNS}))
    record_audit(tx, "person.add", _object(person.name), None, _audited(person))


def change_person(tx: ITransaction, name: str, changes: Mapping[str, Any]) -> Person:
    """Change fields of a person."""
    before = _look_up(tx, name)
    if errors := check_limits(changes.get("role", before.role), {**_audited(before), **changes}):
        raise InvalidFields(errors)
    if changes:
        sets = ", ".join(f"{column} = :{column}" for column in _COLUMNS if column in changes)
        statement = Statement("change a person", f"UPDATE person SET {sets} WHERE name = :name")
        tx.run(statement, name=name, **to_columns(changes))
    after = _look_up(tx, name)
    differing = changed(_audited(before), _audited(after))
    if any(differing):
        record_audit(tx, "person.change", _object(name), *differing)
    return after


_DELETE = (
    Statement("end the sessions of a person", "DELETE FROM session WHERE person = :name"),
    Statement("withdraw the invitation of a person", "DELETE FROM invitation WHERE person = :name"),
    Statement("delete a person", "DELETE FROM person WHERE name = :name"),
)


def delete_person(tx: ITransaction, name: str) -> None:
    """Delete a person, with sessions and invitation."""
    found = _look_up(tx, name)
    for statement in _DELETE:
        tx.run(statement, name=name)
    record_audit(tx, "person.delete", _object(name), _audited(found))


_INVITE = Statement(
    "invite a person",
    "INSERT INTO invitation (person, digest, expires_at) VALUES (:person, :digest, :expires_at)"
    " ON CONFLICT (person) DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at",
)


def invite(tx: ITransaction, invitation: Invitation, expires_at: int) -> None:
    """Add an invitation, in place of an earlier one of the same person; ``expires_at`` is wall time."""
    _look_up(tx, invitation.person)
    tx.run(_INVITE, person=invitation.person, digest=invitation.digest, expires_at=invitation.expires_at)
    after = {"expires_at": to_rfc3339(expires_at)}
    record_audit(tx, "person.invite", _object(invitation.person), None, after)


_SPEND = Statement("spend an invitation", "DELETE FROM invitation WHERE digest = :digest AND person = :person")


def spend_invitation(tx: ITransaction, invitation: Invitation) -> None:
    """Use an invitation up.

    :raises NotAuthenticated: if it was used, withdrawn or replaced.
    """
    if not tx.run(_SPEND, digest=invitation.digest, person=invitation.person):
        raise NotAuthenticated("This invitation was used before, or there is a newer one.")


def _object(name: str) -> str:
    """A person as the object of an audit entry."""
    return f"person:{name}"


def _audited(person: Person) -> dict[str, Any]:
    """A person as the audit log compares it."""
    return {name: getattr(person, name) for name in ("name", "role", *SELECTORS)}


def _look_up(tx: ITransaction, name: str) -> Person:
    row = first(tx, _BY_NAME, name=name)
    if row is None:
        raise UnknownPerson(f"No person {name} is known.")
    return _to_person(row)


@report_corruption("A person")
def _to_person(row: Row) -> Person:
    return Person(role=Role(row["role"]), **{name: row[name] for name in _PLAIN}, **read_selectors(row))


def _to_invitation(row: Row) -> Invitation:
    return Invitation(person=row["person"], digest=bytes(row["digest"]), expires_at=row["expires_at"])
