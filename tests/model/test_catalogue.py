"""Tests of :mod:`pushd.model.catalogue`."""

import pytest

from pushd.model.catalogue import Catalogue, Defaults
from pushd.model.command import Endpoints
from pushd.model.errors import FieldError
from pushd.model.lifecycle import Delivery

CATALOGUE = Catalogue.parse(
    """
    [look]
    class = "read"
    summary = "Looks."
    source = "a test"
    parameters = [
        { name = "what", type = "string", required = true, meaning = "what to look at" },
        { name = "how", type = "object|array", meaning = "how" },
        { name = "side", type = "string", meaning = "from where", values = ["left", "right"] },
        { name = "level", type = "integer", meaning = "how far", values = [1, 2] },
        { name = "deep", type = "boolean", meaning = "whether to look inside" },
    ]
    example = { what = "it" }

    [move]
    class = "act"
    summary = "Moves."
    source = "a test"
    parameters = [
        { name = "steps", type = "array", required = true, meaning = "the steps" },
        { name = "steps[].to", type = "string", required = true, meaning = "where" },
        { name = "limits.speed", type = "integer", required = true, meaning = "how fast" },
    ]
    example = { steps = [] }

    [write_slowly]
    class = "write"
    ttl = 900
    delivery = "at_least_once"
    models = ["one"]
    summary = "Writes."
    source = "a test"
    example = {}

    [write]
    class = "write"
    summary = "Writes."
    source = "a test"
    example = {}
    """
)

SKIPS = "(unchecked=1 skips this check)"


def problems(endpoint: str, given: dict[str, object]) -> list[FieldError]:
    """What is wrong with these parameters."""
    return list(CATALOGUE.endpoints[endpoint].problems(given, "#/body"))


@pytest.mark.parametrize(
    "given",
    [
        {"what": "it"},
        {"what": "", "how": {}, "side": "left", "level": 1, "deep": False, "other": object()},
        {"what": "it", "how": [], "side": "RIGHT", "level": "2", "deep": "1"},
        {"what": "it", "level": 2.0, "deep": 0},
    ],
)
def test_right_parameters(given: dict[str, object]) -> None:
    """Numbers and booleans may be texts, as they are in a query; what is not known is not judged."""
    assert problems("look", given) == []


@pytest.mark.parametrize(
    ("given", "pointer", "detail"),
    [
        ({}, "#/body/what", f"is required: what to look at {SKIPS}"),
        ({"what": 1}, "#/body/what", f"must be a string {SKIPS}"),
        ({"what": None}, "#/body/what", f"must be a string {SKIPS}"),
        ({"what": "it", "how": "x"}, "#/body/how", f"must be an object or a list {SKIPS}"),
        ({"what": "it", "side": "up"}, "#/body/side", f"must be one of left, right {SKIPS}"),
        ({"what": "it", "level": 3}, "#/body/level", f"must be one of 1, 2 {SKIPS}"),
        ({"what": "it", "level": True}, "#/body/level", f"must be a whole number {SKIPS}"),
        ({"what": "it", "level": 1.5}, "#/body/level", f"must be a whole number {SKIPS}"),
        ({"what": "it", "level": "1x"}, "#/body/level", f"must be a whole number {SKIPS}"),
        ({"what": "it", "deep": 2}, "#/body/deep", f"must be true or false {SKIPS}"),
        ({"what": "it", "deep": []}, "#/body/deep", f"must be true or false {SKIPS}"),
    ],
)
def test_wrong_parameters(given: dict[str, object], pointer: str, detail: str) -> None:
    """A missing parameter, a wrong type and a wrong value are errors that say what is right."""
    assert problems("look", given) == [FieldError(pointer, detail)]


@pytest.mark.parametrize(
    ("given", "pointers"),
    [
        ({"steps": [{"to": "a"}, {"to": "b"}], "limits": {"speed": 1}}, []),
        ({"steps": []}, []),
        ({"steps": {}, "limits": 3}, ["#/body/steps"]),
        ({"steps": [{}, 3, {"to": 3}]}, ["#/body/steps/0/to", "#/body/steps/1", "#/body/steps/2/to"]),
        ({"steps": [], "limits": {}}, ["#/body/limits/speed"]),
        ({"steps": [], "limits": {"speed": "fast"}}, ["#/body/limits/speed"]),
    ],
)
def test_members_of_parameters(given: dict[str, object], pointers: list[str]) -> None:
    """The members of an object, and of the objects in a list, are checked where there are any."""
    assert [problem.pointer for problem in problems("move", given)] == pointers


@pytest.mark.parametrize(
    ("called", "delivery", "ttl"),
    [
        ("look", "at_least_once", 300),
        ("move", "at_most_once", 15),
        ("write", "at_most_once", 300),
        ("unknown", "at_most_once", 300),
        ("write_slowly", "at_least_once", 900),
        (("look",), "at_least_once", 300),
        (("look", "look"), "at_least_once", 300),
        (("look", "unknown"), "at_most_once", 300),
        (("look", "move"), "at_most_once", 15),
        (("write_slowly", "write"), "at_most_once", 300),
    ],
)
def test_defaults(called: Endpoints, delivery: str, ttl: float) -> None:
    """A read may be repeated, an act is not sent late; a batch is as careful as the most critical of its entries."""
    assert CATALOGUE.defaults(called) == Defaults(delivery=Delivery(delivery), ttl=ttl)


@pytest.mark.parametrize(
    ("old", "new"), [('class = "read"', 'class = "look"'), ('type = "string"', 'type = "text"'), ("summary", "summry")]
)
def test_file_with_a_mistake(old: str, new: str) -> None:
    """An unknown class, type or field is found when the file is read."""
    parameters = 'parameters = [{ name = "x", type = "string", meaning = "" }]'
    text = f'[a]\nclass = "read"\nsummary = ""\nsource = ""\nexample = {{}}\n{parameters}'
    assert Catalogue.parse(text).endpoints["a"].models is None
    with pytest.raises((ValueError, TypeError)):
        Catalogue.parse(text.replace(old, new))
