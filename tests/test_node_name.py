"""The name of a process among those that share a database."""

import re

from pushd.node_name import node_name


def test_port() -> None:
    """It is the host with the port, as they are the same after a restart."""
    assert node_name("lobby", ["tcp:8081:interface=127.0.0.1"]) == "lobby:8081"
    assert node_name("lobby", ["unix:/run/pushd.sock", "tcp6:port=8081"]) == "lobby:8081"


def test_no_port() -> None:
    """Without a port it is random, so that no two processes have the same."""
    names = [node_name("lobby", ["tcp:0", "unix:/run/pushd.sock"]) for _ in range(2)]
    assert all(re.fullmatch("lobby:[0-9a-f]{6}", name) for name in names)
    assert names[0] != names[1]


def test_strange_host() -> None:
    """It has no character that separates names, and fits into the name of a session."""
    assert node_name("a host\nwith " + 60 * "x", ["tcp:1"]) == "a-host-with-" + 28 * "x" + ":1"
