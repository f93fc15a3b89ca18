"""The result of an asynchronous operation that must be finished already, as in a test with a clock of its own."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

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
