"""Planted bugs: the real server with one defect, to show that the soak test finds it.

``python -m tests.soak.planted_bugs BUG <arguments of twistd>``.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.logger import Logger

from pushd.http.request import Request
from pushd.http.site import Channel, HTTPFactory
from tests.harness.planting import accept_any_status, run_with_bug

LEAKED_BYTES = 16 * 1024
"""Of each request."""

_log = Logger()


def _at_each_request(act: Callable[[], object]) -> None:
    init = Request.__init__

    def act_and_init(self: Request, *args: Any) -> None:
        act()
        init(self, *args)

    Request.__init__ = act_and_init  # type: ignore[assignment,method-assign]


def _leak_memory() -> None:
    """Keep some memory of each request."""
    kept: list[bytes] = []
    _at_each_request(lambda: kept.append(os.urandom(LEAKED_BYTES)))


def _leak_descriptor() -> None:
    """Leave a descriptor open for each connection."""
    made = Channel.connectionMade

    def made_and_leaked(self: Channel) -> None:
        os.dup(0)
        made(self)

    Channel.connectionMade = made_and_leaked  # type: ignore[method-assign]


def _log_requests() -> None:
    """Write a line about each request."""
    _at_each_request(lambda: _log.info("Request"))


def _keep_connections() -> None:
    """Close no connection that waits for the rest of a head."""
    init = HTTPFactory.__init__

    def init_without_timeout(self: HTTPFactory, *args: Any) -> None:
        init(self, *args)
        self.head_timeout.seconds = 10**6

    HTTPFactory.__init__ = init_without_timeout  # type: ignore[method-assign, assignment]


BUGS: Mapping[str, Callable[[], None]] = {
    "memory-leak": _leak_memory,
    "descriptor-leak": _leak_descriptor,
    "log-per-request": _log_requests,
    "connections-kept": _keep_connections,
    "failure-counts-as-delivery": accept_any_status,
}


if __name__ == "__main__":
    run_with_bug(BUGS)
