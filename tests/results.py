"""Results: of an asynchronous operation that must be finished already, and of a device."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pushd.model.large_text import LargeText, Text

T = TypeVar("T")


def result_of(operation: Deferred[T] | Coroutine[Any, Any, T]) -> T:
    """The result of an operation that has ended; its exception is raised."""
    results: list[T] = []
    failures: list[Failure] = []
    done = operation if isinstance(operation, Deferred) else Deferred.fromCoroutine(operation)
    done.addCallbacks(results.append, failures.append)
    for failure in failures:
        failure.raiseException()
    assert results, "the operation has not ended"
    return results[0]


def text_of(result: Text | None) -> str:
    """The JSON text of a device's result of any size."""
    return result.data.decode() if isinstance(result, LargeText) else result or ""
