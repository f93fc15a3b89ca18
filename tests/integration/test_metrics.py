"""The metrics of a running server: commits are timed, and the process is watched."""

import pytest

from tests.integration.server import Server
from tests.metrics.test_metrics import samples

pytestmark = pytest.mark.slow


def test_commits_are_timed(server: Server) -> None:
    """Each commit counts, with how long it took; so does what the process uses."""
    before = samples(server.admin.ask("GET /metrics").body.decode())
    server.admin.ask("POST /v1/devices", {"id": "controlid:7"})
    server.send("controlid:7", {"endpoint": "load_objects"})
    after = samples(server.admin.ask("GET /metrics").body.decode())
    assert after["pushd_commit_seconds_count"] >= before["pushd_commit_seconds_count"] + 2
    assert after["pushd_commit_seconds_sum"] > before["pushd_commit_seconds_sum"]
    assert after["process_resident_memory_bytes"] > 0
