"""The options as operators may see them: as JSON, with ``***`` in place of secrets and of the files that hold them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pushd.config import OPTIONS, Config

MASK = "***"

_USER = re.compile(r"(?<=://)[^/?#]*@")
_QUERY = re.compile(r"(?<=\?).*")
_PRIVATE_KEY = re.compile(r"(?<=privateKey=)(?:[^:\\]|\\.)*")
_SSL = re.compile(r"((?:haproxy:)?ssl:[^:]*:)(?![^:=]*=)(?:[^:\\]|\\.)*")
"""A TLS endpoint whose private key is named by its place."""


def shown_options(config: Config) -> dict[str, Any]:
    """All options by their names."""
    return {name: _shown(name, getattr(config, option.field)) for name, option in OPTIONS.items()}


def shown_endpoints(endpoints: tuple[str, ...]) -> tuple[str, ...]:
    """Endpoints without the files of their private keys."""
    return tuple(map(_mask_text, endpoints))


def _shown(name: str, value: Any) -> object:
    if value is None or isinstance(value, bool):
        return value
    if name.endswith("-file"):
        return MASK
    return _SPECIAL.get(name, _to_json)(value)


def _to_json(value: Any) -> object:
    if isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return _mask_text(value.decode() if isinstance(value, bytes) else str(value))


def _mask_text(text: str) -> str:
    """A URL without user, password and query; an endpoint without the file of its private key."""
    if "://" in text:
        return _QUERY.sub(MASK, _USER.sub(f"{MASK}@", text))
    return _SSL.sub(rf"\g<1>{MASK}", _PRIVATE_KEY.sub(MASK, text))


def _mask_path(url: str) -> str:
    """A URL whose path is a secret."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2].partition('?')[0]}/{MASK}"


_SPECIAL: Mapping[str, Callable[[Any], object]] = {
    "heartbeat-url": _mask_path,
    "smtp": lambda server: "{}:{}".format(*server),
    "flapping": lambda flapping: "{}/{:g}".format(*flapping),
}
"""Options whose values are not shown as they are."""
