"""People: who uses the dashboard, and what each of them may do there."""

from collections.abc import Iterator
from typing import Unpack

from attrs import define

from pushd.client.api import Api, given, to_json
from pushd.client.fields import PersonChanges, PersonLimits
from pushd.client.values import Invitation, Person


@define(eq=False)
class People:
    """The people of a server, as ``client.people``; its calls need a token of an admin.

    Calls that add, invite or delete are not repeated if the server may have received them.
    """

    _api: Api

    def list(self) -> Iterator[Person]:
        """All people, by name."""
        return self._api.items(Person, "people")

    def get(self, person: str) -> Person:
        """One person, by name."""
        return self._api.read(Person, "GET", "people", person)

    def add(self, name: str, role: str, **limits: Unpack[PersonLimits]) -> Person:
        """Add a person, who can log in once invited; ``role`` is one of :class:`~pushd.model.token.Role`."""
        body = {"name": name, "role": role, **given(limits)}
        return self._api.read(Person, "POST", "people", body=body, may_repeat=False)

    def change(self, person: str, **changes: Unpack[PersonChanges]) -> Person:
        """Change the role of a person, and what limits it; open event streams of the person end."""
        return self._api.read(Person, "PATCH", "people", person, body=to_json(changes))

    def delete(self, person: str) -> None:
        """Delete a person, whose sessions end."""
        self._api.call("DELETE", "people", person, may_repeat=False)

    def invite(self, person: str) -> Invitation:
        """Make a link with which a person logs in once within ten minutes; an earlier link ends."""
        return self._api.read(Invitation, "POST", "people", person, "invite", may_repeat=False)
