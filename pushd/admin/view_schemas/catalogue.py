"""Schemas of what the API shows of catalogues."""

from pushd.admin.json_schema import PAYLOAD, described, enum_component, list_of, nullable, schema_of
from pushd.admin.view_schemas.components import TEXT, TEXTS, component, small
from pushd.model.catalogue import EndpointClass, Parameter
from pushd.model.lifecycle import Delivery

_PARAMETER = component(
    "EndpointParameter",
    Parameter,
    {
        "name": "a path: ``actions[].action`` is a member of each item of a list",
        "type": "one, or several with ``|`` between them",
        "required": "whether it must be there",
        "meaning": "what it means",
        "values": "all that a device accepts; null: any",
    },
    "path",
)
_ENDPOINT = small(
    "Endpoint",
    "An endpoint of devices.",
    **{
        "name": described(TEXT, "of the endpoint (or control)"),
        "class": described(enum_component(EndpointClass), "what it does to a device"),
        "summary": described(TEXT, "a sentence"),
        "parameters": list_of(_PARAMETER),
        "models": described(nullable(TEXTS), "the models that have it; null: all"),
        "delivery": described(enum_component(Delivery), "the default of its commands"),
        "ttl": described(schema_of(float), "the default of its commands, in seconds"),
        "example": described(PAYLOAD, "a payload"),
        "source": described(TEXT, "where this is known from"),
    },
)
CATALOGUE = small("Catalogue", dialect=TEXT, items=list_of(_ENDPOINT))
