"""Tests of finding the server and the token."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from pushd.pushctl.errors import Misconfigured
from pushd.pushctl.main import cli
from pushd.pushctl.server_address import find_server
from tests.pushctl.fake_server import DEVICE, Answer, FakeServer, Pushctl

URL = "http://127.0.0.1:8081"


def test_token_is_read_from_the_data_directory(tmp_path: Path) -> None:
    """The token of a server on this machine is read from its data directory."""
    (tmp_path / "admin.token").write_text("secret-token\n")
    assert find_server(URL, None, tmp_path).token == "secret-token"


def test_given_token_wins(tmp_path: Path) -> None:
    """A token that is given is used instead of the one in the data directory."""
    (tmp_path / "admin.token").write_text("secret-token\n")
    assert find_server(URL, "mine", tmp_path).token == "mine"


def test_repr_has_no_token(tmp_path: Path) -> None:
    """The repr of an address does not show the token."""
    assert "mine" not in repr(find_server(URL, "mine", tmp_path))


def test_missing_token_is_explained(tmp_path: Path) -> None:
    """Without a token, the error names the ways to give one."""
    with pytest.raises(Misconfigured, match=r"PUSHD_TOKEN.*--data-dir.*admin\.token does not exist"):
        find_server(URL, None, tmp_path)


def test_unreadable_token_is_explained(tmp_path: Path) -> None:
    """A token file that cannot be read is reported as such, not as missing."""
    (tmp_path / "admin.token").mkdir()
    with pytest.raises(Misconfigured, match="cannot read the token"):
        find_server(URL, None, tmp_path)


@pytest.mark.parametrize("token", ["", " ", "two words", "a\r\nX-Header: b", "schlüssel"])
def test_invalid_token_is_refused(token: str, tmp_path: Path) -> None:
    """Text that cannot be a token is not put into a request."""
    with pytest.raises(Misconfigured, match="token"):
        find_server(URL, token, tmp_path)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8081", "ftp://host", "http://", "http://host:port"])
def test_invalid_url_is_refused(url: str, tmp_path: Path) -> None:
    """Text that cannot be the URL of a server is refused."""
    with pytest.raises(Misconfigured, match="URL"):
        find_server(url, "mine", tmp_path)


def test_path_before_the_api_is_kept(tmp_path: Path) -> None:
    """The API of a server behind a proxy may be below a path."""
    assert find_server("https://proxy/pushd/", "mine", tmp_path).url.child("v1").to_text() == "https://proxy/pushd/v1"


def test_environment_variables(server: FakeServer, pushctl: Pushctl, tmp_path: Path) -> None:
    """URL and data directory are read from the environment if the command line does not give them."""
    (tmp_path / "admin.token").write_text("from-the-file")
    server.on("GET /v1/devices", Answer(body={"items": [DEVICE], "next": None}))
    environment = {"PUSHD_URL": "http://pushd.example:1234", "PUSHD_DATA_DIR": str(tmp_path)}
    result = CliRunner(env=environment).invoke(cli, ["devices"], obj=pushctl.run)
    assert result.exit_code == 0
    headers = server.calls("GET /v1/devices")[0].headers
    assert (headers["host"], headers["authorization"]) == ("pushd.example:1234", "Bearer from-the-file")


def test_wrong_url_is_one_line(pushctl: Pushctl) -> None:
    """A wrong URL ends the call with one line and exit code 1."""
    result = pushctl("--url", "nonsense", "devices")
    assert result.exit_code == 1
    assert result.stderr.startswith("pushctl: 'nonsense' is not the URL of a server")
    assert result.stderr.count("\n") == 1
