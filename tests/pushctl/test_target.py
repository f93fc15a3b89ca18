"""Tests of finding the server and the token."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from pushd.pushctl.errors import Misconfigured
from pushd.pushctl.main import cli
from pushd.pushctl.server_address import find_target
from pushd.pushctl.session import Program
from tests.pushctl.recorded import DEVICE, Answer, Desk, RecordedServer

URL = "http://127.0.0.1:8081"


def test_token_is_read_from_the_data_directory(tmp_path: Path) -> None:
    """Beside a server nothing need be said: its token lies in its data directory."""
    (tmp_path / "admin.token").write_text("secret-token\n")
    assert find_target(URL, None, tmp_path).token == "secret-token"


def test_token_that_is_given_wins(tmp_path: Path) -> None:
    """A token that the operator gives goes before the one that lies there."""
    (tmp_path / "admin.token").write_text("secret-token\n")
    assert find_target(URL, "mine", tmp_path).token == "mine"


def test_token_never_shows(tmp_path: Path) -> None:
    """A target can be logged without giving its token away."""
    assert "mine" not in repr(find_target(URL, "mine", tmp_path))


def test_missing_token_is_explained(tmp_path: Path) -> None:
    """Without a token the operator is told the ways to give one."""
    with pytest.raises(Misconfigured, match=r"PUSHD_TOKEN.*--data-dir.*admin\.token is not there"):
        find_target(URL, None, tmp_path)


def test_unreadable_token_is_explained(tmp_path: Path) -> None:
    """A token that cannot be read is another trouble than one that is missing."""
    (tmp_path / "admin.token").mkdir()
    with pytest.raises(Misconfigured, match="cannot be read"):
        find_target(URL, None, tmp_path)


@pytest.mark.parametrize("token", ["", " ", "two words", "a\r\nX-Header: b", "schlüssel"])
def test_text_that_is_no_token_goes_nowhere(token: str, tmp_path: Path) -> None:
    """What cannot be a token is not put into a request."""
    with pytest.raises(Misconfigured, match="token"):
        find_target(URL, token, tmp_path)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8081", "ftp://host", "http://", "http://host:port"])
def test_text_that_is_no_url_is_refused(url: str, tmp_path: Path) -> None:
    """What cannot be the URL of a server is said not to be."""
    with pytest.raises(Misconfigured, match="URL"):
        find_target(url, "mine", tmp_path)


def test_path_before_the_api_is_kept(tmp_path: Path) -> None:
    """A server behind a proxy may have a path of its own."""
    assert find_target("https://proxy/pushd/", "mine", tmp_path).url.child("v1").to_text() == "https://proxy/pushd/v1"


def test_environment_names_server_and_directory(server: RecordedServer, desk: Desk, tmp_path: Path) -> None:
    """URL and data directory come from the environment where the command line does not name them."""
    (tmp_path / "admin.token").write_text("from-the-file")
    server.on("GET /v1/devices", Answer(body={"items": [DEVICE], "next": None}))
    environment = {"PUSHD_URL": "http://pushd.example:1234", "PUSHD_DATA_DIR": str(tmp_path)}
    result = CliRunner(env=environment).invoke(cli, ["devices"], obj=desk.run)
    assert result.exit_code == 0
    headers = server.calls("GET /v1/devices")[0].headers
    assert (headers["host"], headers["authorization"]) == ("pushd.example:1234", "Bearer from-the-file")


def test_trouble_with_the_target_is_one_line(desk: Desk) -> None:
    """A wrong URL ends the call with one line and exit code 1, before anything is asked."""
    result = desk.pushctl("--url", "nonsense", "devices")
    assert result.exit_code == 1
    assert result.stderr.startswith("pushctl: 'nonsense' is not the URL of a server")
    assert result.stderr.count("\n") == 1


def test_help_needs_no_server() -> None:
    """The help text and the version are there without any server."""

    def run(program: Program) -> None:
        raise AssertionError("asked a server")

    for words in (["--help"], ["--version"], ["watch", "--help"]):
        assert CliRunner().invoke(cli, words, obj=run).exit_code == 0
