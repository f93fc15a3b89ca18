"""One transaction of a simulated Control iD device: from the command or batch that it was handed to the result it
tells.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from attrs import frozen

from pushd.dialects.controlid.wire import Outcome, write_result, write_results

Push = Mapping[str, Any]
"""A command or a batch as the server sent it; the server need not be ours, so anything may be in it."""

_Told = TypeVar("_Told")


@frozen(kw_only=True)
class Report:
    """What the device tells of one transaction until the server takes it."""

    uuid: str
    endpoint: str | None
    body: bytes


def carry_out(uuid: str, push: Push, run: Callable[[Push], Outcome]) -> Report:
    """Have ``run`` execute a command, or those of a batch in order."""
    if "transactions" in push:
        outcomes = {name: run(command) for name, command in _entries(push["transactions"])}
        return Report(uuid=uuid, endpoint=None, body=_written(write_results, outcomes))
    return Report(uuid=uuid, endpoint=endpoint_of(push), body=_written(write_result, run(push)))


def endpoint_of(command: Push) -> str | None:
    """What a command asks for, if that is text."""
    endpoint = command.get("endpoint")
    return endpoint if isinstance(endpoint, str) and endpoint.isprintable() else None


def _entries(transactions: object) -> Iterator[tuple[str, Push]]:
    """The commands of a batch by transactionid; what is none becomes an empty one, which no device can run."""
    for place, entry in enumerate(transactions if isinstance(transactions, list) else [], 1):
        command = entry if isinstance(entry, dict) else {}
        name = command.get("transactionid")
        yield str(name if isinstance(name, str | int) else place), command


def _written(write: Callable[[_Told], bytes], told: _Told) -> bytes:
    try:
        return write(told)
    except (ValueError, RecursionError):  # half a surrogate pair, or endless nesting, that we were told to keep
        return write_result(Outcome(error="the response cannot be written"))
