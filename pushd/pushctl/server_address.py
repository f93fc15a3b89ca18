"""Where the server is, and the token for it."""

from pathlib import Path

from attrs import field, frozen
from hyperlink import DecodedURL, URLParseError

from pushd.pushctl.errors import Misconfigured

DEFAULT_URL = "http://127.0.0.1:8081"
"""The admin port of ``pushd`` by default."""

DEFAULT_DATA_DIR = Path("pushd-data")
TOKEN_FILE = "admin.token"


@frozen(kw_only=True)
class ServerAddress:
    """The URL of a server and a token for it; ``repr`` does not show the token."""

    url: DecodedURL
    token: str = field(repr=False)


def find_server(url: str, token: str | None, data_dir: Path) -> ServerAddress:
    """The server at ``url``; without a token, the one that the server wrote into ``data_dir`` is used.

    :raises Misconfigured: if the URL or the token cannot be used, or there is no token.
    """
    return ServerAddress(url=_read_url(url), token=_checked(token if token is not None else _read_token(data_dir)))


def _read_url(text: str) -> DecodedURL:
    try:
        url = DecodedURL.from_text(text)
    except (URLParseError, ValueError) as error:
        raise Misconfigured(f"{text!r} is not a URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise Misconfigured(f"{text!r} is not the URL of a server, such as {DEFAULT_URL}")
    return url.replace(path=[part for part in url.path if part], query=(), fragment="")


def _read_token(data_dir: Path) -> str:
    path = data_dir / TOKEN_FILE
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Misconfigured(
            f"no token: set PUSHD_TOKEN, or give the server's data directory with --data-dir ({path} does not exist)"
        ) from None
    except (OSError, ValueError) as error:
        raise Misconfigured(f"cannot read the token in {path}: {error}") from None


def _checked(token: str) -> str:
    token = token.strip()
    if not (token and token.isascii() and token.isprintable()) or " " in token:
        raise Misconfigured("the token is empty or contains characters that no token has")
    return token
