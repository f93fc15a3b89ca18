"""People: who they are, what they may do, and how they are invited to log in."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import asdict, define, field

from pushd.core.clocks import Clocks
from pushd.core.credentials import digest, make_secret
from pushd.core.tokens import check_not_reserved
from pushd.core.waiters import Waits
from pushd.model.actor import Actor
from pushd.model.errors import InvalidFields, UnknownPerson
from pushd.model.person import INVITATION_SECONDS, Invitation, Person
from pushd.model.timestamps import milliseconds
from pushd.model.token import Role, check_limits
from pushd.store.filters import Principals
from pushd.store.interface import IStore


@define(eq=False)
class People:
    """All people and their invitations, in memory and in the store."""

    store: IStore
    clocks: Clocks
    _people: dict[str, Person] = field(factory=dict, init=False)
    """By name."""
    _waits: dict[Person, Waits] = field(factory=dict, init=False)
    """What waits for each of them."""
    _invitations: dict[str, Invitation] = field(factory=dict, init=False)
    """By the name of the person."""
    _listeners: list[Callable[[Person], None]] = field(factory=list, init=False)

    def load(self, stored: Principals) -> None:
        """Take over the stored people, at the start, and when another process has changed some: their waits end."""
        people = {person.name: person for person in stored.people}
        for gone in self._people.keys() - people.keys():
            self._end(self._people.pop(gone))
        for name, person in people.items():
            known = self._people.get(name)
            if known is None or asdict(person, recurse=False) != asdict(known, recurse=False):
                self._keep(person)
        self._invitations = {invitation.person: invitation for invitation in stored.invitations}

    def subscribe(self, listener: Callable[[Person], None]) -> None:
        """Call ``listener`` with each person who was changed or deleted."""
        self._listeners.append(listener)

    def find(self, name: str) -> Person | None:
        """The person with this name."""
        return self._people.get(name)

    def waits(self, person: Person) -> Waits:
        """What waits for a person, to be added to; it ends when the person is changed or deleted."""
        return self._waits[person]

    # Management.

    def all(self) -> Sequence[Person]:
        """All people, by name."""
        return [self._people[name] for name in sorted(self._people)]

    def get(self, name: str) -> Person:
        """One person.

        :raises UnknownPerson: if there is none with this name.
        """
        found = self._people.get(name)
        if found is None:
            raise UnknownPerson(f"No person {name} is known.")
        return found

    async def add(self, name: str, role: Role, by: Actor, **selectors: Any) -> Person:
        """Add a person.

        :raises InvalidFields: if the role does not take such selectors.
        :raises NameTaken: or :exc:`TooManyPeople`.
        """
        check_not_reserved(name)
        if errors := check_limits(role, selectors):
            raise InvalidFields(errors)
        now = self.clocks.now()
        person = Person(
            name=name, role=role, secret=make_secret(), created_by=by.name, created_at=now.wall, **selectors
        )
        await self.store.by(by).add_person(person)
        self._keep(person)
        return person

    async def change(self, name: str, changes: Mapping[str, Any], by: Actor) -> Person:
        """Change the role or selectors of a person; what waits for the person ends.

        :raises UnknownPerson: or :exc:`InvalidFields`.
        """
        self.get(name)
        after = await self.store.by(by).change_person(name, changes)
        self._keep(after)
        return after

    async def delete(self, name: str, by: Actor) -> None:
        """Delete a person, whose sessions end.

        :raises UnknownPerson: if there is none with this name.
        """
        self.get(name)
        await self.store.by(by).delete_person(name)
        self._invitations.pop(name, None)
        person = self._people.pop(name, None)
        if person is not None:
            self._end(person)

    # Invitations.

    async def invite(self, name: str, by: Actor) -> tuple[str, int]:
        """Invite a person to log in once; an earlier invitation ends. Returns the secret for the link, which is not
        stored, and when it ends in wall milliseconds.

        :raises UnknownPerson: if there is none with this name.
        """
        self.get(name)
        now, secret = self.clocks.now(), make_secret()
        ends = milliseconds(INVITATION_SECONDS)
        invitation = Invitation(person=name, digest=digest(secret), expires_at=now.elapsed + ends)
        await self.store.by(by).invite(invitation, now.wall + ends)
        if name in self._people:
            self._invitations[name] = invitation
        return secret, now.wall + ends

    def invitation_of(self, name: str) -> Invitation | None:
        """The invitation of a person, if one is valid now."""
        found = self._invitations.get(name)
        return None if found is None or found.expires_at <= self.clocks.elapsed_now() else found

    def find_invitation(self, secret: str) -> Invitation | None:
        """The valid invitation with this secret."""
        hashed = digest(secret)
        for name, invitation in self._invitations.items():
            if invitation.digest == hashed:
                return self.invitation_of(name)
        return None

    def forget_invitation(self, invitation: Invitation) -> None:
        """An invitation was used."""
        if self._invitations.get(invitation.person) is invitation:
            del self._invitations[invitation.person]

    def _keep(self, person: Person) -> None:
        """Keep a person, in place of what was known of the same one."""
        before = self._people.get(person.name)
        self._people[person.name] = person
        self._waits[person] = Waits()
        if before is not None:
            self._end(before)

    def _end(self, person: Person) -> None:
        """What waits for a person ends."""
        self._waits.pop(person).end()
        for listener in self._listeners:
            listener(person)
