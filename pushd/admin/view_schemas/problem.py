"""The schema of errors."""

from pushd.admin.json_schema import Component, described, list_of
from pushd.admin.view_schemas.components import TEXT, WHOLE, component, words
from pushd.http.error_status import STATUS
from pushd.model.errors import FieldError, PushdError

PROBLEM = Component(
    "Problem",
    {
        "type": "object",
        "description": "Problem details (RFC 9457).",
        "properties": {
            "type": described(words(*STATUS, PushdError.kind), "a word for programs"),
            "title": described(TEXT, "the status in words"),
            "status": described(WHOLE, "the status code"),
            "detail": described(TEXT, "a sentence for people"),
            "errors": list_of(
                component(
                    "FieldError",
                    FieldError,
                    {"pointer": "a JSON pointer into the body", "detail": "what is wrong, and the remedy"},
                )
            ),
            "oldest": described(TEXT, "the ``seq`` of the oldest event that is kept"),
        },
        "required": ["type", "title", "status", "detail"],
        "additionalProperties": False,
    },
)
