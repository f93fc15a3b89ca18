"""The page about errors has all of them."""

import re
from collections.abc import Iterator

import pytest
from werkzeug.exceptions import MethodNotAllowed, NotFound

from pushd.http.error_status import STATUS, error_kind
from pushd.lib.large_json import TooManyValues
from pushd.lib.strict_json import UnreadableBody
from pushd.model.errors import PushdError, StoreRefused
from tests.docs.pages import page

_SECTION = re.compile(r"^\.\. _error-([a-z-]+):\n\n(\S+)\n-+\n\n\*(\d{3})\.\*$", re.MULTILINE)

UNEXPECTED = {PushdError.kind: 500}
"""The type of an error that should not be."""


def _errors(base: type[PushdError] = PushdError) -> Iterator[type[PushdError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _errors(kind)


def test_each_type_has_a_section() -> None:
    """The page has a section with an anchor and the status of each type of error, and no other."""
    sections = _SECTION.findall(page("errors"))
    assert [anchor for anchor, _, _ in sections] == [name.replace(":", "-") for _, name, _ in sections]
    assert {name: int(status) for _, name, status in sections} == {**STATUS, **UNEXPECTED}
    assert len(sections) == page("errors").count("\n---")


@pytest.mark.parametrize(
    "kind", [each for each in _errors() if each is not StoreRefused], ids=lambda kind: kind.__name__
)
def test_each_error_has_a_type(kind: type[PushdError]) -> None:
    """Each error of the domain that a client can be answered with has one of the types."""
    assert kind.kind in STATUS


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TooManyValues(), "body-too-large"),
        (UnreadableBody(), "bad-request"),
        (NotFound(), "not-found"),
        (MethodNotAllowed(), "method-not-allowed"),
        (ZeroDivisionError(), PushdError.kind),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_errors(error: Exception, kind: str) -> None:
    """Errors of routing and of bodies have a type, too; a bug has none."""
    assert error_kind(error) == kind
