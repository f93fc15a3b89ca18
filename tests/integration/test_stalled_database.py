"""Tests of a server whose sessions with the database are held up for some seconds, and then go on."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.nodes import READER, Cluster
from tests.integration.server import until

pytestmark = pytest.mark.slow

LOAD = {"endpoint": "load_objects"}
LONG = 6_000
"""Milliseconds; after five without a beat, no node has served."""


@contextmanager
def stalled(cluster: Cluster) -> Iterator[None]:
    """Have PostgreSQL answer nothing in the sessions of nodes, and read what they have sent only afterwards."""
    which = "application_name LIKE 'pushd/%' AND datname = current_database()"
    pids = cluster.read(f"SELECT array_agg(pid) FROM pg_stat_activity WHERE {which}")
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    except (ProcessLookupError, PermissionError):
        pytest.skip("PostgreSQL does not run here as this user")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_commands_are_sent_after_a_stall(cluster: Cluster) -> None:
    """After the sessions were held up, a command with a short time to live is sent, and only once."""
    node = cluster.start()
    silence = "SELECT wall_ms() - beat FROM service"
    with cluster.no_new_sessions(), stalled(cluster):
        until(lambda: cluster.read(silence) > LONG, "no node has served")
    until(lambda: node.admin.ask("GET /readyz").code == 200, "it is ready again")
    assert cluster.read("SELECT stepped_ms FROM service") == 0
    assert cluster.read("SELECT lost_ms FROM service") > LONG
    poll = cluster.hold_poll(node)
    sent = node.send(READER, LOAD, ttl=4)
    assert poll.answer().json["endpoint"] == "load_objects"
    events = node.admin.ask(f"GET /v1/events?type=command.queued,command.sent&device={READER}").json["items"]
    assert [event["type"] for event in events if event["command"] == sent] == ["command.queued", "command.sent"]
