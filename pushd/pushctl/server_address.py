"""Where the server is, and the token that it knows us by."""

from pathlib import Path

from attrs import field, frozen
from hyperlink import DecodedURL, URLParseError

from pushd.pushctl.errors import Misconfigured

DEFAULT_URL = "http://127.0.0.1:8081"
"""Where ``pushd`` listens for operators unless it is told otherwise."""

DEFAULT_DATA_DIR = Path("pushd-data")
TOKEN_FILE = "admin.token"


@frozen(kw_only=True)
class Target:
    """A server and a way to be let in; the token never shows."""

    url: DecodedURL
    token: str = field(repr=False)


def find_target(url: str, token: str | None, data_dir: Path) -> Target:
    """The target that the operator's words describe; without a token, the one that the server left in ``data_dir``.

    :raises Misconfigured: if the URL or the token cannot be used, or there is no token.
    """
    return Target(url=_read_url(url), token=_checked(token if token is not None else _read_token(data_dir)))


def _read_url(text: str) -> DecodedURL:
    try:
        url = DecodedURL.from_text(text)
    except (URLParseError, ValueError) as error:
        raise Misconfigured(f"{text!r} is not a URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise Misconfigured(f"{text!r} is not the URL of a server; write for example {DEFAULT_URL}")
    return url.replace(path=[part for part in url.path if part], query=(), fragment="")


def _read_token(data_dir: Path) -> str:
    path = data_dir / TOKEN_FILE
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Misconfigured(
            f"no token: set PUSHD_TOKEN, or name the server's data directory by --data-dir ({path} is not there)"
        ) from None
    except (OSError, ValueError) as error:
        raise Misconfigured(f"the token in {path} cannot be read: {error}") from None


def _checked(token: str) -> str:
    token = token.strip()
    if not (token and token.isascii() and token.isprintable()) or " " in token:
        raise Misconfigured("the token is empty or has characters that no token has")
    return token
