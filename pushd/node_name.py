"""The name of this process among those that share a database."""

import re
from collections.abc import Sequence
from secrets import token_hex

MAX_HOST = 40
"""Characters of the host name: PostgreSQL cuts the names of sessions, of which this is a part, at 63 bytes."""

_OTHER = re.compile(r"[^A-Za-z0-9._-]")
_PORT = re.compile(r"(?:tcp6?|ssl):(?:port=)?([1-9][0-9]*)(?::|$)")


def node_name(host: str, endpoints: Sequence[str]) -> str:
    """A name that is the same after a restart: the host, and the first port that is given in these endpoints.

    Without one, as with Unix sockets, it is a random name.
    """
    ports = (match[1] for match in map(_PORT.match, endpoints) if match is not None)
    return f"{_OTHER.sub('-', host)[:MAX_HOST]}:{next(ports, None) or token_hex(3)}"
