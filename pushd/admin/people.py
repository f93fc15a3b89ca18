"""``/v1/people``: who uses the dashboard; add, list, change, delete and invite people."""

from urllib.parse import quote

from attrs import define

from pushd.admin import json_views, parameters, principal_bodies, request_bodies
from pushd.admin.auth import Authenticator, actor, requires
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.admin.view_schemas.people import INVITATION, PEOPLE, PERSON
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.people import People
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.errors import MissingHost
from pushd.model.links import Links
from pushd.model.person import Person
from pushd.model.token import Role


@define(eq=False)
class PeopleApp:
    """List, add, get, change, delete, invite."""

    router = Router(problem)

    auth: Authenticator
    people: People
    registry: DeviceRegistry
    links: Links

    @router.route("/v1/people", methods=["GET"])
    @requires(Role.ADMIN, *parameters.PAGE)
    @answers({200: Answer("People.", PEOPLE)})
    async def list(self, _request: Request, query: Query) -> bytes:
        """People, by name."""
        limit, after = query.limit(), query.cursor() or ""
        found = [self._view(person) for person in self.people.all() if person.name > after][:limit]
        return json_views.people(found, limit)

    @router.route("/v1/people", methods=["POST"])
    @requires(Role.ADMIN)
    @answers(
        {201: Answer("The person.", PERSON, has_location=True)},
        body=principal_bodies.NEW_PERSON,
        errors=("too-many-people", "name-taken"),
    )
    async def add(self, request: Request) -> bytes:
        """Add a person, who can log in once invited, or by way of a proxy that authenticates people."""
        body = request_bodies.read_object(request.body.content(), '{"name": "ana", "role": "operator"}')
        person = await self.people.add(by=actor(request), **principal_bodies.read_new_person(body, self.registry))
        request.setResponseCode(201)
        request.setHeader(b"Location", f"/v1/people/{quote(person.name, safe='')}".encode())
        return json_views.json(self._view(person))

    @router.route("/v1/people/<person>", methods=["GET"])
    @requires(Role.ADMIN)
    @answers({200: Answer("The person.", PERSON)})
    async def get(self, _request: Request, person: str) -> bytes:
        """One person."""
        return json_views.json(self._view(self.people.get(person)))

    @router.route("/v1/people/<person>", methods=["PATCH"])
    @requires(Role.ADMIN)
    @answers({200: Answer("The person.", PERSON)}, body=principal_bodies.PERSON_CHANGES)
    async def change(self, request: Request, person: str) -> bytes:
        """Change the role or the scope of a person; open event streams of the person end."""
        body = request_bodies.read_object(request.body.content(), '{"role": "viewer"}')
        changes = principal_bodies.read_person_changes(body, self.registry)
        return json_views.json(self._view(await self.people.change(person, changes, actor(request))))

    @router.route("/v1/people/<person>", methods=["DELETE"])
    @requires(Role.ADMIN)
    @answers({204: Answer("It is done.")})
    async def delete(self, request: Request, person: str) -> bytes:
        """Delete a person, whose sessions end."""
        await self.people.delete(person, actor(request))
        request.setResponseCode(204)
        return b""

    @router.route("/v1/people/<person>/invite", methods=["POST"])
    @requires(Role.ADMIN)
    @answers({201: Answer("The link, which is shown only here.", INVITATION)})
    async def invite(self, request: Request, person: str) -> bytes:
        """A link with which a person logs in once within ten minutes; an earlier link ends."""
        links = self.links if self.links.base_url is not None else _links_of(request)
        secret, expires_at = await self.people.invite(person, actor(request))
        request.setResponseCode(201)
        return json_views.invitation(links.log_in(secret), expires_at)

    def _view(self, person: Person) -> dict[str, object]:
        return json_views.person(person, self.people.invitation_of(person.name), self.people.clocks)


def _links_of(request: Request) -> Links:
    """Links to the address at which the server was requested."""
    host = request.getHeader(b"Host")
    if not host:
        raise MissingHost
    return Links(f"{'https' if request.is_secure else 'http'}://{host.decode('latin-1')}")
