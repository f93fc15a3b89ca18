"""Facts about a device: what it has said of itself, and what operators have written of it."""

from collections.abc import Mapping

from pushd.lib import strict_json
from pushd.lib.text import caseless
from pushd.model.errors import FieldError, InvalidFields

Fact = str | int | float | bool
Facts = Mapping[str, Fact]
FactsPatch = Mapping[str, Fact | None] | None
"""A JSON merge patch of facts: None removes one; None instead of a patch removes all."""

NO_FACTS: Facts = {}

MAX_FACTS = 64
"""Facts of a device."""

MAX_FACT = 256
"""Characters of a fact, as JSON text without quotation marks."""

MAX_KEY = 64
"""Characters of the name of a fact."""

OPENS_WITH = ("door", "sec_box", "catra")
"""What the fact ``opens_with`` may be: the action that opens the door of a device."""


def model_key(model: str) -> str:
    """A form of a model's name that is the same however it is written: without case, spaces and hyphens."""
    return caseless(model.replace(" ", "").replace("-", ""))


def check_patch(value: object) -> FactsPatch:
    """A patch, from the JSON value of the field ``facts``.

    :raises InvalidFields: with a pointer to each fact that cannot be kept.
    """
    if not isinstance(value, dict):
        raise InvalidFields([FieldError("#/facts", "must be an object, or null to remove all facts")])
    errors = [
        FieldError(strict_json.below("#/facts", name), problem)
        for name, fact in value.items()
        if (problem := _problem(name, fact)) is not None
    ]
    if errors:
        raise InvalidFields(errors)
    return value


def _problem(name: str, fact: object) -> str | None:
    if not (0 < len(name) <= MAX_KEY and name.isprintable()):
        return f"must have a name of 1 to {MAX_KEY} printable characters"
    if fact is None:
        return None
    if name == "opens_with" and fact not in OPENS_WITH:
        return f"must be one of {', '.join(OPENS_WITH)}"
    if isinstance(fact, str):
        if len(fact) <= MAX_FACT and fact.isprintable():
            return None
    elif isinstance(fact, bool | int | float) and len(strict_json.write(fact)) <= MAX_FACT:
        return None
    return f"must be a printable string, a number, true or false, of at most {MAX_FACT} characters; null removes it"


def merge(facts: Facts, patch: FactsPatch) -> Facts:
    """Facts after a patch.

    :raises InvalidFields: if they are too many.
    """
    if patch is None:
        return NO_FACTS
    merged = {name: fact for name, fact in {**facts, **patch}.items() if fact is not None}
    if len(merged) > MAX_FACTS:
        raise InvalidFields([FieldError("#/facts", f"would be {len(merged)} facts; a device has at most {MAX_FACTS}")])
    return merged


def learn(facts: Facts, said: Facts) -> Facts:
    """Facts with what a device has said of itself, of which new ones are left out where they would be too many."""
    new = [name for name in said if name not in facts][: MAX_FACTS - len(facts)]
    return {**facts, **{name: fact for name, fact in said.items() if name in facts or name in new}}
