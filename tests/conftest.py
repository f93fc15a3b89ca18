"""What holds for every test: nothing fails in silence, and nothing is left behind."""

import gc
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, globalLogPublisher
from zope.interface import implementer


def pytest_collection_finish() -> None:
    """All is imported now, and no garbage: the collections below look at a test's own objects only."""
    gc.collect()
    gc.freeze()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests that are coroutines run on the reactor."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
        pytest_twisted.ensureDeferred(item.function)


@pytest.fixture(autouse=True)
def no_logged_failure() -> Iterator[list[Any]]:
    """Fail a test during which a failure was logged, or a Deferred lost one; a test that expects one clears the
    list.
    """
    failures: list[Any] = []

    @implementer(ILogObserver)
    def observe(event: dict[str, Any]) -> None:
        if event.get("log_failure") is not None:
            failures.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    try:
        yield failures
        gc.collect()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert not failures, "\n".join(failure.getTraceback() for failure in failures)


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock that moves when it is told to, and must be empty at the end."""
    clock = Clock()
    clock.advance(1_000_000)
    yield clock
    assert not clock.getDelayedCalls(), "delayed calls were left behind"
