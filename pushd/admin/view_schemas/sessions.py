"""Schemas of what the API shows of sessions, and of the client itself."""

from pushd.admin.json_schema import TIMESTAMP, described, enum_component, nullable
from pushd.admin.view_schemas.components import TEXT, component, page, small
from pushd.admin.view_schemas.tokens import TOKEN
from pushd.core.clients import Means
from pushd.model.session import Session
from pushd.model.token import SELECTORS, Role

SESSION = component(
    "Session",
    Session,
    {
        "id": "its id, which is no secret",
        "name": "the name of the token or the person that logged in",
        "role": "what it allows",
        "by": "with what it logged in",
        "address": "the address from which that was done, if it is known",
        "user_agent": "the browser with which that was done, as it calls itself",
        "created_at": "when that was done",
        "last_used_at": "when it was last used",
        "expires_at": "when it ends unless it is used before",
    },
    "person",
    name=TEXT,
    role=enum_component(Role),
    by={"type": "string", "enum": ["token", "invitation"]},
    expires_at=TIMESTAMP,
)
SESSIONS = page("SessionList", SESSION)
CURRENT_CLIENT = small(
    "CurrentClient",
    "Who the client is, and what it may do.",
    name=described(TEXT, "the name of the token or the person"),
    role=described(enum_component(Role), "what it allows"),
    **{name: TOKEN.schema["properties"][name] for name in SELECTORS},
    means=described(enum_component(Means), "how the client shows who it is"),
    csrf=described(nullable(TEXT), "what changes must carry as ``X-CSRF-Token``; null: nothing"),
    session=described(nullable(TEXT), "the id of the session"),
    expires_at=described(nullable(TIMESTAMP), "when the session ends unless it is used before"),
    version=described(TEXT, "of pushd"),
)
