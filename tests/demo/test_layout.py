"""Tests of the ports, files and command lines of the demo."""

import socket
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from pushd.demo.layout import HOST, Layout, PortTaken, free_ports
from pushd.demo.run import main

LAYOUT = Layout(
    data_dir=Path("/var/lib/demo"), devices_port=8080, admin_port=8081, controlid=5, servereye=3, once=False
)


def test_server_listens_on_this_machine_only() -> None:
    """Because devices have no secrets, both ports can be reached from this machine only."""
    arguments = LAYOUT.server()
    assert arguments[0] == "pushd"
    assert "--devices=tcp:8080:interface=127.0.0.1" in arguments
    assert "--admin=tcp:8081:interface=127.0.0.1" in arguments
    assert not any("admission" in argument for argument in arguments)


def test_simulator_arguments() -> None:
    """The simulator runs the given numbers of devices, which poll the server's port."""
    assert LAYOUT.simulator() == [
        "pushd-simulate",
        "--server=http://127.0.0.1:8080",
        "--controlid=5",
        "--servereye=3",
    ]


def test_devices_that_need_an_operator() -> None:
    """Beside them, one device loses its results, one goes offline again and again, and one is new."""
    assert LAYOUT.forgetful_device()[2:] == ["--id=controlid=3206485144281371", "--faults=lose-result=1"]
    assert LAYOUT.changing_devices()[2:] == [
        "--id=controlid=3206485144281372",
        "--id=controlid=3206485144281373",
        "--outage=flapping=1-1@10+86400/300",
    ]


def test_next_steps_can_be_copied() -> None:
    """The next steps name the API and the token, and have lines for curl and pushctl to copy."""
    text = LAYOUT.next_steps("http://127.0.0.1:8081/login#invite=once")
    assert "http://127.0.0.1:8081/login#invite=once\n" in text
    assert "http://127.0.0.1:8081/v1/" in text
    assert '"Authorization: Bearer $(cat /var/lib/demo/admin.token)"' in text
    assert "pushctl --url http://127.0.0.1:8081 --data-dir /var/lib/demo devices" in text


def test_taken_port_is_named(tmp_path: Path) -> None:
    """If a port is in use, the error names it and how to choose others, and nothing is started."""
    with closing(socket.socket()) as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"cannot use port {port} .*make demo PORT="):
            free_ports(0, port)
        result = CliRunner().invoke(main, ["--data-dir", str(tmp_path / "new"), "--devices-port", str(port)])
        assert result.exit_code == 1
        assert f"cannot use port {port}" in result.stderr
        assert not (tmp_path / "new").exists()


def test_free_ports_are_different() -> None:
    """0 stands for any free port; the two are different."""
    first, second = free_ports(0, 0)
    assert first != second
    assert min(first, second) > 0
