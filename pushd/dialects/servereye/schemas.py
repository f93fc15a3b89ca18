"""JSON Schemas of the payloads that can be sent to a Server-Eye container, and of its results."""

from pushd.lib.text import WHITE_SPACE
from pushd.model.command import MAX_ENDPOINT
from pushd.model.dialect import JsonSchema

PAYLOAD: JsonSchema = {
    "title": "ServerEyePayload",
    "description": "A message to a Server-Eye container.",
    "type": "object",
    "properties": {
        "control": {
            "type": "string",
            "description": "what the container is to do, such as ``REFRESH_AGENT``",
            "maxLength": MAX_ENDPOINT,
            "pattern": f"[^{WHITE_SPACE}]",
        },
        "message": {"type": "string", "description": "a text for it"},
        "data": {"description": "its parameters; what is no string is sent as JSON text"},
    },
    "required": ["control"],
    "additionalProperties": False,
}
"""What :func:`pushd.dialects.servereye.payload.check` takes."""

RESULT: JsonSchema = {
    "title": "ServerEyeResult",
    "description": "What a Server-Eye container posted, with all other fields that it had.",
    "type": "object",
    "properties": {
        "success": {"type": "boolean", "description": "whether the command succeeded"},
        "message": {"description": "a text about it; why it failed"},
        "data": {"description": "what it returned"},
    },
    "required": ["success"],
    "additionalProperties": True,
}
