"""Tests of finding the server and the token."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pushd.pushctl.errors import Misconfigured
from pushd.pushctl.main import cli
from pushd.pushctl.profiles import Profile, Profiles, profiles_path, save_profiles
from pushd.pushctl.server_address import ServerAddress, ServerOptions, find_server
from tests.pushctl.fake_server import DEVICE, Answer, FakeServer, Pushctl

URL = "http://127.0.0.1:8081"

PROFILES = Profiles(
    default="office",
    by_name={
        "lab": Profile(url="https://lab.example", token="of-the-lab"),
        "office": Profile(url="https://office.example", token="of-the-office"),
    },
)


def _find(profiles: Profiles = PROFILES, **options: Any) -> ServerAddress:
    return find_server(ServerOptions(**options), lambda: profiles)


def _found(profiles: Profiles = PROFILES, **options: Any) -> tuple[str, str]:
    server = _find(profiles, **options)
    return server.url.to_text(), server.token


def test_named_profile_is_used() -> None:
    """A profile selects the URL and the token."""
    assert _found(profile="lab") == ("https://lab.example", "of-the-lab")


def test_unknown_profile_is_explained() -> None:
    """The error about an unknown profile names those that there are, or how to make one."""
    with pytest.raises(Misconfigured, match=r"there are: lab, office$"):
        _find(profile="home")
    with pytest.raises(Misconfigured, match='"pushctl login" makes one'):
        _find(Profiles(), profile="home")


def test_latest_login_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any option the default profile is used."""
    monkeypatch.chdir(tmp_path)
    assert _found() == ("https://office.example", "of-the-office")


def test_server_in_this_directory_comes_before_the_latest_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that was started in this directory is meant where no other is selected."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pushd-data").mkdir()
    (tmp_path / "pushd-data" / "admin.token").write_text("local")
    assert _found() == (URL, "local")


def test_url_selects_its_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that was saved needs no token; the slash at its end does not matter."""
    monkeypatch.chdir(tmp_path)
    assert _found(url="https://lab.example/") == ("https://lab.example", "of-the-lab")


def test_token_of_a_profile_is_not_sent_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token of a profile is for its own server; for another one there is no token."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Misconfigured, match="no token"):
        _find(url="https://other.example")


def test_token_is_read_from_the_data_directory(tmp_path: Path) -> None:
    """The token of a server on this machine is read from its data directory."""
    (tmp_path / "admin.token").write_text("secret-token\n")
    assert _find(data_dir=tmp_path).token == "secret-token"


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"token": "mine"}, "--url or PUSHD_URL names another server"),
        ({"url": URL, "token": "mine"}, "--url or PUSHD_URL names another server"),
        ({"profile": "lab"}, "It is the URL of profile lab; --profile or --url names another server"),
        ({"url": "https://lab.example"}, "It is the URL of profile lab; --profile or --url names another server"),
    ],
)
def test_remedy_names_another_server(options: dict[str, Any], remedy: str) -> None:
    """How another server is named depends on what has named this one."""
    assert _find(**options).remedy == remedy


def test_given_token_wins(tmp_path: Path) -> None:
    """A token that is given is used instead of the one in the data directory."""
    (tmp_path / "admin.token").write_text("secret-token\n")
    assert _find(token="mine").token == "mine"


def test_repr_has_no_token(tmp_path: Path) -> None:
    """The repr of an address does not show the token."""
    assert "mine" not in repr(_find(token="mine"))


def test_missing_token_is_explained(tmp_path: Path) -> None:
    """Without a token, the error names the ways to give one."""
    with pytest.raises(Misconfigured, match=r"pushctl login.*PUSHD_TOKEN.*--data-dir.*admin\.token does not exist"):
        _find(data_dir=tmp_path)


def test_unreadable_token_is_explained(tmp_path: Path) -> None:
    """A token file that cannot be read is reported as such, not as missing."""
    (tmp_path / "admin.token").mkdir()
    with pytest.raises(Misconfigured, match="cannot read the token"):
        _find(data_dir=tmp_path)


@pytest.mark.parametrize("token", ["", " ", "two words", "a\r\nX-Header: b", "schlüssel"])
def test_invalid_token_is_refused(token: str, tmp_path: Path) -> None:
    """Text that cannot be a token is not put into a request."""
    with pytest.raises(Misconfigured, match="token"):
        _find(token=token)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8081", "ftp://host", "http://", "http://host:port"])
def test_invalid_url_is_refused(url: str, tmp_path: Path) -> None:
    """Text that cannot be the URL of a server is refused."""
    with pytest.raises(Misconfigured, match="URL"):
        _find(url=url, token="mine")


def test_path_before_the_api_is_kept(tmp_path: Path) -> None:
    """The API of a server behind a proxy may be below a path."""
    assert _find(url="https://proxy/pushd/", token="mine").url.child("v1").to_text() == "https://proxy/pushd/v1"


def test_environment_variables(server: FakeServer, pushctl: Pushctl, tmp_path: Path) -> None:
    """URL and data directory are read from the environment if the command line does not give them."""
    (tmp_path / "admin.token").write_text("from-the-file")
    server.on("GET /v1/devices", Answer(body={"items": [DEVICE], "next": None}))
    environment = {"PUSHD_URL": "http://pushd.example:1234", "PUSHD_DATA_DIR": str(tmp_path)}
    result = CliRunner(env=environment).invoke(cli, ["devices"], obj=pushctl.run)
    assert result.exit_code == 0
    headers = server.calls("GET /v1/devices")[0].headers
    assert (headers["host"], headers["authorization"]) == ("pushd.example:1234", "Bearer from-the-file")


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("arguments", "environment", "source"),
    [
        (["--token", "mine"], {"PUSHD_TOKEN": "other"}, "--token"),
        ([], {"PUSHD_TOKEN": "mine"}, "PUSHD_TOKEN"),
        (["--data-dir", "data"], {}, "data/admin.token"),
        (["--profile", "lab"], {"PUSHD_TOKEN": "other"}, "profile lab"),
        ([], {"PUSHCTL_PROFILE": "lab", "PUSHD_URL": "http://other"}, "profile lab"),
        ([], {"PUSHD_URL": "https://lab.example"}, "profile lab"),
        ([], {}, "profile office"),
    ],
)
def test_refused_token_is_named(
    server: FakeServer,
    pushctl: Pushctl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    arguments: list[str],
    environment: dict[str, str],
    source: str,
) -> None:
    """If the token is refused, the error says which one was used: the command line wins, then the environment."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    save_profiles(profiles_path(), PROFILES)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "admin.token").write_text("secret")
    server.on("GET /v1/devices", Answer(status=status, body={"detail": "No."}))
    result = CliRunner(env=environment).invoke(cli, [*arguments, "devices"], obj=pushctl.run)
    assert (result.exit_code, result.stderr) == (1, f"pushctl: refused ({status}): No. (token: {source})\n")


def test_other_refusals_name_no_token(server: FakeServer, pushctl: Pushctl) -> None:
    """The token is named only if it is refused."""
    server.on("GET /v1/devices", Answer(status=422, body={"detail": "No."}))
    assert pushctl("devices").stderr == "pushctl: refused (422): No.\n"


def test_wrong_url_is_one_line(pushctl: Pushctl) -> None:
    """A wrong URL ends the call with one line and exit code 1."""
    result = pushctl("--url", "nonsense", "devices")
    assert result.exit_code == 1
    assert result.stderr.startswith("pushctl: 'nonsense' is not the URL of a server")
    assert result.stderr.count("\n") == 1


def test_command_line_wins_over_the_environment(server: FakeServer, pushctl: Pushctl) -> None:
    """A token on the command line is used although the environment selects a profile."""
    server.on("GET /v1/devices", Answer(body={"items": [], "next": None}))
    result = CliRunner(env={"PUSHCTL_PROFILE": "lab"}).invoke(cli, ["--token", "typed", "devices"], obj=pushctl.run)
    assert result.exit_code == 0
    assert server.calls("GET /v1/devices")[0].headers["authorization"] == "Bearer typed"


def test_profile_and_token_contradict_each_other(pushctl: Pushctl) -> None:
    """A profile has a URL and a token of its own, so giving one as well is refused."""
    result = pushctl("--profile", "lab", "devices")
    assert result.exit_code == 2
    assert "leave out --url, --token and --data-dir" in result.stderr
