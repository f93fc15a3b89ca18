"""What holds for all tests: a logged failure fails the test, nothing is left behind, and long tests start first."""

import gc
import inspect
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from hypothesis import HealthCheck, settings
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.copied_schema import copied_schema
from tests.postgres import PostgresServer, running_server

for _name in [name for name in os.environ if name.startswith("PUSHD_") and not name.startswith("PUSHD_TEST_")]:
    del os.environ[_name]  # options of a server that the developer runs
os.environ["TZ"] = "UTC"  # messages have local times, which are the same on every machine then
time.tzset()

# A machine that is busy must not fail a test: no time limit for an example.
settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("usual"), max_examples=20)
settings.load_profile("usual")

SLOW_SECONDS = 5.0
"""How long a test takes that is marked as slow without a figure."""

_failures: list[Failure] = []
"""Logged, and no test's yet."""


@implementer(ILogObserver)
def _observe(event: dict[str, Any]) -> None:
    if event.get("log_failure") is not None:
        _failures.append(event["log_failure"])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Run tests that are coroutines on the reactor; in CI, run those that fail on a busy machine once more."""
    if not isinstance(item, pytest.Function):
        return
    is_on_reactor = inspect.iscoroutinefunction(item.function)
    if is_on_reactor:
        pytest_twisted.ensureDeferred(item.function)
    uses_processes = item.get_closest_marker("slow") is not None or "postgres_server" in item.fixturenames
    if "CI" in os.environ and (is_on_reactor or uses_processes):
        item.add_marker(pytest.mark.flaky(reruns=1))  # the summary lists what was run again


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest tests first, so that parallel workers end together."""
    items.sort(key=_seconds, reverse=True)


def _seconds(item: pytest.Item) -> float:
    marker = item.get_closest_marker("slow")
    return 0.0 if marker is None else float(marker.kwargs.get("seconds", SLOW_SECONDS))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Exempt all objects that exist before the test from the collection after it, which would take a hundred times as
    long otherwise.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _observed() -> Iterator[None]:
    """Observe the log, and at the end collect also those objects that outlived the test that made them."""
    globalLogPublisher.addObserver(_observe)
    yield
    gc.unfreeze()
    gc.collect()
    globalLogPublisher.removeObserver(_observe)
    _raise_failures()


@pytest.fixture(autouse=True)
def no_logged_failure() -> Iterator[list[Failure]]:
    """Fail a test during which a failure was logged, or a Deferred with a failure was dropped; a test that expects
    one clears the list.
    """
    yield _failures
    gc.collect()
    _raise_failures()


def _raise_failures() -> None:
    found = [failure.getTraceback() for failure in _failures]
    _failures.clear()
    assert not found, "\n".join(found)


@pytest.fixture(scope="session", autouse=True)
def _schema_is_copied() -> Iterator[None]:
    with copied_schema():
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server; see :mod:`tests.postgres`."""
    with running_server() as server:
        yield server


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock that only :meth:`~Clock.advance` moves; no delayed call may be left at the end."""
    clock = Clock()
    clock.advance(1_000_000)
    yield clock
    assert not clock.getDelayedCalls(), "delayed calls were left behind"
