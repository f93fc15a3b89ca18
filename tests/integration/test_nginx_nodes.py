"""Tests of several nodes behind nginx, with the configuration file of the documentation."""

import ssl
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from attrs import frozen

from tests.certificates import make_certificate
from tests.integration.calls import HOST, TIMEOUT, Port
from tests.integration.nodes import POLL, READER, Cluster
from tests.integration.server import until
from tests.integration.test_nginx import free_ports, until_connected
from tests.programs import needs_program

FILE = Path(__file__).parents[2] / "docs" / "examples" / "nginx-nodes.conf"

pytestmark = pytest.mark.slow(seconds=60)


@frozen
class Balanced:
    """Nodes behind nginx, and its two ports."""

    cluster: Cluster
    devices: Port
    admin: Port

    def hold_poll(self, uuid: str) -> None:
        """Poll as the device does, and hang up when a node holds the poll."""
        call = self.devices.begin(f"{POLL}{uuid}")
        until(lambda: any(node.holds(READER) for node in self.cluster.nodes), "a node holds the poll")
        call.hang_up()
        until(lambda: not any(node.holds(READER) for node in self.cluster.nodes), "the node sees that it is over")

    def poll(self, uuid: str) -> bytes:
        """Poll as the device does; what it is answered, if nginx has found a node."""
        answer = self.devices.ask(f"{POLL}{uuid}")
        return answer.body if answer.code == 200 else b""


def configuration(folder: Path, certificate: Path, listens: list[int], cluster: Cluster) -> Path:
    """The file of the documentation, for other ports and other places of files."""
    text = FILE.read_text()
    replaced = {
        "user www-data;": "daemon off;",
        "worker_processes auto;": "worker_processes 1;",
        "worker_rlimit_nofile 65536;": "",
        "worker_connections 32768;": "worker_connections 512;",
        "/run/nginx.pid": str(folder / "nginx.pid"),
        "/var/log/nginx/error.log": "stderr",
        "/etc/pushd/cert.pem": str(certificate),
        "/etc/pushd/key.pem": str(certificate),
        "listen 443 ": f"listen {HOST}:{listens[0]} ",
        "listen 8443 ": f"listen {HOST}:{listens[1]} ",
    }
    for number, node in enumerate(cluster.nodes, 1):
        replaced[f"192.0.2.1{number}:8080"] = f"{HOST}:{node.device_ports[0]}"
        replaced[f"192.0.2.1{number}:8081"] = f"{HOST}:{node.admin.number}"
    for shipped, here in replaced.items():
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, here)
    file = folder / "nginx.conf"
    file.write_text(text)
    return file


@pytest.fixture
def balanced(cluster: Cluster, tmp_path: Path) -> Iterator[Balanced]:
    """Three nodes behind nginx."""
    needs_program("nginx")
    for _ in range(3):
        cluster.start({"PUSHD_TRUSTED_PROXY": HOST})
    certificate, listens = make_certificate(tmp_path), free_ports(2)
    file = configuration(tmp_path, certificate, listens, cluster)
    with (tmp_path / "nginx.log").open("wb") as log:
        nginx = subprocess.Popen(["nginx", "-c", str(file)], stderr=log)
    try:
        until_connected(listens[0])
        tls = ssl.create_default_context(cafile=str(certificate))
        yield Balanced(cluster, Port(listens[0], tls=tls), Port(listens[1], cluster.nodes[0].token, tls))
    finally:
        nginx.terminate()
        nginx.wait(TIMEOUT)


def test_polls_of_a_device_stay_at_its_node(balanced: Balanced) -> None:
    """Its polls and its results come to one node, so that nothing is written when it polls again."""
    for number in range(3):
        balanced.hold_poll(f"u{number}")
    assert balanced.cluster.read("SELECT max(moves) FROM sighting") == 1


def test_node_that_dies(balanced: Balanced) -> None:
    """Its devices poll again at another node, and get their commands there, though nginx asks no node twice."""
    nodes = balanced.cluster
    balanced.hold_poll("u0")
    [served] = [node for node in nodes.nodes if nodes.name(node) == nodes.serving]
    served.kill()
    left = next(node for node in nodes.nodes if node is not served)
    command = left.send(READER, {"endpoint": "load_objects"}, ttl=60)
    uuids = map(str, count())
    until(lambda: b"load_objects" in balanced.poll(next(uuids)), "the device gets its command")
    assert left.command(command)["state"] == "sent"
