"""Tests that a store keeps the promises of the design's section 2 over random histories."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.model_based.budget import budget
from tests.model_based.comparison_on_postgres import ModelComparisonOnPostgres
from tests.model_based.state_machine import StoreMachine, StoreMachineOnDisk
from tests.postgres import PostgresServer, ReusedDatabase
from tests.results import result_of
from tests.store.clock import new_postgres_store

pytestmark = pytest.mark.slow(seconds=10)

BOUNDED = pytest.mark.timeout(0)
"""No timeout: the number of examples bounds a run; to shrink a failure takes some minutes more."""


@BOUNDED
def test_a_store_equals_its_model_after_any_history() -> None:
    """After requests, polls, reports, lost connections, clock changes and restarts in any order, a store in memory
    holds and answers what the model does.
    """
    run_state_machine_as_test(StoreMachine, settings=budget(150, 50))


@BOUNDED
def test_a_store_on_disk_equals_its_model_after_any_history() -> None:
    """The same holds for a store in a file that is closed and opened again."""
    run_state_machine_as_test(StoreMachineOnDisk, settings=budget(20, 40))


@BOUNDED
def test_two_processes_equal_one_model_after_any_history(postgres_server: PostgresServer) -> None:
    """The same holds for two processes that share a database on PostgreSQL, and are used in turn."""
    with postgres_server.database() as url:
        store = new_postgres_store(url)
        store.open()
        result_of(store.close())
        database = ReusedDatabase(url)
        database.save("empty")

        class Machine(StoreMachine):
            build = staticmethod(lambda: ModelComparisonOnPostgres(database))

        run_state_machine_as_test(Machine, settings=budget(6, 30))
