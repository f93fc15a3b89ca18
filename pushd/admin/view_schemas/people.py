"""Schemas of what the API shows of people."""

from pushd.admin.json_schema import TIMESTAMP, described, nullable
from pushd.admin.view_schemas.components import TEXT, component, page, small
from pushd.admin.view_schemas.tokens import LIMITS
from pushd.model.person import Person

PERSON = component(
    "Person",
    Person,
    {
        "name": "by which commands, events and the audit log know the person",
        "role": "what the person may do",
        **LIMITS,
        "created_by": "the name of the token or person that added this one",
        "created_at": "when that was done",
        "invited_until": "until when an invitation is valid that was not used yet; null: there is none",
    },
    "secret",
    invited_until=nullable(TIMESTAMP),
)
PEOPLE = page("PersonList", PERSON)
INVITATION = small(
    "Invitation",
    "A link with which a person logs in once.",
    url=described(TEXT, "the link, which is shown only here"),
    expires_at=described(TIMESTAMP, "when it ends unless it is used before"),
)
