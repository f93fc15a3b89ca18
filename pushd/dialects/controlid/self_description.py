"""What a Control iD device says of itself, in its answer to ``system_information``."""

from pushd.lib import strict_json
from pushd.lib.strict_json import UnreadableBody
from pushd.lib.text import one_line
from pushd.model.facts import MAX_FACT, NO_FACTS, Facts
from pushd.model.large_text import Text

DESCRIBES_ITSELF = "system_information"
"""The endpoint."""


def read_facts(result: Text | None) -> Facts:
    """The facts in the JSON text of a result, whose response may be an object or its JSON text.

    There are none if it is large, or cannot be read.
    """
    try:
        response = strict_json.parse(result)["response"] if isinstance(result, str) else None
        fields = strict_json.parse(response) if isinstance(response, str) else response
    except (UnreadableBody, RecursionError, TypeError, KeyError):
        return NO_FACTS
    if not isinstance(fields, dict):
        return NO_FACTS
    network = fields.get("network")
    said = {
        "firmware": fields.get("version"),
        "serial": fields.get("serial"),
        "mac": network.get("mac") if isinstance(network, dict) else None,
    }
    return {name: text for name, value in said.items() if (text := _fact(value))}


def _fact(value: object) -> str:
    return one_line(value, MAX_FACT) if isinstance(value, str) else ""
