"""What a call of the API takes and answers, declared at its route for the OpenAPI document."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import frozen

from pushd.admin.body_fields import Body
from pushd.admin.json_schema import Component
from pushd.admin.parameters import Parameter
from pushd.model.token import Role

F = TypeVar("F", bound=Callable[..., Any])


@frozen
class Access:
    """Which tokens may make a call, and with which query parameters."""

    role: Role
    parameters: tuple[Parameter, ...]
    takes_scope: bool
    """Whether tokens with a scope may make it, too."""


@frozen
class Answer:
    """A successful response."""

    text: str
    schema: Component | None = None
    """Of its JSON; None: it has no body, or another media type."""
    media_type: str = "application/json"
    has_location: bool = False


@frozen(kw_only=True)
class Operation:
    """What a route takes and answers, beside what :class:`Access` says."""

    answers: Mapping[int, Answer]
    body: Body | None = None
    headers: Sequence[Parameter] = ()
    errors: Sequence[str] = ()
    """The types of errors that only some calls have, in the words of :data:`pushd.http.error_status.STATUS`."""
    notes: str = ""
    """What else there is to say."""


_ACCESS = "pushd_access"
_OPERATION = "pushd_operation"


def answers(responses: Mapping[int, Answer], **details: Any) -> Callable[[F], F]:
    """Declare what a route answers, by status code, and the ``details`` of its :class:`Operation`."""
    operation = Operation(answers=responses, **details)

    def declared(route: F) -> F:
        vars(route)[_OPERATION] = operation
        return route

    return declared


def set_access(route: Callable[..., Any], access: Access) -> None:
    """Note which tokens may call a route."""
    vars(route)[_ACCESS] = access


def access_of(route: Callable[..., Any]) -> Access | None:
    """Which tokens may call a route; None: it needs none."""
    access: Access | None = vars(route).get(_ACCESS)
    return access


def operation_of(route: Callable[..., Any]) -> Operation:
    """What a route takes and answers.

    :raises LookupError: if it does not say so.
    """
    operation: Operation = vars(route)[_OPERATION]
    return operation
