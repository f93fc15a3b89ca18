"""Servers whose state is on PostgreSQL."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.integration.conftest import MakeServer
from tests.integration.server import OPEN, Server
from tests.postgres import PostgresServer


@contextmanager
def on_postgres(make_server: MakeServer, postgres_server: PostgresServer) -> Iterator[Callable[..., Server]]:
    """Makes servers like ``make_server``, each on a database of its own."""
    with ExitStack() as databases:

        def make(*options: str, usual: Sequence[str] = OPEN) -> Server:
            url = databases.enter_context(postgres_server.database())
            return make_server(*options, f"--store={url}", usual=usual)

        yield make
