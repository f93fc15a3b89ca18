"""JSON Schemas of the payloads that can be sent to a Control iD device, and of its results."""

from typing import Any

from pushd.dialects.controlid.catalogue import OCTETS
from pushd.dialects.controlid.payload import VERBS
from pushd.dialects.controlid.result import BATCH_FIELDS, MAX_TRANSACTIONS
from pushd.lib.text import WHITE_SPACE
from pushd.model.command import MAX_ENDPOINT, MAX_ENDPOINTS
from pushd.model.dialect import JsonSchema

_ANY_CASE = "".join(f"[{each}{each.upper()}]" if each.isalpha() else each for each in OCTETS)
_IS_OCTETS = {"type": "string", "pattern": f"^[{WHITE_SPACE}]*{_ANY_CASE}[{WHITE_SPACE}]*(;|$)"}
_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

_FIELDS: JsonSchema = {
    "endpoint": {
        "type": "string",
        "description": "what the device is to do, such as ``load_objects``",
        "maxLength": MAX_ENDPOINT,
        "not": {"pattern": rf"^/*[{WHITE_SPACE}]*(\.fcgi)?$"},
    },
    "verb": {"type": "string", "description": "the method", "enum": [*VERBS]},
    "body": {
        "description": f"the parameters; a string in base64 where ``contentType`` is ``{OCTETS}``",
        "anyOf": [{"type": "object", "additionalProperties": True}, {"type": "string"}],
    },
    "contentType": {"type": "string", "description": "of the body"},
    "queryString": {"type": "string", "description": "parameters in the form of a query"},
}


def _command(fields: JsonSchema) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": fields,
        "required": ["endpoint"],
        "additionalProperties": False,
        "if": {"properties": {"contentType": _IS_OCTETS}, "required": ["contentType"]},
        "then": {"properties": {"body": {"type": "string", "pattern": _BASE64}}, "required": ["body"]},
    }


_TRANSACTION_ID: JsonSchema = {
    "type": ["string", "number"],
    "description": "by which the result names the entry; its place, from 1, if it is missing",
    "minLength": 1,
}
PAYLOAD: JsonSchema = {
    "title": "ControlIdPayload",
    "description": "What a Control iD device is to do.",
    "anyOf": [
        {"title": "ControlIdCommand", "description": "One command.", **_command(_FIELDS)},
        {
            "title": "ControlIdBatch",
            "description": f"A batch. It calls at most {MAX_ENDPOINTS} different endpoints, and no two entries have"
            " the same ``transactionid``.",
            "type": "object",
            "properties": {
                "transactions": {
                    "type": "array",
                    "description": "the commands, in order",
                    "items": _command({**_FIELDS, "transactionid": _TRANSACTION_ID}),
                    "minItems": 1,
                    "maxItems": MAX_TRANSACTIONS,
                }
            },
            "required": ["transactions"],
            "additionalProperties": False,
        },
    ],
}
"""What :func:`pushd.dialects.controlid.payload.check` takes, but that a schema cannot say what the description of a
batch says.
"""

_RESULTS = "the results of a batch: a list, with ``transactionid`` and ``response``, ``error`` or ``success`` in each"
_REPORTED: JsonSchema = {
    "response": {"description": "what the command returned: it succeeded, unless there is an ``error``"},
    "error": {"description": "why the command failed, unless it is empty"},
    **{name: {"description": _RESULTS} for name in BATCH_FIELDS},
    "success": {"description": "of a command that was sent in a batch: whether it succeeded"},
    "raw": {"description": "a body that could not be read, in base64"},
}
RESULT: JsonSchema = {
    "title": "ControlIdResult",
    "description": "What a Control iD device posted, with all other fields that it had.",
    "type": "object",
    "properties": _REPORTED,
    "additionalProperties": True,
    "anyOf": [{"required": [name]} for name in _REPORTED],
}
