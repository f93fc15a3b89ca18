"""Fixtures: cores that are stopped at the end of a test, and must not hold anything then."""

from collections.abc import Iterator

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.store.sqlite.store import SqliteStore
from tests.core.harness import CONTAINER, READER, CoreHarness, build_harness
from tests.stepped import SteppedExecutor, SteppedStore
from tests.store.clock import new_store


@define(eq=False)
class HarnessBuilder:
    """Builds the cores of a test, and stops them at its end."""

    clock: Clock
    built: list[CoreHarness] = field(factory=list, init=False)

    def build(
        self, config: Config | None = None, jitter: float = 0.0, store: SqliteStore | None = None
    ) -> CoreHarness:
        """A core with one registered device of each dialect; its store works at once, unless another is given."""
        harness = build_harness(self.clock, config or Config(), jitter, store or new_store())
        self.built.append(harness)
        harness.register(READER)
        harness.register(CONTAINER)
        return harness

    def close(self) -> None:
        """Stop all cores."""
        for harness in self.built:
            harness.core.drain()
            harness.run()
            assert len(harness.core.poll_registry) == 0
            harness.result(harness.core.store.close())


@pytest.fixture
def builder(clock: Clock) -> Iterator[HarnessBuilder]:
    """For tests that choose their options."""
    builder = HarnessBuilder(clock)
    yield builder
    builder.close()


@pytest.fixture
def harness(builder: HarnessBuilder) -> CoreHarness:
    """A core with default options."""
    return builder.build()


@pytest.fixture
def store() -> SteppedStore:
    """A store that works only when the test says so."""
    return SteppedStore()


@pytest.fixture
def stepped(builder: HarnessBuilder, store: SteppedStore) -> CoreHarness:
    """A core over the stepped store."""
    return builder.build(store=store)


@pytest.fixture
def executor(stepped: CoreHarness, store: SteppedStore) -> SteppedExecutor:
    """Runs the transactions of the ``stepped`` core."""
    return store.executor
