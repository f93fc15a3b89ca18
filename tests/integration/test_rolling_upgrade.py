"""Tests of an upgrade of one node after the other: nodes of two versions of the program share a database."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

import pushd
from pushd.store.postgres.migrations import newest_version
from tests.integration.nodes import POLL, READER, Cluster
from tests.integration.server import Server

pytestmark = pytest.mark.slow(seconds=60)

COMPATIBLE = "UPDATE schema_version SET version = {version}; ALTER TABLE device ADD COLUMN note text;"
"""A schema with which programs of the version before may work."""

INCOMPATIBLE = (
    "UPDATE schema_version SET version = {version}, oldest = {version}; ALTER TABLE device DROP COLUMN note;"
)

Start = Callable[..., Server]


@pytest.fixture
def start_newer(cluster: Cluster, tmp_path: Path) -> Start:
    """Starts a node of a newer version of the program, with so many more steps of the schema."""

    def start(*steps: str) -> Server:
        folder = tmp_path / f"newer-{len(steps)}"
        package = Path(pushd.__file__).parent
        copytree(package, folder / "pushd", ignore=ignore_patterns("__pycache__"))
        for version, sql in enumerate(steps, newest_version() + 1):
            file = folder / f"pushd/store/postgres/schema/{version:04}.sql"
            file.write_text(sql.format(version=version))
        return cluster.start({"PYTHONPATH": str(folder)})

    return start


def schema(node: Server) -> int:
    """The version of the schema that a node knows."""
    version: int = node.admin.ask("GET /v1/info").json["schema"]
    return version


def test_one_node_after_the_other(cluster: Cluster, start_newer: Start) -> None:
    """While a newer node works with an older one, devices of both get commands; when the schema needs a newer program,
    the older nodes end, and their devices go on at the others.
    """
    old = cluster.start()
    poll = cluster.hold_poll(old)
    newer = start_newer(COMPATIBLE)
    assert [schema(node) - newest_version() for node in (old, newer)] == [0, 1]
    newer.send(READER, {"endpoint": "load_objects"})
    assert poll.answer().json["endpoint"] == "load_objects"
    assert old.devices.ask("POST /result?deviceId=7&uuid=u1", {"response": {}}).code == 200
    assert old.admin.ask("GET /readyz").code == 200
    held = cluster.hold_poll(old)
    newest = start_newer(COMPATIBLE, INCOMPATIBLE)
    assert held.answer().code == 200
    assert [node.wait_exit() for node in (old, newer)] == [0, 0]
    assert "Install the version of pushd that the other nodes run" in old.log.read_text()
    command = newest.send(READER, {"endpoint": "load_objects"})
    assert newest.devices.ask(f"{POLL}u2").json["endpoint"] == "load_objects"
    assert newest.command(command)["state"] == "sent"
