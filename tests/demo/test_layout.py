"""Tests of where the demo takes place."""

import socket
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from pushd.demo.__main__ import main
from pushd.demo.layout import HOST, PortTaken, Setting, free_ports

SETTING = Setting(
    data_dir=Path("/var/lib/demo"), devices_port=8080, admin_port=8081, controlid=5, servereye=3, once=False
)


def test_server_listens_on_this_machine_only() -> None:
    """With open admission, both ports are for this machine alone."""
    words = SETTING.server()
    assert words[0] == "pushd"
    assert "--devices=tcp:8080:interface=127.0.0.1" in words
    assert "--admin=tcp:8081:interface=127.0.0.1" in words
    assert "--admission=open" in words


def test_devices_know_their_server() -> None:
    """The simulated devices call the port where the server waits for them, as many as were asked for."""
    assert SETTING.simulator() == [
        "pushd-simulate",
        "--server=http://127.0.0.1:8080",
        "--controlid=5",
        "--servereye=3",
    ]


def test_farewell_can_be_copied() -> None:
    """At the end the operator has lines to copy: where the API is, where the token lies, curl and pushctl."""
    text = SETTING.farewell()
    assert "http://127.0.0.1:8081/v1/" in text
    assert '"Authorization: Bearer $(cat /var/lib/demo/admin.token)"' in text
    assert "pushctl --url http://127.0.0.1:8081 --data-dir /var/lib/demo devices" in text


def test_taken_port_is_named(tmp_path: Path) -> None:
    """A port that another program has is named, with the option to choose another, and nothing is started."""
    with closing(socket.socket()) as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} is not to be had.*--admin-port"):
            free_ports(0, port)
        result = CliRunner().invoke(main, ["--data-dir", str(tmp_path / "new"), "--devices-port", str(port)])
        assert result.exit_code == 1
        assert "choose another by --devices-port" in result.stderr
        assert not (tmp_path / "new").exists()


def test_any_free_ports_are_two() -> None:
    """Asked for any free ports, the demo gets two different ones."""
    first, second = free_ports(0, 0)
    assert first != second
    assert min(first, second) > 0
