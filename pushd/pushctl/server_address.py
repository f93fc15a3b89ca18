"""Where the server is, and the token for it."""

from collections.abc import Callable
from pathlib import Path

from attrs import evolve, field, frozen
from hyperlink import DecodedURL, URLParseError

from pushd.pushctl.errors import Misconfigured
from pushd.pushctl.profiles import Profiles

DEFAULT_URL = "http://127.0.0.1:8081"
"""The admin port of ``pushd`` by default."""

DEFAULT_DATA_DIR = Path("pushd-data")
TOKEN_FILE = "admin.token"
TOKEN_VARIABLE = "PUSHD_TOKEN"


@frozen(kw_only=True)
class ServerOptions:
    """What selects the server, from the command line or the environment; None if it was not given.

    A profile is a URL and a token, so with a profile there is nothing else.
    """

    url: str | None = None
    token: str | None = field(default=None, repr=False)
    token_source: str = ""
    data_dir: Path | None = None
    profile: str | None = None


@frozen(kw_only=True)
class ServerAddress:
    """The URL of a server and a token for it; ``repr`` does not show the token.

    ``token_source`` is the option, variable, profile or file that the token is from; ``remedy`` says how to name
    another server.
    """

    url: DecodedURL
    token: str = field(repr=False)
    token_source: str = ""
    remedy: str = "--url or PUSHD_URL names another server"

    @classmethod
    def read(cls, url: str, token: str, source: str) -> "ServerAddress":
        """:raises Misconfigured: if the URL or the token cannot be used."""
        return cls(url=read_url(url), token=read_token(token), token_source=source)


def find_server(options: ServerOptions, load: Callable[[], Profiles]) -> ServerAddress:
    """The server that the options select; ``load`` gives the saved profiles, if they matter.

    Without a profile, a token or a data directory, it is the profile of the URL; without a URL, the server of
    ``pushd-data`` in this directory, if there is one, or else the default profile. The token of a profile is sent to
    the profile's URL only.

    :raises Misconfigured: if the URL or the token cannot be used, or there is none.
    """
    if options.profile is not None:
        return _of_profile(load(), options.profile)
    url = DEFAULT_URL if options.url is None else options.url
    if options.token is not None:
        return ServerAddress.read(url, options.token, options.token_source)
    if options.data_dir is not None:
        return _of_data_dir(url, options.data_dir)
    profiles = Profiles() if options.url is None and _is_local_server() else load()
    name = profiles.default if options.url is None else profiles.find(options.url)
    return _of_data_dir(url, DEFAULT_DATA_DIR) if name is None else _of_profile(profiles, name)


def _of_profile(profiles: Profiles, name: str) -> ServerAddress:
    profile = profiles.get(name)
    server = ServerAddress.read(profile.url, profile.token, f"profile {name}")
    return evolve(server, remedy=f"It is the URL of profile {name}; --profile or --url names another server")


def _of_data_dir(url: str, data_dir: Path) -> ServerAddress:
    return ServerAddress.read(url, _token_in(data_dir), str(data_dir / TOKEN_FILE))


def _is_local_server() -> bool:
    return (DEFAULT_DATA_DIR / TOKEN_FILE).exists()


def read_url(text: str) -> DecodedURL:
    """The URL of a server.

    :raises Misconfigured: if it is none.
    """
    try:
        url = DecodedURL.from_text(text)
        if ":" not in url.host:  # of an IPv6 address
            url.to_uri()
    except (URLParseError, ValueError) as error:
        raise Misconfigured(f"{text!r} is not a URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise Misconfigured(f"{text!r} is not the URL of a server, such as {DEFAULT_URL}")
    return url.replace(path=[part for part in url.path if part], query=(), fragment="")


def host_and_port(url: DecodedURL) -> str:
    """What is connected to."""
    return f"{url.host}:{url.port}"


def _token_in(data_dir: Path) -> str:
    path = data_dir / TOKEN_FILE
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Misconfigured(
            f"no token: log in with pushctl login, set {TOKEN_VARIABLE}, or give the server's data directory with"
            f" --data-dir ({path} does not exist)"
        ) from None
    except (OSError, ValueError) as error:
        raise Misconfigured(f"cannot read the token in {path}: {error}") from None


def read_token(text: str) -> str:
    """A token without the white space around it.

    :raises Misconfigured: if it cannot be one.
    """
    token = text.strip()
    if not (token and token.isascii() and token.isprintable()) or " " in token:
        raise Misconfigured("the token is empty or contains characters that no token has")
    return token
